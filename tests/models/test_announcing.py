"""Messages on stderr before a progress bar moves: which, in which order, and when."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import scipy.sparse as sp

from sparsenmf.data import progress
from sparsenmf.kernels.compile.cache import active_folder

from ..children import ROOT, TIMEOUT, posix
from ..corpus import make_counts, make_texts

STORED = (
    "compiling the kernels, once for this machine, about 5 to 10 s; "
    "`sparsenmf warmup` does it beforehand"
)

FIT = "sparsenmf.factorize(X, 2"

COMPILING = re.compile("^compiling", re.MULTILINE)


def run(arguments, folder, **environment):
    """Run Python; return stdout and stderr, where each rewriting of a line is a line of its own."""
    # Users run compiled code, so this does too, even if the tests run without compiling.
    env = {**os.environ, "NUMBA_DISABLE_JIT": "0", "PYTHONPATH": str(ROOT), **environment}
    process = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=folder, env=env, capture_output=True,
        text=True, timeout=2 * TIMEOUT,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return process.stdout, process.stderr


def command(folder, *arguments, **environment):
    return run(["-m", "sparsenmf", *arguments], folder, **environment)


def script(folder, code, **environment):
    begin = (
        "import scipy.sparse as sp, sparsenmf\n"
        "X = sp.random_array((90, 60), density=0.2, rng=0, dtype='f4', format='csr')\n"
    )
    return run(["-c", begin + code], folder, **environment)


COMMANDS = """
import sys
from sparsenmf.cli import group

for arguments in ARGUMENTS:
    try:
        group(arguments, prog_name="sparsenmf")
    except SystemExit as end:
        assert end.code == 0, arguments
    for stream in (sys.stdout, sys.stderr):
        print(end=END, file=stream, flush=True)
"""

END = "\0"  # of what one of several commands, or parts of a script, has printed


def commands(folder, *several):
    """Run commands in one process, which imports once; return stdout and stderr of each."""
    lists = [[str(argument) for argument in arguments] for arguments in several]
    code = COMMANDS.replace("ARGUMENTS", repr(lists)).replace("END", repr(END))
    out, err = (printed.split(END)[:-1] for printed in run(["-c", code], folder))
    return list(zip(out, err, strict=True))


def script_in_parts(folder, *parts):
    """Run the parts of a script in one process; return stdout and stderr of each."""
    end = f"[print(end={END!r}, file=x, flush=True) for x in (sys.stdout, sys.stderr)]"
    lines = "\n".join(f"{part}\n{end}" for part in parts)
    out, err = (printed.split(END)[:-1] for printed in script(folder, f"import sys\n{lines}"))
    return list(zip(out, err, strict=True))


def assert_in_order(text, *parts):
    place = 0
    for part in parts:
        assert part in text[place:], (part, text)
        place = text.index(part, place) + len(part)


def make_folder(folder):
    (folder / "notes.txt").write_text("\n".join(make_texts()))
    sp.save_npz(folder / "X.npz", make_counts().astype("f4"))


@pytest.fixture
def here(tmp_path):
    make_folder(tmp_path)
    return tmp_path


ALL = f"""
from sparsenmf import Factorization
{FIT}).transform(X)
{FIT}, init="nndsvd")
{FIT}, solver="mu")
if SKLEARN:
    sparsenmf.MiniBatchNMF(2, max_iter=1).fit(X)
    sparsenmf.find_topics(["the cat sat", "stocks fell"] * 4, 2, min_df=1)
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """The cache of the tests, with all the kernels that small matrices need here."""
    if active_folder() is None:
        pytest.skip("the tests run without a cache of kernels, which these take some kernels from")
    code = ALL.replace("SKLEARN", str(importlib.util.find_spec("sklearn") is not None))
    script(tmp_path_factory.mktemp("filling"), code)
    return active_folder()


@pytest.fixture
def warm(here, filled, monkeypatch):
    """Return a folder, and set a cache that holds all that a fit to a small matrix needs."""
    monkeypatch.setenv("SPARSENMF_CACHE_DIR", str(filled))
    return here


@pytest.fixture
def without(here, filled, monkeypatch):
    """A function that sets a cache that lacks some kernels only: few take long to compile."""

    def remove(*kernels):
        (here / "cache").mkdir(mode=0o700)
        for path in filled.glob("*.kernel"):
            if not path.name.startswith(kernels):
                copy_or_link(path, here / "cache" / path.name)
        monkeypatch.setenv("SPARSENMF_CACHE_DIR", str(here / "cache"))

    return remove


def copy_or_link(path, other):
    try:
        os.link(path, other)
    except OSError:  # on another disk, say
        shutil.copy2(path, other)


