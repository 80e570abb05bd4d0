"""The package on systems that have less than Linux, as far as Linux can show it.

`tests/tools/elsewhere` makes a fresh interpreter one in which the package finds itself on Windows:
without fork, fcntl, /proc and much else of `os`, and unable to replace or remove open files.
"""

import contextlib
import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf.data.outputs import check_outputs
from sparsenmf.kernels.compile.cache import active_folder

from .children import ELSEWHERE, ROOT, TIMEOUT
from .corpus import TERMS, make_counts, make_texts

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells which files are open and mapped"
)


def run_elsewhere(function, *args, encoding="utf-8", **env):
    """Run a function of this module in an interpreter without what Windows lacks."""
    code = f"from tests.test_other_systems import {function.__name__} as f; f(*{args!r})"
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ELSEWHERE), str(ROOT)]),
        "PYTHONIOENCODING": f"{encoding}:strict",
        "PYTHONWARNDEFAULTENCODING": "1",
        "NUMBA_NUM_THREADS": "2",
        # That of the tests: the other system's would be empty, and in the home folder.
        "SPARSENMF_CACHE_DIR": str(active_folder() or ""),
        **env,
    }
    command = [sys.executable, "-c", code]
    child = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, timeout=5 * TIMEOUT)
    out, err = child.stdout.decode(encoding), child.stderr.decode(encoding)
    assert child.returncode == 0, f"exit code {child.returncode}\n{out}\n{err}"
    assert "Traceback" not in err, err
    return out, err


@pytest.fixture
def folder(tmp_path):
    """A folder whose name has blanks, and letters of several writings."""
    place = tmp_path / "Größe λ 名前 (1) 😀"
    place.mkdir()
    return place


def child_sees_windows(folder):
    from sparsenmf.data import factors, outputs
    from sparsenmf.data.store import lock

    assert outputs.sys.platform == lock.sys.platform == "win32"
    for module, names in {outputs.os: "posix_fallocate getuid fork O_NOFOLLOW", factors.mmap:
                          "MADV_HUGEPAGE MAP_PRIVATE"}.items():  # fmt: skip
        assert not [name for name in names.split() if hasattr(module, name)]
    assert hasattr(os, "getuid")  # for others nothing has changed
    here = {"__name__": "sparsenmf.child"}
    for line in ("import fcntl", "from os import fork", "open('/proc/self/stat')", "open('a:b')"):
        with pytest.raises((ImportError, OSError)):
            exec(line, here)
    with pytest.raises(EncodingWarning):
        exec("open('pyproject.toml')", here)
    path = Path(folder, "held.npy")
    np.save(path, np.ones(9))
    held = np.load(path, mmap_mode="r")
    with pytest.raises(PermissionError, match="used by another"):
        exec("os.remove(path)", {**here, "os": os, "path": path})
    del held
    exec("os.remove(path)", {**here, "os": os, "path": path})


@linux
def test_the_other_system_lacks_what_it_should(folder):
    run_elsewhere(child_sees_windows, str(folder))


def child_imports_all():
    import importlib
    import pkgutil

    names = [found.name for found in pkgutil.walk_packages(sparsenmf.__path__, "sparsenmf.")]
    for name in names:
        if name != "sparsenmf.__main__":
            importlib.import_module(name)
    print(len(names))


@linux
def test_every_module_can_be_imported():
    pytest.importorskip("dask")
    pytest.importorskip("matplotlib")
    out, _ = run_elsewhere(child_imports_all)
    assert int(out) == len(list(Path(sparsenmf.__file__).parent.rglob("*.py"))) - 1


def child_store(folder):
    from sparsenmf.data.store.lock import hold_lock

    folder, X = Path(folder), make_counts()
    store = sparsenmf.write_csr(folder / "store", [X, X], shard_nnz=200)
    held = [store.rows(*block) for block in store.blocks(100)]
    with hold_lock(folder / "store" / ".sparsenmf-lock"), pytest.raises(BlockingIOError):
        sparsenmf.write_csr(folder / "store", X, append=True)
    sparsenmf.write_csr(folder / "store", X, overwrite=True)  # while its old files are mapped
    assert sparsenmf.write_csr(folder / "store", X, append=True).shape[0] == 2 * X.shape[0]
    assert np.array_equal(sp.vstack(held).toarray(), sp.vstack([X, X]).toarray())
    with pytest.raises(TypeError):  # a writer that fails
        sparsenmf.write_csr(folder / "store", [X, "no matrix"], append=True)
    del held, store
    sparsenmf.write_csr(folder / "store", X, append=True)
    left = sorted(path.name for path in (folder / "store").iterdir())
    assert len(left) == 4, left  # three shards and the record: nothing of what was replaced
    import scipy.io

    scipy.io.mmwrite(folder / "X.mtx", sp.coo_array(X))
    sorted_ = sparsenmf.write_csr(folder / "sorted", folder / "X.mtx")
    assert np.array_equal(sp.vstack(list(sorted_)).toarray(), X.toarray())
    options = {"random_state": 0, "max_iter": 5, "init": "random"}
    memory = sparsenmf.factorize(X.astype("f4"), 2, **options)
    blocks = sparsenmf.factorize(sparsenmf.open_csr(folder / "sorted", verify=True), 2, **options)
    np.testing.assert_allclose(blocks.H, memory.H, rtol=1e-3, atol=1e-5)


