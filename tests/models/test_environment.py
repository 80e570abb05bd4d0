"""The report for bug reports: what it says, and what it must not say."""

import os
import subprocess
import sys

import pytest

import sparsenmf
from sparsenmf.models import environment
from sparsenmf.models.environment import FACTS, OPTIONAL, describe_environment

from ..children import ROOT, TIMEOUT

USER = "planted-name"

WITHOUT_OPTIONAL = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {taken}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Nothing())
import sparsenmf.__main__ as command
command.main()
"""


def report(tmp_path, *, without=(), **env):
    """Return what the command prints if the user's name is in everything that could reveal it."""
    home = tmp_path / USER
    home.mkdir(exist_ok=True)
    named = {name: USER for name in ("USER", "LOGNAME", "USERNAME", "HOSTNAME", "COMPUTERNAME")}
    folders = ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME", "TMPDIR", "PWD")
    named |= {name: str(home) for name in folders}
    named |= {"PYTHONPATH": str(ROOT), "SPARSENMF_CACHE_DIR": ""} | env
    code = WITHOUT_OPTIONAL.format(taken=set(without) or "()")
    child = subprocess.run(
        [sys.executable, "-c", code, "info", "--bug-report"],
        env=os.environ | named, cwd=home, capture_output=True, text=True, timeout=TIMEOUT,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    assert child.stderr == ""
    assert USER not in child.stdout
    assert str(tmp_path) not in child.stdout
    return dict(line.split(": ", 1) for line in child.stdout.splitlines())


def test_it_says_all_that_it_should(tmp_path):
    pytest.importorskip("click")
    found = report(tmp_path, SPARSENMF_NUM_THREADS="1")
    assert list(found) == list(FACTS)
    assert found["sparsenmf"] == sparsenmf.__version__
    for name in ("numba", "llvmlite", "numpy", "scipy"):
        assert f"{name} {environment.importlib.metadata.version(name)}" in found["Packages"]
    assert found["Threading layer"] in ("omp", "tbb", "workqueue")
    assert found["Threads"].startswith("1 used")
    assert ": " in found["Processor"]
    assert "SPARSENMF_NUM_THREADS=1" in found["Settings"]
    assert not [line for line in found.values() if "unknown" in line]
    assert found["Cache of kernels"].startswith("0 kernels, 0.0 MiB, in the home directory")


@pytest.mark.parametrize("place", ["SPARSENMF_CACHE_DIR", "NUMBA_CACHE_DIR", "SPARSENMF_X"])
@pytest.mark.parametrize("value", [USER, f"/home/{USER}/cache", f"C:\\Users\\{USER}"])
def test_settings_show_no_folders(place, value, monkeypatch):
    monkeypatch.setenv(place, value)
    monkeypatch.setenv("NUMBA_THREADING_LAYER", "workqueue")
    monkeypatch.setenv(f"SPARSENMF_{USER}", "1")
    settings = FACTS["Settings"]()
    assert f"{place}=(set)" in settings
    assert "NUMBA_THREADING_LAYER=workqueue" in settings
    assert USER not in settings


STATES = {
    "off": ({"SPARSENMF_CACHE": "0"}, "off (SPARSENMF_CACHE=0)"),
    "chosen": ({"SPARSENMF_CACHE_DIR": "kernels"}, "1 kernels, 2.0 MiB, in SPARSENMF_CACHE_DIR"),
    "unusable": ({"SPARSENMF_CACHE_DIR": os.devnull}, "off: no folder that is ours to write to"),
}


@pytest.mark.parametrize("state", STATES)
def test_the_state_of_the_cache(state, tmp_path):
    pytest.importorskip("click")
    (tmp_path / USER / "kernels").mkdir(parents=True, mode=0o700)
    (tmp_path / USER / "kernels" / "x.kernel").write_bytes(bytes(2**21))
    settings, wanted = STATES[state]
    assert report(tmp_path, **settings)["Cache of kernels"].startswith(wanted)


def test_it_needs_no_optional_package(tmp_path):
    modules = {"scikit-learn": "sklearn"}
    found = report(tmp_path, without=[modules.get(name, name) for name in OPTIONAL])
    assert list(found) == list(FACTS)


def test_packages_that_are_not_installed_are_named():
    assert environment.versions_of(["no-such-package", "numpy"]).startswith("numpy 2")
    assert environment.versions_of(["no-such-package"]) == "none; without no-such-package"


def test_what_fails_is_said_without_its_message(monkeypatch):
    def fail():
        raise RuntimeError(f"/home/{USER} is broken")

    monkeypatch.setitem(FACTS, "Processor", fail)
    lines = describe_environment()
    assert "Processor: unknown (RuntimeError)" in lines
    assert len(lines) == len(FACTS)


def test_what_the_extras_install_is_listed():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read pyproject.toml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    (everything,) = extras["all"]
    names = everything.partition("[")[2].rstrip("]").split(",")
    wanted = {environment.re.match(r"[\w-]+", x)[0] for name in names for x in extras[name]}
    assert set(OPTIONAL) == wanted
    required = {environment.re.match(r"[\w-]+", x)[0] for x in project["dependencies"]}
    assert set(environment.REQUIRED) == required | {"llvmlite"}


@pytest.mark.parametrize("arguments", [["X.npz"], ["-k", "3"], ["--verify"]])
def test_the_command_takes_nothing_else_with_it(arguments):
    testing = pytest.importorskip("click.testing")
    from sparsenmf.cli import group

    result = testing.CliRunner().invoke(group, ["info", "--bug-report", *arguments])
    assert result.exit_code == 2
    assert "--bug-report is of this machine: leave" in result.stderr
    result = testing.CliRunner().invoke(group, ["info"])
    assert (result.exit_code, "a FILE is needed, or --bug-report" in result.stderr) == (2, True)