def test_a_fit_says_what_it_does_and_that_kernels_are_compiled(here):
    cache = {"SPARSENMF_CACHE_DIR": str(here / "cache")}
    out, err = script(here, f"{FIT}, progress=True)", **cache)
    assert out == ""
    assert_in_order(err, "factorizing 90 x 60 into 2 components\n", f"{STORED}\n", "relative error")
    assert len(COMPILING.findall(err)) == 1
    out, err = script(here, f"{FIT}, progress=True)", **cache)
    assert out == ""
    assert_in_order(err, "factorizing 90 x 60 into 2 components\n", "0/200", "relative error")
    assert "compiling" not in err


def test_scripts_are_silent_unless_they_ask(here, without):
    without("rotate_rows", "update_rows_mu")
    first, shown, silent, other = script_in_parts(
        here,
        f"{FIT})",
        f"{FIT}, progress=True)",
        f"{FIT}, init='nndsvd')",  # it compiles, after one that was to be seen
        f"{FIT}, solver='mu', progress=True)",
    )
    assert first == silent == ("", "")
    assert (shown[0], "compiling" in shown[1]) == ("", False)
    assert "compiling" in other[1]


def test_without_a_cache_the_message_says_that_nothing_is_stored(here):
    plain = "import sys; sys.modules['tqdm'] = sys.modules['tqdm.auto'] = None\n"
    out, err = script(here, f"{plain}{FIT}, max_iter=2, progress=True)", SPARSENMF_CACHE="0")
    assert out == ""
    first, compiling, *_, shown = err.splitlines()
    assert first == "factorizing 90 x 60 into 2 components"
    assert compiling.startswith("compiling the kernels")
    assert "for this process alone: SPARSENMF_CACHE is 0" in compiling
    assert shown.startswith("factorize: 2/2 relative error")


def test_topics_say_what_they_do(warm):
    pytest.importorskip("click")
    pytest.importorskip("sklearn")
    topics = ("topics", "notes.txt", "-k", 2, "--format", "json")
    (out, err), (quiet_out, quiet) = commands(warm, [*topics, "--progress"], topics)
    assert_in_order(
        err, "reading notes.txt\n", "read: 80 texts\n", "weighing the words of 80 texts\n",
        "factorizing 80 x 20 into 2 components\n", "0/200", "Factorization of 80 x 20",
    )  # fmt: skip
    assert "compiling" not in err
    assert [topic["topic"] for topic in json.loads(out)] == [1, 2]
    assert quiet_out == out
    assert quiet.count("\n") == 3  # the summary
    assert quiet.startswith("Factorization of 80 x 20")


def test_a_command_that_compiles_says_so(here, without):
    pytest.importorskip("click")
    without("extrapolate_rows", "move_entries")
    out, err = command(here, "factorize", "X.npz", "-k", 2, "--progress")
    assert_in_order(err, "reading X.npz\n", f"factorizing 80 x 20 into 2 components\n{STORED}\n",
                    "relative error")  # fmt: skip
    assert out.startswith("Factorization of 80 x 20")
    assert "compiling" not in out


def test_each_subcommand_says_what_it_does(warm, without):
    pytest.importorskip("click")
    fit = ("factorize", "X.npz", "-k", 2, "--save", "model.npz")
    shown, silent, reading, unread = commands(
        warm,
        [*fit, "--progress"],
        [*fit, "--no-progress"],
        ["info", "X.npz", "--progress"],
        ["info", "X.npz"],
    )
    out, err = shown
    assert_in_order(err, "reading X.npz\n", "factorizing 80 x 20 into 2 components\n", "0/200")
    assert out.startswith("Factorization of 80 x 20")
    assert silent[1] == ""
    assert reading[1] == "reading X.npz\n"
    assert unread == (reading[0], "")
    transform = ("transform", "model.npz", "X.npz", "--output", "W.npy")
    steps = "reading model.npz, X.npz\nfinding the weights of 80 samples\n"
    without("update_rows_serial")
    for compiling in (f"{STORED}\n", ""):
        (out, err), (_, quiet) = commands(warm, [*transform, "--progress"], transform)
        assert (out, err) == ("", f"{steps}{compiling}80 x 2 weights written to W.npy\n")
        assert quiet.count("\n") == 1


def test_estimators_and_topics_say_the_same(here, without):
    pytest.importorskip("sklearn")
    without("extrapolate_rows")
    find = "sparsenmf.find_topics(['the cat sat', 'stocks fell'] * 4, 2, min_df=1"
    batches, estimator, topics, silent = script_in_parts(
        here,
        "sparsenmf.MiniBatchNMF(2, verbose=1, max_iter=1).fit(X)",
        "sparsenmf.NMF(2, verbose=1, init='random').fit(X)",
        f"{find}, progress=True)",
        f"{find})",
    )
    assert estimator[1].startswith("factorizing 90 x 60 into 2 components\n")
    assert len(COMPILING.findall(batches[1])) == 1
    assert topics[1].startswith("weighing the words of 8 texts\nfactorizing 8 x ")
    assert silent == ("", "")


