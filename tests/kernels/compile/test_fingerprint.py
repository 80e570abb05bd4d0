"""A stored kernel is named by everything that its machine code depends on, and nothing else."""

import functools
import importlib
import json
import os
import pkgutil
import re
import shutil
import types
from pathlib import Path

import numpy as np
import pytest

import sparsenmf

from ...children import run_child

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="nothing is compiled"
)


def child_name_kernels(package):
    """Print what the kernels of a copy of the package are made of, without compiling them."""
    sparsenmf.__path__[:] = [package]
    room = importlib.import_module("sparsenmf.kernels")
    assert room.__file__.startswith(package)
    compiling = importlib.import_module("sparsenmf.kernels.compile.jit")
    naming = importlib.import_module("sparsenmf.kernels.compile.fingerprint")
    found = {}
    for info in pkgutil.walk_packages(room.__path__, "sparsenmf.kernels."):
        for name, thing in vars(importlib.import_module(info.name)).items():
            if isinstance(thing, compiling.Kernel):
                for twin in (thing._serial, thing._parallel):
                    found[f"{name} {twin.__name__}"] = naming.fingerprint(twin, ())
    print(json.dumps(found))


def name_kernels(package, **env):
    return json.loads(run_child(child_name_kernels, str(package), env=env))


@pytest.fixture(scope="module")
def original():
    return name_kernels(sparsenmf.__path__[0])


def changed_by(edits, original, folder):
    """Return the kernels whose names change with edits of some files."""
    package = shutil.copytree(sparsenmf.__path__[0], folder / "sparsenmf")
    for file, old, new in edits:
        text = (package / file).read_text()
        assert re.search(old, text), f"{file} has no {old}"
        (package / file).write_text(re.sub(old, new, text))
    edited = name_kernels(package)
    assert edited.keys() == original.keys()
    return {name.split()[0] for name in original if original[name] != edited[name]}


def test_names_do_not_depend_on_the_process(original, tmp_path):
    """Nor on the package's folder, the order of sets, or who compiled the bytecode."""
    package = shutil.copytree(
        sparsenmf.__path__[0], tmp_path / "x", ignore=shutil.ignore_patterns("__pycache__")
    )
    for seed in ("1", "2"):
        assert name_kernels(package, PYTHONHASHSEED=seed) == original
    assert len(set(original.values())) == len(original) > 20


def test_comments_and_docstrings_change_no_name(original, tmp_path):
    """Comments, empty lines and docstrings in every kernel file, and a new function."""
    room = Path(sparsenmf.__path__[0], "kernels")
    docstring = (r'"""(\S)', r'"""In other words: \1')
    edits = [
        (f"kernels/{path.relative_to(room)}", pattern, new)
        for path in room.rglob("*.py")
        for pattern, new in [docstring, (r"\Z", "\n\n\ndef unused():\n    return 1  # at all\n")]
    ]
    edits.append(("data/rows.py", r"(?m)^ROW_GROUP", "# rows of a group\n\nROW_GROUP"))
    edits.append(("kernels/compile/interrupts.py", r"SECONDS = 0\.25", "SECONDS = 0.5"))
    assert changed_by(edits, original, tmp_path) == set()


