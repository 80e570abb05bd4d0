"""What type checkers see of the package: as a user's checker does, of code outside of it."""

import importlib.util
import inspect
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import sparsenmf
from sparsenmf import typing as types
from sparsenmf.data.validation import MISSING
from sparsenmf.models.algorithms import SOLVERS
from sparsenmf.solvers.initialization import INITS
from sparsenmf.solvers.losses import BETAS
from tests.test_architecture import PUBLIC

ROOT = Path(__file__).parents[1]
USERS = Path(__file__).parent / "typing"
QUALITY = {"topics", "X", "vocabulary", "n_terms"}  # what `quality_table` has itself

RIGHT, WRONG = USERS / "right.py", USERS / "wrong.py"


def planted():
    lines = WRONG.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if "# mistake" in line}


def check_with_mypy(folder):
    """Yield file, line and message of each error."""
    options = ["--strict", "--ignore-missing-imports", "--config-file=", "--cache-dir=cache"]
    process = run(folder, "-m", "mypy", *options, f"--python-executable={sys.executable}")
    for line in process.stdout.splitlines():
        if found := re.match(r"(\S+?):(\d+): error: (.*)", line):
            yield found[1], int(found[2]), found[3]


def check_with_pyright(folder):
    process = run(folder, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable)
    for found in json.loads(process.stdout)["generalDiagnostics"]:
        if found["severity"] == "error":
            line = found["range"]["start"]["line"] + 1
            yield Path(found["file"]).name, line, found["message"]


def run(folder, *arguments):
    # On PYTHONPATH the package is one that is installed: without py.typed it would have no types.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, *arguments, RIGHT.name, WRONG.name],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert process.returncode == 1, process.stdout + process.stderr  # it ran, and found mistakes
    return process


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_checkers_find_all_mistakes_and_nothing_else(checker, tmp_path):
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f'{checker} is not installed: pip install "sparsenmf[lint]"')
    for path in (RIGHT, WRONG):
        shutil.copy(path, tmp_path)
    check = {"mypy": check_with_mypy, "pyright": check_with_pyright}[checker]
    found = list(check(tmp_path))
    assert [error for error in found if error[0] != WRONG.name] == []
    assert {line for _, line, _ in found} == planted(), found


def test_five_mistakes_are_planted():
    assert len(planted()) == 5


def test_the_right_code_runs(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    runpy.run_path(str(RIGHT))["main"](tmp_path)


def test_the_marker_of_types_is_shipped():
    assert (Path(sparsenmf.__file__).parent / "py.typed").exists()
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'sparsenmf = ["py.typed"]' in settings


@pytest.mark.parametrize(
    ("annotation", "choices"),
    [
        (types.Solver, SOLVERS),
        (types.Init, INITS),
        (types.Missing, MISSING),
        (typing.get_args(types.Loss)[0], BETAS),
    ],
)
def test_literals_are_what_is_accepted(annotation, choices):
    assert set(typing.get_args(annotation)) == set(choices)


def hints(function):
    return typing.get_type_hints(function)


def check_hints(found, expected):
    """The same types, but for Any where the type is that of a room above `data`."""
    for name, hint in found.items():
        assert hint in (typing.Any, expected[name]), name


@pytest.mark.parametrize("function", PUBLIC, ids=lambda function: function.__qualname__)
def test_every_public_parameter_has_a_type_that_can_be_looked_up(function):
    target = function.__init__ if inspect.isclass(function) else function
    names = [name for name in inspect.signature(target).parameters if name != "self"]
    assert set(hints(target)) - {"self"} == {*names, "return"}


@pytest.mark.parametrize(
    ("options", "function", "others"),
    [
        (types.TopicOptions, sparsenmf.factorize, {"X", "n_components"}),
        (
            types.CoherenceOptions,
            sparsenmf.topic_coherence,
            {"topics", "X", "vocabulary", "n_terms"},
        ),
    ],
)
def test_options_that_are_passed_on_are_those_of_the_function(options, function, others):
    expected = {name: hint for name, hint in hints(function).items() if name not in others}
    del expected["return"]
    check_hints(hints(options), expected)
    assert hints(options).keys() == expected.keys()


@pytest.mark.parametrize("options", [types.FitOptions, types.ConsensusOptions])
def test_options_of_several_fits_are_some_of_factorize(options):
    check_hints(hints(options), hints(sparsenmf.factorize))
