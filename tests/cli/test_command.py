"""The `sparsenmf` command as a process of its own: pipes, signals, terminals, what is missing."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import Factorization

from ..children import TIMEOUT, posix
from ..corpus import make_texts

pytest.importorskip("sklearn")
pytest.importorskip("click")

PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def start(*arguments, **environment):
    # Users run compiled code, so this does too, even if the tests run without compiling.
    env = {**os.environ, "NUMBA_DISABLE_JIT": "0", "COLUMNS": "100", **environment}
    command = [sys.executable, "-m", "sparsenmf", *map(str, arguments)]
    return subprocess.Popen(command, env=env, **PIPES)


def run(*arguments, stdin=b"", **environment):
    """Run to the end; return the exit code, stdout and stderr."""
    process = start(*arguments, **environment)
    out, err = process.communicate(stdin, timeout=TIMEOUT)
    return process.returncode, out, err.decode()


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("\n".join(make_texts()))
    return path


def test_script_is_installed():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="sparsenmf")
    from sparsenmf.__main__ import main

    assert script.load() is main


def test_help_loads_nothing_that_is_slow():
    code = (
        "import sys, sparsenmf.cli\n"
        "loaded = {'numba', 'sklearn', 'pandas', 'tqdm', 'pyarrow', 'anndata'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=TIMEOUT)


def test_missing_click_is_one_line():
    code = (
        "import runpy, sys; sys.modules['click'] = None\n"
        "runpy.run_module('sparsenmf', run_name='__main__')"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT
    )
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr == 'The sparsenmf command needs click: pip install "sparsenmf[cli]"\n'


def test_missing_module_of_another_name_is_not_called_click():
    code = (
        "import runpy, sys; sys.modules['sparsenmf.solvers.losses'] = None\n"
        "runpy.run_module('sparsenmf', run_name='__main__')"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT
    )
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1].startswith("ModuleNotFoundError: ")


def test_output_to_a_pipe_is_the_topics_alone(notes):
    code, out, err = run("topics", "-", "-k", 2, "--format", "json", stdin=notes.read_bytes())
    assert code == 0
    assert [topic["topic"] for topic in json.loads(out)] == [1, 2]
    assert "\x1b" not in out.decode() + err  # no colours
    assert len(err.splitlines()) == 3  # the summary, and no progress
    assert "Factorization of 80 x 20" in err


@posix
def test_a_pipe_that_is_closed_early_is_no_error(notes):
    process = start("topics", notes, "-k", 20, "--min-df", 1)
    process.stdout.close()  # as `head` does when it has enough
    err = process.stderr.read().decode()
    assert process.wait(TIMEOUT) == 1
    assert len(err.splitlines()) == 3
    assert err.startswith("Factorization of")


@posix
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_reported(notes):
    command = [sys.executable, "-m", "sparsenmf", "topics", str(notes), "-k", "2"]
    with open("/dev/full", "wb") as full:
        process = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT
        )
    assert process.returncode == 1
    assert process.stderr.splitlines()[3:] == ["Error: [Errno 28] No space left on device"]


def test_a_terminal_that_lacks_a_character_gets_a_question_mark(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("\n".join(f"{text} naïveté" for text in make_texts()), encoding="utf-8")
    code, out, err = run("topics", path, "-k", 2, "--max-df", 1.0, PYTHONIOENCODING="ascii")
    assert (code, len(err.splitlines())) == (0, 4)
    assert b"na?vet?" in out
    assert "has ? for characters that its encoding, ascii, lacks" in err.splitlines()[-1]
    code, _, err = run("topics", "naïveté.txt", PYTHONIOENCODING="ascii")
    assert code == 1
    assert err.count("\n") == 1
    assert "na" in err


def wait_for_iterations(process):
    """Read stderr until the progress display shows the first ones."""
    shown = b""
    while b"relative error" not in shown:
        content = process.stderr.read1(1000)
        assert content, shown
        shown += content


@pytest.fixture(scope="module")
def long_job(tmp_path_factory):
    """Return the start of a command that runs for long: multiplicative updates do not stall."""
    path = tmp_path_factory.mktemp("long") / "X.npz"
    X = sp.random_array((3000, 2000), density=0.05, rng=0, format="csr", dtype=np.float32)
    sp.save_npz(path, X, compressed=False)
    return [
        *("factorize", path, "-k", "20", "--solver", "mu", "--tol", "0"),
        *("--max-iter", "1000000000", "--progress"),
    ]


def interrupt(process):
    """Send Ctrl-C in mid-fit; return exit code, stdout and the rest of stderr."""
    watchdog = threading.Timer(TIMEOUT, process.kill)
    watchdog.start()
    wait_for_iterations(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT)
    watchdog.cancel()
    return process.returncode, out.decode(), err.decode()


@posix
def test_interrupt_saves_and_prints_what_has_been_reached(long_job, tmp_path):
    (tmp_path / "model.npz").write_text("an older one")
    outputs = ("--save", tmp_path / "model.npz", "--document-table", tmp_path / "table.csv")
    code, out, err = interrupt(start(*long_job, *outputs))
    assert code == 130
    assert "it was interrupted" in out
    assert err.splitlines()[-1] == "Interrupted: these are the results so far."
    assert "Traceback" not in err
    assert sorted(os.listdir(tmp_path)) == ["model.npz", "table.csv"]
    model = Factorization.load(tmp_path / "model.npz")
    assert model.stop_reason == "interrupted"
    assert out == f"{model!r}\n"
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 3001


@posix
def test_an_interrupt_before_the_first_result_leaves_no_files(tmp_path):
    process = start("topics", "-", "--save", tmp_path / "model.npz")
    process.stdin.write(b"a line, and then nothing more\n" * 10_000)  # more than a pipe holds:
    process.stdin.flush()  # so it has begun to read
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert (out, err.decode()) == (b"", "Interrupted: nothing was finished.\n")
    assert os.listdir(tmp_path) == []


def test_the_standard_input_may_be_closed():
    command = [sys.executable, "-m", "sparsenmf", "topics", "-"]
    process = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert process.returncode == 1
    assert process.stderr == "Error: there are no texts\n"


def child_uses(n_threads):
    """Use everything that warmup should have compiled; print what still had to be compiled."""
    code = f"""