def test_compilations_of_other_packages_are_not_announced(warm):
    code = (
        "import numba\n"
        "def look(state): return bool(numba.njit(lambda x: x + 1)(state.n_iter) > 3)\n"
        f"{FIT}, progress=look)"
    )
    assert "compiling" not in script(warm, code)[1]


FIRST = """
import os, runpy, sys

class Stream:
    def write(self, text):
        loaded = {"numba", "sklearn", "pandas"} & set(sys.modules)
        print(text.strip(), sorted(loaded), file=sys.__stdout__, flush=True)
        os._exit(0)

sys.stderr = Stream()
sys.argv[1:] = ARGUMENTS
runpy.run_module("sparsenmf", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["topics", "notes.txt"], "reading notes.txt"),
        (["topics", "-"], "reading standard input"),
        (["factorize", "X.npz", "-k", "2"], "reading X.npz"),
        (["transform", "model.npz", "X.npz", "--output", "W.npy"], "reading model.npz, X.npz"),
        (["store", "X.npz", "store"], "reading X.npz"),
        (["info", "X.npz"], "reading X.npz"),
        (["warmup"], "compiling all kernels, once for this machine"),
    ],
)
def test_the_first_word_comes_before_what_is_slow_to_import(arguments, said, here):
    pytest.importorskip("click")
    code = FIRST.replace("ARGUMENTS", repr([*arguments, "--progress"]))
    assert run(["-c", code], here)[0] == f"{said} []\n"


@posix
def test_a_terminal_sees_it_without_asking(here):
    import pty  # not on Windows

    pytest.importorskip("click")
    env = {**os.environ, "NUMBA_DISABLE_JIT": "0", "PYTHONPATH": str(ROOT)}
    for option, said in (((), b"reading X.npz\r\n"), (("--no-progress",), b"")):
        terminal, end = pty.openpty()
        process = subprocess.run(
            [sys.executable, "-m", "sparsenmf", "info", "X.npz", *option],
            cwd=here, env=env, stdout=subprocess.PIPE, stderr=end, timeout=TIMEOUT,
        )  # fmt: skip
        os.write(end, b"$")  # the last thing to read
        shown = b""
        while not shown.endswith(b"$"):
            shown += os.read(terminal, 10_000)
        assert shown == said + b"$"
        assert process.stdout.startswith(b"Matrix of 80 x 20")
        os.close(end)
        os.close(terminal)


def test_a_name_cannot_tell_the_terminal_what_to_do(monkeypatch):
    pytest.importorskip("click")
    command = importlib.import_module("sparsenmf.cli.command")
    said = []
    monkeypatch.setattr(command, "tell", said.append)
    command.tell_reading(True, "a\x1b[2J\r\n.txt", "-")
    assert said == ["reading a\ufffd[2J\ufffd\ufffd.txt, standard input"]


def test_a_remark_begins_on_its_own_line(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "tqdm", raising=False)
    display = progress.Plain(9)
    display.update(1, 0.5)
    progress.tell("compiling")
    display.update(2, 0.25)
    display.close()
    first, compiling, last, end = capsys.readouterr().err.split("\n")
    assert (first, compiling) == ("\rfactorize: 1/9 relative error 0.50000", "compiling")
    assert (last, end) == ("\rfactorize: 2/9 relative error 0.25000", "")


def test_a_remark_stands_above_a_bar(capsys):
    tqdm = pytest.importorskip("tqdm")
    bar = tqdm.tqdm(total=3)
    progress.tell("compiling")
    bar.close()
    assert "\rcompiling\n" in capsys.readouterr().err


def test_counts_are_shown_now_and_then_and_at_the_end(capsys, monkeypatch):
    assert list(progress.counted("abc", "read", "texts")) == ["a", "b", "c"]
    assert capsys.readouterr().err == "\rread: 3 texts\n"
    monkeypatch.setattr(progress, "EVERY", 0)
    assert list(progress.counted("ab", "store", "rows", lambda item: 1000)) == ["a", "b"]
    shown = "\rstore: 1,000 rows\rstore: 2,000 rows\rstore: 2,000 rows\n"
    assert capsys.readouterr().err == shown


def test_nothing_is_said_where_there_is_no_stderr(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    progress.tell("nobody hears it")
    assert isinstance(progress.open_progress(True, 3), progress.Silent)


def test_texts_are_counted_on_request(here, capsys):
    from sparsenmf import read_texts

    read_texts(here / "notes.txt")
    assert capsys.readouterr().err == ""
    read_texts(here / "notes.txt", progress=True)
    assert capsys.readouterr().err == "\rread: 80 texts\n"
    with pytest.raises(TypeError, match="progress must be True or False, not 1"):
        read_texts(here / "notes.txt", progress=1)