EDITS = {
    "a constant of another room": (
        [("data/rows.py", r"(?m)^ROW_GROUP = 32", "ROW_GROUP = 64")],
        {"scatter_rows"},
        {"update_rows", "update_rows_kl", "multiply_rows", "take_columns"},
    ),
    "a constant": (
        [("kernels/kullback_leibler.py", r"SUM_CHUNK = 512", "SUM_CHUNK = 256")],
        {"update_rows_kl", "update_rows_mu_beta"},
        {"update_rows", "update_rows_weighted", "update_rows_mu"},
    ),
    "a constant of an emitter": (
        [("kernels/vector/tiles.py", r"(?m)^BLOCK = 4", "BLOCK = 8")],
        {"update_rows"},
        {"update_rows_kl", "multiply_rows", "scatter_rows"},
    ),
    "a method of the emitters'": (
        [("kernels/vector/vector_code.py", r"value\.align = self\.itemsize", "value.align = 1")],
        {"update_rows", "update_rows_kl", "multiply_rows"},
        {"take_columns", "measure_rows"},
    ),
    "a kernel": (
        [("kernels/products.py", r"(def take_columns\([^)]*\):(?s:.*?)prange\()", r"\g<1>0 + ")],
        {"take_columns"},
        {"scatter_rows", "multiply_rows", "measure_rows", "update_rows"},
    ),
    "how all are compiled": (
        [("kernels/compile/jit.py", r'"nogil": True', '"nogil": False')],
        {"take_columns", "scatter_rows", "update_rows", "update_rows_kl"},
        set(),
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_renames_the_kernels_that_it_is_in_and_no_others(edit, original, tmp_path):
    edits, within, without = EDITS[edit]
    changed = changed_by(edits, original, tmp_path)
    assert within <= changed
    assert not without & changed


SCALE = 2.0

TABLE = {"scale": [1.0, 2.0]}

ARRAY = np.arange(3.0)

MODULE = types.ModuleType("not_of_a_package")


class Emitter:
    """A class whose methods are called by what is hashed."""

    SIZE = 4

    def emit(self, factor=1.0):
        return self.SIZE * factor

    @staticmethod
    def lower():
        return SCALE

    @property
    def size(self):
        return self.SIZE


def helper(x):
    return SCALE * x


def make_closure(value):
    def inside(x):
        return value * x

    return inside


CASES = {
    "global": lambda x: SCALE * x,
    "dict": lambda x: TABLE["scale"][0],
    "array": lambda x: ARRAY[x],
    "called": lambda x: helper(x),
    "nested": lambda x: [(lambda y: helper(y))(z) for z in x],
    "partial": functools.partial(helper, 3.0),
    "cached": functools.cache(helper),
    "class": lambda x: Emitter(),
    "instance": Emitter(),
    "method": Emitter().emit,
    "static": Emitter.__dict__["lower"],
    "closure": make_closure(helper),
    "member of a module": lambda x: MODULE.scale * x,
    "default": lambda x, scale=TABLE: x,
    "keyword": lambda x, *, scale=TABLE: x,
}


def name_of(thing):
    from sparsenmf.kernels.compile.fingerprint import Walk

    walk = Walk()
    walk.add(thing)
    return walk.digest.hexdigest()


CHANGES = {
    "SCALE": lambda patch: patch.setitem(globals(), "SCALE", 3.0),
    "the type of SCALE": lambda patch: patch.setitem(globals(), "SCALE", 2),
    "TABLE": lambda patch: patch.setitem(TABLE, "scale", [1.0, 3.0]),
    "ARRAY": lambda patch: patch.setitem(globals(), "ARRAY", np.arange(3, dtype=np.float32)),
    "Emitter": lambda patch: patch.setattr(Emitter, "SIZE", 8),
    "a method": lambda patch: patch.setattr(Emitter, "emit", lambda self: 5),
    "MODULE": lambda patch: patch.setattr(MODULE, "scale", 3.0),
}

SCALED = {"global", "called", "nested", "partial", "cached", "static", "closure"}

OF_CLASS = {"class", "instance", "method"}  # which has a method that loads SCALE, too

CHANGED = {
    "SCALE": SCALED | OF_CLASS,
    "the type of SCALE": SCALED | OF_CLASS,
    "TABLE": {"dict", "default", "keyword"},
    "ARRAY": {"array"},
    "Emitter": OF_CLASS,
    "a method": OF_CLASS,
    "MODULE": {"member of a module"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_current_values_count(change, monkeypatch):
    monkeypatch.setattr(MODULE, "scale", 2.0, raising=False)
    before = {case: name_of(thing) for case, thing in CASES.items()}
    assert before == {case: name_of(thing) for case, thing in CASES.items()}
    CHANGES[change](monkeypatch)
    after = {case: name_of(thing) for case, thing in CASES.items()}
    assert {case for case in CASES if before[case] != after[case]} == CHANGED[change]


def test_self_references_do_not_loop():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n > 0 and even(n - 1)

    ring = [even]
    ring.append(ring)
    assert name_of(ring) == name_of(ring)


def compiled_from(text, name="scale"):
    """Return a kernel of a module that is made from a text."""
    from sparsenmf.kernels.compile import jit

    module = types.ModuleType("sources_of_a_test")
    exec(text, vars(module))
    return jit.Kernel(vars(module)[name])


SOURCE = """
FACTOR = 2.0

def scale(x, out):
    for i in range(len(x)):
        out[i] = FACTOR * x[i]
"""


def test_a_changed_constant_takes_effect(tmp_path, monkeypatch):
    """With the old value, the stored code runs again."""
    from sparsenmf.kernels.compile import cache

    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    loads = []
    for factor in ("2.0", "3.0", "2.0", "2.0  # as before"):
        scale, out = compiled_from(SOURCE.replace("2.0", factor)), np.zeros(2)
        scale(1, np.array([1.0, 5.0]), out)
        assert out.tolist() == [float(factor[:3]), 5 * float(factor[:3])]
        loads.append(scale._serial.stats.cache_hits.total())
    assert loads == [0, 0, 1, 1]


def test_fields_of_named_tuples_are_told_apart(tmp_path, monkeypatch):
    """numba's name of such a type has the types of its fields only, not their names."""
    from collections import namedtuple

    from sparsenmf.kernels.compile import cache

    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    text = "def first(pair, out):\n    out[0] = pair.a[0]\n"
    for fields, expected in (("a b", 1.0), ("b a", 2.0)):
        pair, out = namedtuple("Pair", fields)(np.ones(1), np.full(1, 2.0)), np.zeros(1)
        compiled_from(text, "first")(1, pair, out)
        assert out[0] == expected


def test_unknown_dependencies_are_named_by_all_sources(tmp_path, monkeypatch):
    from sparsenmf.kernels.compile import cache
    from sparsenmf.kernels.compile.fingerprint import UnknownError

    secret = object()
    with pytest.raises(UnknownError, match="cannot be told"):
        name_of(secret)
    (tmp_path / "one.py").write_text("FACTOR = 1")
    monkeypatch.setattr(cache, "PACKAGE", tmp_path)
    function = types.SimpleNamespace(py_func=lambda x: x, targetoptions={"secret": secret})
    monkeypatch.setattr(cache, "fingerprint", lambda *_: name_of(secret))
    before = cache.identify(function, ())
    assert cache.identify(function, ()) == before
    (tmp_path / "one.py").write_text("FACTOR = 2")
    assert cache.identify(function, ()) != before
