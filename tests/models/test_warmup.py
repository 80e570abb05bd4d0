"""Warmup runs what it is asked for (that nothing is left to compile: tests/cli/test_command.py)."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest

from sparsenmf.models import warmup as module


@pytest.fixture
def runs(monkeypatch):
    """Record fits and streams instead of running them."""
    found = []

    known = {name: inspect.signature(getattr(module, name)) for name in ("factorize", "open_stream")}

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
    return found


@pytest.mark.parametrize("dtype", [None, "float32", "float64"])
@pytest.mark.parametrize("loss", [None, "frobenius", "kullback-leibler"])
def test_only_what_was_named_is_compiled(loss, dtype, runs):
    module.warmup(loss, dtype)
    kinds, dtypes = {kind for kind, _ in runs}, {name for _, name in runs}
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
