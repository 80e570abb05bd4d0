"""What pyproject.toml promises: extras for all that is optional, and messages that name them."""

import ast
import re
import sys
from pathlib import Path

import pytest

import sparsenmf

from .children import ROOT

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read pyproject.toml")

PACKAGE = Path(sparsenmf.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

FOR_DEVELOPERS = {"test", "bench", "peers", "docs", "lint", "release"}

DISTRIBUTIONS = {"sklearn": "scikit-learn"}
"""Packages that are installed under another name than they are imported by."""

NO_MESSAGE = {
    ("progress", "tqdm"): "there is a display without it",
    ("estimator_input", "sklearn"): "estimators, which imports it, says what is missing",
    ("cli", "click"): "__main__, which imports it, says what is missing",
}


def requirement_names(requirements):
    return {re.match(r"[\w.-]+", requirement)[0] for requirement in requirements}


REQUIRED = requirement_names(PROJECT["dependencies"]) | {"llvmlite"}  # numba's, of its version


def foreign_imports(tree):
    """Yield the packages that are imported, with the texts of what is raised without them."""
    guards = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            handlers = [h for h in node.handlers if h.type and "Import" in ast.unparse(h.type)]
            texts = [c.value for h in handlers for c in ast.walk(h) if isinstance(c, ast.Constant)]
            guards |= {id(inside): "".join(map(str, texts)) for inside in node.body}
    for node in executed(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        for name in names:
            package = name.split(".")[0]
            if package not in sys.stdlib_module_names and package not in REQUIRED:
                yield package, guards.get(id(node), "")


def executed(tree):
    """Yield the nodes of a tree but for what type checkers alone read."""
    if isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test):
        return
    yield tree
    for child in ast.iter_child_nodes(tree):
        yield from executed(child)


def optional_imports():
    """Return the texts of messages by room and package."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        room = parts[1] if parts[0] in ("data", "models") else parts[0]  # wide rooms: by module
        for package, text in foreign_imports(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault((room, package), []).append(text)
    return found


OPTIONAL = optional_imports()


@pytest.mark.parametrize(("room", "package"), sorted(OPTIONAL))
def test_a_missing_package_is_named_with_an_extra_that_has_it(room, package):
    distribution = DISTRIBUTIONS.get(package, package)
    if (room, package) in NO_MESSAGE:
        assert any(distribution in requirement_names(EXTRAS[extra]) for extra in EXTRAS)
        return
    named = re.findall(r'pip install "sparsenmf\[(\w+)\]"', "".join(OPTIONAL[room, package]))
    assert named, f"{room} does not say how to install {package}"
    for extra in named:
        assert distribution in requirement_names(EXTRAS[extra]), extra


def test_all_optional_imports_were_found():
    packages = {package for _, package in OPTIONAL}
    assert packages >= {"sklearn", "matplotlib", "tqdm", "click", "dask", "pandas", "pyarrow"}
    assert packages >= {"anndata", "h5py", "distributed"}
    assert set(NO_MESSAGE) <= set(OPTIONAL)


def test_extras_that_texts_name_exist():
    folders = (PACKAGE, ROOT / "examples", ROOT / "asv_bench" / "benchmarks")
    paths = [*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.py"))]
    named = set()
    for path in paths:
        text = path.read_text(encoding="utf-8")
        for extras in re.findall(r"(?:sparsenmf|-e \"?\.)\[([a-z0-9,]+)\]", text):
            named |= set(extras.split(","))
    assert named >= {"cli", "text", "test"}
    assert named <= set(EXTRAS)


def test_all_is_all_that_users_may_want():
    (everything,) = EXTRAS["all"]
    listed = re.fullmatch(r"sparsenmf\[([a-z0-9,]+)\]", everything)[1].split(",")
    assert set(listed) == set(EXTRAS) - FOR_DEVELOPERS - {"all"}


def test_versions_of_python_are_those_that_are_tested():
    claimed = {x.rsplit(" ", 1)[1] for x in PROJECT["classifiers"] if "Python :: 3." in x}
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert claimed == set(re.findall(r'"(3\.\d+)"', workflow))
    assert f">={min(claimed, key=lambda v: int(v.split('.')[1]))}" == PROJECT["requires-python"]