@linux
def test_a_store_is_written_read_replaced_and_appended_to(folder):
    run_elsewhere(child_store, str(folder))


def child_models(folder):
    import gc

    folder, X = Path(folder), make_counts().astype("f4")
    options, path = {"random_state": 0, "tol": 0}, folder / "run 名.ckpt"
    whole = sparsenmf.factorize(X, 2, max_iter=6, **options)
    for n_iter in (3, 6):
        checkpoint = sparsenmf.Checkpoint(path, every=1, resume=True)
        resumed = sparsenmf.factorize(X, 2, max_iter=n_iter, checkpoint=checkpoint, **options)
    assert np.array_equal(resumed.W, whole.W)
    for _ in range(2):  # over the file that it is loaded from
        whole.save(folder / "model.npz")
        whole = sparsenmf.Factorization.load(folder / "model.npz")
    solver = sparsenmf.CoordinateDescent(low_memory=True, W_path=folder / "W.npy")
    mapped = sparsenmf.factorize(X, 2, max_iter=3, solver=solver, **options)
    before, kept, began = (folder / "W.npy").read_bytes(), mapped.W.copy(), []
    with pytest.raises(PermissionError, match=r"cannot replace .*W\.npy: if it is open"):
        sparsenmf.factorize(X, 2, max_iter=4, solver=solver, progress=began.append, **options)
    assert not began  # it is refused before the first iteration
    assert (folder / "W.npy").read_bytes() == before
    assert np.array_equal(mapped.W, kept)
    del mapped
    gc.collect()
    assert sparsenmf.factorize(X, 2, max_iter=4, solver=solver, **options).W.shape == (80, 2)
    names = {path.name for path in folder.iterdir()}
    assert names == {"run 名.ckpt", "model.npz", "W.npy"}  # no temporary file is left


@linux
def test_models_and_checkpoints_are_replaced(folder):
    run_elsewhere(child_models, str(folder))


WORDS = {"sea": "समुद्र", "oven": "ovn\u00f8 😀", "tide": "gezeiten-größe", "wind": "大风"}
"""What stands for some terms: cp1252 has the letters of two of them."""


def in_writings(text):
    for word, other in WORDS.items():
        text = text.replace(word, other)
    return text


COMMANDS = {
    "topics": "topics größe.txt -k 2 --report 报告.html --topic-table t.xlsx --save 模型.npz",
    "topics of words": "topics größe.txt -k 2 --format csv",
    "factorize": "factorize X.npz -k 2 --vocabulary terms.txt --save f.npz --report r.html",
    "transform": "transform 模型.npz größe.txt --output W.CSV --progress",
    "choose": "choose X.npz -k 1,2 --repeats 2 --plot 选.png --progress",
    "store": "store X.npz 店 --progress",
    "info of a store": "info 店 --verify",
    "info of a model": "info f.npz --vocabulary terms.txt",
    "info": "info 表.csv",
    "info of this machine": "info --bug-report",
    "warmup": "warmup --progress",
    "error": "info 没有.npz",
    "wrong usage": "info 没有.npz --größe",
}


def child_commands(folder):
    from sparsenmf.cli import group
    from sparsenmf.models import warmup

    warmup._fits = warmup._streams = lambda *_: []  # which would take a minute
    warmup._start = lambda *_: None
    os.chdir(folder)
    for name, line in COMMANDS.items():
        with pytest.raises(SystemExit) as ended:
            group.main(line.split(), prog_name="sparsenmf")
        wanted = {"error": 1, "wrong usage": 2}.get(name, 0)
        assert (ended.value.code or 0) == wanted, f"{name}: {ended.value.code}"


@linux
def test_no_character_ends_a_command(folder):
    pytest.importorskip("click")
    pytest.importorskip("sklearn")
    pytest.importorskip("openpyxl")
    from sparsenmf.cli import group

    assert {line.split()[0] for line in COMMANDS.values()} == set(group.commands)
    texts = [in_writings(text) for text in make_texts()]
    (folder / "größe.txt").write_text("\r\n".join(texts), encoding="utf-8", newline="")
    terms = [in_writings(term) for term in TERMS]
    (folder / "terms.txt").write_text("\r\n".join(terms), encoding="utf-8", newline="")
    rows = [",".join(terms), *(",".join(map(str, row)) for row in make_counts().toarray())]
    (folder / "表.csv").write_text("\r\n".join(rows), encoding="utf-8", newline="")
    sp.save_npz(folder / "X.npz", make_counts())
    out, err = run_elsewhere(child_commands, str(folder), encoding="cp1252")
    assert "gezeiten" in out
    assert "größe" in out
    assert "?" in out
    assert "characters that its encoding, cp1252, lacks" in err
    report = (folder / "报告.html").read_text(encoding="utf-8")
    assert "大风" in report
    assert "sparsenmf topics größe.txt --topics 2" in report
    assert (folder / "W.CSV").read_text(encoding="utf-8").startswith("document,title,topic,share")