import importlib, json, pkgutil
import numpy as np, scipy.sparse as sp
import sparsenmf.kernels
from sparsenmf import CoordinateDescent, MultiplicativeUpdate, Seeds
from sparsenmf.kernels.compile import jit

for dtype in ("f4", "f8"):
    for shape in ((700, 500), (70, 50)):
        X = sp.random_array(shape, density=0.15, rng=1, dtype=dtype, format="csr")
        for options in (
            dict(), dict(loss="kullback-leibler"), dict(solver="mu"), dict(init="nndsvd"),
            dict(solver="mu", loss="kullback-leibler"), dict(solver="mu", loss=1.5),
            dict(alpha_W=0.1, l1_ratio=0.5), dict(solver=CoordinateDescent(extrapolate=False)),
            dict(solver=CoordinateDescent(low_memory=True)),
            dict(weights=X), dict(missing="unknown", solver="mu"),
            dict(solver=MultiplicativeUpdate(low_memory=True)),
            dict(solver=CoordinateDescent(low_memory=True), init="nndsvd"),
            dict(solver=MultiplicativeUpdate(low_memory=True), loss="kullback-leibler"),
            dict(weights=np.arange(1, shape[0] + 1), seeds=Seeds({{0: [1]}}, strength="support")),
        ):
            model = sparsenmf.factorize(X, 12, max_iter=3, n_threads={n_threads}, **options)
            model.transform(X, n_threads={n_threads})
        for loss in ("frobenius", "kullback-leibler", 1.5):
            sparsenmf.MiniBatchNMF(12, beta_loss=loss, n_threads={n_threads}).partial_fit(X)
        # An exact fit, and many components.
        k, ones = shape[0] // 4, np.ones(shape, dtype)
        sparsenmf.factorize(ones, k, W=ones[:, :k], max_iter=3, tol=0, n_threads={n_threads})

