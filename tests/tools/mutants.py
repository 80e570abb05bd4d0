"""Do the tests notice? Break the package in small ways, one at a time, and see.

    python -m tests.tools.mutants [--count 20] [--seed 0] [--only REGEX] [--list]

A mutant is one changed operator, constant, statement or LLVM instruction of a function. Mutants
are found in the syntax tree and drawn at random, so they survive renames. `--only` takes a regular
expression for their names, for example "kernels/gram" or "solvers/.*_check". Each is made in a
temporary copy of the tree. The test file of the module's name runs first; if it does not notice,
all tests of the room follow. Kernels are stored by what they are made of, so only those that a
mutant changes are compiled again.

A mutant that survives shows a missing test, or changes nothing that can be observed (a block
size, a prefetch): judge by reading. Exit code 1 if any survives.
"""

import argparse
import ast
import copy
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

TIMEOUT = 900  # seconds for the tests of a room; a mutant that hangs is noticed

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.And: ast.Or, ast.Or: ast.And, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn,
    ast.NotIn: ast.In, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt,
    ast.Gt: ast.GtE, ast.GtE: ast.Gt,
}  # fmt: skip

NAMES = {
    "fadd": "fsub", "fsub": "fadd", "fmul": "fadd", "add": "sub", "sub": "add", "mul": "add",
    "and_": "or_", "or_": "and_", "min": "max", "max": "min", "minimum": "maximum",
    "maximum": "minimum", "any": "all", "all": "any", "zeros": "ones", "argmax": "argmin",
}  # fmt: skip
"""Functions and LLVM instructions, and those that take the same arguments."""

COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
"""What LLVM comparisons take as strings."""


class Mutant(NamedTuple):
    """A change of one piece of a file."""

    path: Path
    function: str
    start: int
    stop: int
    old: str
    new: str

    def __str__(self):
        short = " ".join(self.old.split())
        return f"{self.path}:{self.function}: {short[:90]} -> {' '.join(self.new.split())[:90]}"


def changes(node):
    """Yield the mutants of a node alone, as nodes."""
    new = copy.deepcopy(node)
    match new:
        case ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Call(func=ast.Attribute(attr="select"), args=[_, _, _]):
            new.args[1:] = new.args[:0:-1]
            yield new
        case ast.Call(func=ast.Attribute(attr=name)) if name in NAMES:
            new.func.attr = NAMES[name]
            yield new
        case ast.Call(func=ast.Name(id=name)) if name in NAMES:
            new.func.id = NAMES[name]
            yield new
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign() if type(node.op) in OPERATORS:
            new.op = OPERATORS[type(node.op)]()
            yield new
        case ast.Compare():
            new.ops[0] = OPERATORS[type(node.ops[0])]()
            yield new
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield new.operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str(value)) if value in COMPARISONS:
            yield ast.Constant(COMPARISONS[value])


def visit(node, function=""):
    """Yield the nodes of functions, each with the function's name; messages are left out."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}".lstrip(".")
        children = node.body
    elif isinstance(node, ast.AnnAssign):
        children = [node.value] if node.value else []
    elif isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    else:
        children = ast.iter_child_nodes(node)
        if function:
            yield function, node
    for child in children:
        yield from visit(child, function)


def mutants_of(path):
    """Yield the mutants of a file of the package."""
    source = (ROOT / "sparsenmf" / path).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for function, node in visit(ast.parse(source)):
        for new in changes(node):
            start = starts[node.lineno - 1] + node.col_offset
            stop = starts[node.end_lineno - 1] + node.end_col_offset
            text = ast.unparse(new)
            # In parentheses, so that what is around it binds it as before.
            text = f"({text})" if isinstance(new, ast.expr) else text
            yield Mutant(path, function, start, stop, source[start:stop].decode(), text)


def tests_of(path):
    """Return the test files of a module's name, and the folder of its room's tests."""
    room = path.parts[0]
    name = path.stem.lstrip("_")
    own = [str(test.relative_to(ROOT)) for test in (ROOT / "tests" / room).rglob(f"test_{name}.py")]
    return [own, [f"tests/{room}"]] if own else [[f"tests/{room}"]]


def failing_test(tests, folder):
    """Run tests in the copy; return the one that fails, or None."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    own = {"PYTHONPATH": folder, "HOME": folder / "home", "SPARSENMF_CACHE_DIR": folder / "cache"}
    env = {**os.environ, **{name: str(value) for name, value in own.items()}}
    env["PYTHONDONTWRITEBYTECODE"] = "1"  # a mutant as long as the source could be taken for it
    try:
        done = subprocess.run(
            command, cwd=folder, env=env, timeout=TIMEOUT, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        return "the time limit"
    if done.returncode == 0:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return failed[1] if failed else f"exit code {done.returncode}"


def try_mutant(mutant, folder):
    """Return "noticed", "SURVIVED" or "BROKEN", and the test that says so."""
    path = folder / "sparsenmf" / mutant.path
    source = path.read_bytes()
    changed = source[: mutant.start] + mutant.new.encode() + source[mutant.stop :]
    compile(changed, str(path), "exec")  # a mutant that cannot be read would prove nothing
    for tests in tests_of(mutant.path):
        path.write_bytes(changed)
        try:
            failed = failing_test(tests, folder)
        finally:
            path.write_bytes(source)
        if failed:
            fails_anyway = "::" in failed and failing_test([failed], folder)
            return ("BROKEN" if fails_anyway else "noticed"), failed
    return "SURVIVED", ""


def copy_tree(folder):
    """Copy what the tests need."""
    for name in ("sparsenmf", "tests"):
        ignore = shutil.ignore_patterns("__pycache__", ".hypothesis")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for path in (*ROOT.glob("*.toml"), *ROOT.glob("*.md")):
        shutil.copy(path, folder)
    (folder / "home").mkdir()


def main():
    """Draw mutants and try them; print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20, help="how many to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a regular expression for their names")
    parser.add_argument("--list", action="store_true", help="list them and try none")
    options = parser.parse_args()
    package = ROOT / "sparsenmf"
    paths = [path.relative_to(package) for path in sorted(package.glob("*/**/*.py"))]
    found = [m for path in paths for m in mutants_of(path) if re.search(options.only, str(m))]
    chosen = random.Random(options.seed).sample(found, min(options.count, len(found)))
    fates = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_tree(folder)
        for number, mutant in enumerate(chosen, 1):
            print(f"{number:3d} {mutant}", flush=True)
            if not options.list:
                fate, test = try_mutant(mutant, folder)
                print(f"      {fate} {test}", flush=True)
                fates[fate] += 1
    print(f"{len(chosen)} of {len(found)} mutants: {dict(fates)}")
    return int(fates["SURVIVED"] + fates["BROKEN"] > 0)


if __name__ == "__main__":
    sys.exit(main())
