"""Variables of the environment: values that mean nothing are said once, and never end a run."""

import os
import subprocess
import sys
import warnings

import numba
import pytest

from sparsenmf.kernels.compile import cache, settings, threads

from ...children import ROOT, TIMEOUT


@pytest.fixture(autouse=True)
def forget():
    """Let each test be the first to warn, and to look for the folder."""
    yield settings.warn_once.cache_clear(), cache.cache_folder.cache_clear()
    settings.warn_once.cache_clear(), cache.cache_folder.cache_clear()


@pytest.mark.parametrize("text", ["abc", "0", "-1", "1.5", "2,3", "1e3", "²", "9" * 5000])
def test_a_number_of_threads_that_is_none_is_said_once(text, monkeypatch):
    monkeypatch.delenv(settings.THREADS, raising=False)
    usual = threads.resolve_threads()
    monkeypatch.setenv(settings.THREADS, text)
    with pytest.warns(UserWarning, match=f"^{settings.THREADS} is '.*', not a whole number"):
        assert threads.resolve_threads() == usual
    assert settings.not_understood() == [settings.THREADS]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert threads.resolve_threads() == usual


@pytest.mark.parametrize(("text", "wanted"), [("", None), (" ", None), (" 2 ", 2), ("1", 1)])
def test_other_numbers_of_threads_are_taken_in_silence(text, wanted, monkeypatch, recwarn):
    monkeypatch.setenv(settings.THREADS, text)
    assert settings.threads_wanted() == wanted
    if wanted:
        assert threads.resolve_threads() == min(wanted, numba.config.NUMBA_NUM_THREADS)
    assert settings.not_understood() == []
    assert not recwarn.list


def test_what_openmp_is_told_is_not_ours_to_judge(monkeypatch, recwarn):
    for text in ("many", "0", "", "9" * 5000):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert threads.available_cores() >= 1
    assert not recwarn.list


@pytest.mark.parametrize("text", ["off", "false", "no", "2", "00"])
def test_a_switch_that_is_neither_on_nor_off_is_said(text, monkeypatch):
    monkeypatch.setenv(settings.SWITCH, text)
    with pytest.warns(UserWarning, match=f"{settings.SWITCH} is '{text}', not 0 or 1"):
        assert not settings.cache_is_off()
    assert settings.not_understood() == [settings.SWITCH]


@pytest.mark.parametrize(("text", "off"), [("0", True), (" 0 ", True), ("1", False), ("", False)])
def test_the_switch_is_taken_in_silence(text, off, monkeypatch, recwarn):
    monkeypatch.setenv(settings.SWITCH, text)
    assert settings.cache_is_off() is off
    assert not recwarn.list


@pytest.mark.parametrize("place", ["a file", "below a file", "~of-nobody-at-all/kernels"])
def test_a_folder_that_cannot_be_used_is_said_once(place, tmp_path, monkeypatch):
    (tmp_path / "a file").touch()
    chosen = place if place.startswith("~") else str(tmp_path / place)
    if place == "below a file":
        chosen = str(tmp_path / "a file" / "kernels")
    monkeypatch.setenv(settings.FOLDER, chosen)
    with pytest.warns(UserWarning, match=f"^{settings.FOLDER} is .*kernels are not stored"):
        assert cache.cache_folder() is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.cache_folder() is None


def test_an_empty_name_of_a_folder_is_none_at_all(monkeypatch, recwarn, tmp_path):
    monkeypatch.setenv(settings.FOLDER, "")
    assert all("" != str(folder) != os.getcwd() for folder in cache._candidates())
    monkeypatch.setattr(cache, "_make_private", lambda folder: False)
    assert cache.cache_folder() is None  # nobody has chosen it: that is said by `progress` alone
    assert not recwarn.list


def test_a_folder_that_cannot_be_written_to_is_said_when_a_kernel_is_stored(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv(settings.FOLDER, str(tmp_path))
    monkeypatch.setattr(cache.tempfile, "mkstemp", refuse)
    dispatcher = numba.njit(lambda x: x + 1)
    cache.attach_cache(dispatcher, "one")
    with pytest.warns(UserWarning, match=r"cannot be written to \(Permission denied\)"):
        assert dispatcher(1) == 2
    assert not list(tmp_path.iterdir())


def test_the_command_says_it_in_one_line(tmp_path):
    pytest.importorskip("click")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n2,1\n3,1\n", encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT), settings.THREADS: "abc"}
    command = [sys.executable, "-m", "sparsenmf", "factorize", "x.csv", "-k", "1"]
    child = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert child.returncode == 0, child.stderr
    (said,) = [line for line in child.stderr.splitlines() if settings.THREADS in line]
    assert said.startswith("Remark: ")