def test_help_is_written_in_characters_that_all_consoles_have():
    testing = pytest.importorskip("click.testing")
    from sparsenmf.cli import group

    for arguments in [["--help"], *([name, "--help"] for name in group.commands)]:
        assert testing.CliRunner().invoke(group, arguments).stdout.isascii(), arguments


def fit(X):
    return sparsenmf.factorize(X, 2, random_state=0, max_iter=3, init="random").H.tobytes()


def child_spawns(folder):
    import multiprocessing

    multiprocessing.set_start_method("spawn")
    store = sparsenmf.write_csr(Path(folder) / "store", make_counts())
    expected = [fit(make_counts()), fit(store)]
    with multiprocessing.Pool(2) as pool:
        assert pool.map(fit, [make_counts(), store]) == expected
        worker = functools.partial(sparsenmf.factorize, n_components=2, random_state=0)
        (model,) = pool.map(worker, [make_counts()])
        assert model.W.shape == (80, 2)


@linux
def test_processes_that_are_spawned_give_the_same_bits(folder):
    run_elsewhere(child_spawns, str(folder))


def child_counts_cores():
    from sparsenmf.kernels.compile import cache, threads

    print(threads.available_cores() == os.cpu_count(), cache.cache_folder())


@linux
def test_without_system_calls_there_are_cores_and_a_cache(folder):
    settings = {"SPARSENMF_CACHE_DIR": "", "LOCALAPPDATA": str(folder), "OMP_NUM_THREADS": ""}
    out, _ = run_elsewhere(child_counts_cores, **settings)
    assert out.split(maxsplit=1) == ["True", f"{folder / 'sparsenmf'}\n"]


@contextlib.contextmanager
def ignored_case(folder, monkeypatch):
    """Let names in a folder be found in any case, and in any normal form, as on macOS."""
    import unicodedata

    def fold(name):
        return unicodedata.normalize("NFC", name).casefold()

    def resolve(path):
        if not isinstance(path, str | os.PathLike):
            return path
        real = Path("/")
        for part in Path(os.path.abspath(path)).parts[1:]:
            inside = folder.parent in (real, *real.parents) and real.is_dir()
            there = [x for x in os.listdir(real) if fold(x) == fold(part)] if inside else []
            real = real / (there[0] if there else part)
        return real

    stat = os.stat
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda path, **how: stat(resolve_once(path, resolve), **how))
        yield


busy = []


def resolve_once(path, resolve):
    if busy:
        return path
    busy.append(path)
    try:
        return resolve(path)
    finally:
        busy.pop()


@linux
@pytest.mark.parametrize(
    "pair", [("W.npy", "w.NPY"), ("größe.npy", "GRÖSSE.npy"), ("u\u0308.npy", "\u00fc.npy")]
)
def test_names_that_differ_in_their_case_are_one_file_where_the_folder_says_so(
    pair, folder, monkeypatch
):
    outputs = [(name, folder / path) for name, path in zip(("--one", "--other"), pair, strict=True)]
    check_outputs(outputs)
    with (
        ignored_case(folder, monkeypatch),
        pytest.raises(ValueError, match=r"--one .* and --other .* are one file"),
    ):
        check_outputs(outputs)
    check_outputs(outputs)


@pytest.mark.parametrize("suffix", [".CSV", ".Xlsx", ".NPY"])
def test_suffixes_are_taken_in_any_case(suffix, folder):
    if suffix == ".Xlsx":
        pytest.importorskip("openpyxl")
    path = folder / f"W{suffix}"
    sparsenmf.files.write_factor(path, np.arange(6.0).reshape(3, 2))
    assert getattr(sparsenmf.read_matrix(path), "shape", None) == (3, 2)


@linux
def test_a_disk_without_locks_has_one_writer_at_a_time(folder, monkeypatch):
    from sparsenmf.data.store import lock

    def no_lock(file):
        raise OSError(lock.errno.ENOLCK, "No locks available")

    X = make_counts()
    for take_away in ((lock, "_lock", no_lock), (sys.modules, "fcntl", None)):
        place = folder / f"store of {take_away[1]}"
        with monkeypatch.context() as patch:
            module, name, value = take_away
            patch.setitem(module, name, value) if module is sys.modules else patch.setattr(
                module, name, value
            )
            sparsenmf.write_csr(place, X)
            path = place / ".sparsenmf-lock"
            assert not path.exists()
            with (
                lock.hold_lock(path),
                pytest.raises(BlockingIOError, match="written to by another thread"),
            ):
                sparsenmf.write_csr(place, X, append=True)
            for content in ("", "77 here"):
                path.write_text(content)
                with pytest.raises(BlockingIOError, match=r"delete"):
                    sparsenmf.write_csr(place, X, append=True)
            path.unlink()
            assert sparsenmf.write_csr(place, X, append=True).shape[0] == 160
