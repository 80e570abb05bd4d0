"""Warmup runs what it is asked for (that nothing is left to compile: tests/cli/test_command.py)."""

import inspect
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sparsenmf.models import warmup as module

from ..children import TIMEOUT


class Beside:
    """A process that compiles one precision beside."""

    def __init__(self, found, dtype):
        self.note = lambda what: found.append((what, dtype))
        self.note("started")

    def wait(self):
        self.note("waited")

    def kill(self):
        self.note("killed")


@pytest.fixture
def runs(monkeypatch):
    """Record fits and streams instead of running them."""
    found = []

    known = {
        name: inspect.signature(getattr(module, name)) for name in ("factorize", "open_stream")
    }

    def note(X, n_components, **options):
        known["factorize"].bind(X, n_components, **options)
        kind = "weighted" if {"weights", "missing"} & set(options) else options.get("loss", "exact")
        found.append((kind, np.dtype(X.dtype).name))
        return SimpleNamespace(transform=lambda X, n_threads: None)

    def open_stream(X, **options):
        known["open_stream"].bind(X, **options)
        return SimpleNamespace(add=lambda X: found.append(("stream", np.dtype(X.dtype).name)))

    monkeypatch.setattr(module, "factorize", note)
    monkeypatch.setattr(module, "open_stream", open_stream)
    monkeypatch.setattr(module, "active_folder", lambda: Path("cache"))
    monkeypatch.setattr(module, "_start", lambda loss, dtype: Beside(found, dtype))
    return found


@pytest.mark.parametrize("dtype", [None, "float32", "float64"])
@pytest.mark.parametrize("loss", [None, "frobenius", "kullback-leibler"])
def test_only_what_was_named_is_compiled(loss, dtype, runs):
    module.warmup(loss, dtype)
    kinds, dtypes = {kind for kind, _ in runs}, {name for _, name in runs}
    kinds -= {"started", "waited", "killed"}
    assert dtypes == ({dtype} if dtype else {"float32", "float64"})
    if loss is None:
        assert kinds == {"frobenius", "kullback-leibler", "weighted", "exact", "stream"}
    else:
        assert kinds - {"exact"} == {loss}
        assert ("exact" in kinds) == (loss == "frobenius")


@pytest.mark.parametrize("wrong", [{"loss": "kl"}, {"dtype": "f4"}, {"dtype": float}, {"loss": 2}])
def test_a_wrong_name_is_refused_before_anything_runs(wrong, runs):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} must be one of"):
        module.warmup(**wrong)
    assert not runs


def test_a_second_process_compiles_double_precision(runs):
    module.warmup("frobenius")
    first, last = (runs.index((what, "float64")) for what in ("started", "waited"))
    assert first == 0
    assert {dtype for _, dtype in runs[1:last]} == {"float32"}
    assert {dtype for _, dtype in runs[last:]} == {"float64"}  # loads what that has stored
    assert runs[-2:] == [("killed", "float64"), ("waited", "float64")]


def test_one_process_is_enough_for_one_precision_or_without_a_cache(runs, monkeypatch):
    module.warmup("frobenius", "float64")
    monkeypatch.setattr(module, "active_folder", lambda: None)
    assert module.warmup("frobenius") is None
    assert not {"started", "waited", "killed"} & {kind for kind, _ in runs}
    assert {dtype for _, dtype in runs} == {"float32", "float64"}


def test_the_second_process_does_not_outlive_an_error(runs, monkeypatch):
    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "factorize", stop)
    with pytest.raises(KeyboardInterrupt):
        module.warmup("frobenius")
    assert [what for what, _ in runs] == ["started", "killed", "waited"]


def test_the_second_process_runs_warmup(monkeypatch):
    monkeypatch.setattr(module, "available_cores", lambda: 2)
    monkeypatch.setattr(subprocess, "DEVNULL", subprocess.PIPE)
    process = module._start("frobenius", "half")
    assert "dtype must be one of" in process.communicate(timeout=TIMEOUT)[1].decode()


@pytest.mark.parametrize("lack", ["cores", "executable", "frozen"])
def test_there_may_be_no_second_process(lack, monkeypatch):
    monkeypatch.setattr(module, "available_cores", lambda: 1 if lack == "cores" else 2)
    monkeypatch.setattr(sys, "executable", None if lack == "executable" else sys.executable)
    monkeypatch.setattr(sys, "frozen", lack == "frozen", raising=False)
    assert module._start("frobenius", "half") is None