found = pkgutil.walk_packages(sparsenmf.kernels.__path__, "sparsenmf.kernels.")
modules = [importlib.import_module(module.name) for module in found]
kernels = {{k for m in modules for k in vars(m).values() if isinstance(k, jit.Kernel)}}
twins = [twin for kernel in kernels for twin in (kernel._serial, kernel._parallel)]
unused = [twin.__name__ for twin in twins if not twin.signatures]
compiled = [t.__name__ for t in twins if len(t.signatures) > t.stats.cache_hits.total()]
print(json.dumps([sorted(unused), sorted(compiled)]))
"""
    return [sys.executable, "-c", code]


USE_ONE = """
import numpy as np, scipy.sparse as sp, sparsenmf
from sparsenmf.kernels.compile import jit

X = sp.random_array((70, 50), density=0.15, rng=1, dtype="f4", format="csr")
for options in dict(), dict(solver="mu"):
    model = sparsenmf.factorize(X, 5, loss="kullback-leibler", n_threads=1, **options)
    model.transform(X, n_threads=1)
used = [kernel._serial for kernel in jit._kernels if kernel._serial.signatures]
print(len(used), [t.__name__ for t in used if len(t.signatures) > t.stats.cache_hits.total()])
"""


@pytest.mark.long
def test_after_a_warmup_of_one_loss_its_fits_compile_nothing(tmp_path):
    environment = {"SPARSENMF_CACHE_DIR": str(tmp_path / "cache"), "NUMBA_NUM_THREADS": "1"}
    names = ["--loss", "kullback-leibler", "--dtype", "float32"]
    process = start("warmup", *names, **environment)
    out, err = process.communicate(timeout=5 * TIMEOUT)
    assert (process.returncode, out.decode()) == (0, f"{tmp_path / 'cache'}\n"), err.decode()
    stored = {path.name.split("-")[0] for path in (tmp_path / "cache").iterdir()}
    assert any("kl" in name for name in stored), stored
    assert not any("weighted" in name for name in stored), stored
    env = {**os.environ, "NUMBA_DISABLE_JIT": "0", **environment}
    out = subprocess.check_output([sys.executable, "-c", USE_ONE], env=env, timeout=TIMEOUT)
    count, compiled = out.decode().split(maxsplit=1)
    assert int(count) > 3
    assert compiled == "[]\n"


@pytest.mark.long
def test_after_a_warmup_nothing_is_compiled(tmp_path):
    """This holds for both twins, both precisions and every solver."""
    folder = tmp_path / "cache"
    environment = {"SPARSENMF_CACHE_DIR": str(folder), "NUMBA_NUM_THREADS": "2"}
    process = start("warmup", **environment)
    out, err = process.communicate(timeout=10 * TIMEOUT)
    assert (process.returncode, out.decode()) == (0, f"{folder}\n"), err.decode()
    env = {**os.environ, "NUMBA_DISABLE_JIT": "0", **environment}
    for n_threads in (1, 2):
        child = subprocess.run(
            child_uses(n_threads), env=env, capture_output=True, text=True, timeout=TIMEOUT
        )
        assert child.returncode == 0, child.stderr
        unused, compiled = json.loads(child.stdout)
        assert compiled == []
        assert all(name.endswith("_parallel") for name in unused)
        assert bool(unused) == (n_threads == 1)


def test_there_is_no_cache_folder_where_the_cache_is_off(tmp_path):
    code = "from sparsenmf.kernels.compile.cache import active_folder; print(active_folder())"
    for switch, folder in (("0", "None"), ("1", tmp_path)):
        env = {**os.environ, "SPARSENMF_CACHE": switch, "SPARSENMF_CACHE_DIR": str(tmp_path)}
        out = subprocess.check_output([sys.executable, "-c", code], env=env, timeout=TIMEOUT)
        assert out.decode() == f"{folder}\n"
