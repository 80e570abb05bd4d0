"""Files written as stores have the matrix that `read_matrix` reads, in bounded memory."""

import gzip
import os
import re
import sys
import zipfile

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from sparsenmf import open_csr, read_matrix, write_csr
from sparsenmf.data import market
from sparsenmf.data.store import portions, triplets

from ...children import run_child

SUFFIXES = (".npz", ".mtx", ".mtx.gz", ".npy", ".h5ad")


@pytest.fixture(autouse=True)
def small_portions(monkeypatch):
    """Several portions, buckets within buckets, and rows that are larger than a block."""
    monkeypatch.setattr(portions, "CHUNK_NNZ", 40)
    monkeypatch.setattr(portions, "CHUNK_ROWS", 50)
    monkeypatch.setattr(market, "PORTION", 300)
    monkeypatch.setattr(triplets, "N_BUCKETS", 3)
    monkeypatch.setattr(triplets, "PIECE", 70)


def matrix(kind):
    X = sp.random_array((170, 60), density=0.1, rng=0, format="lil") * 100
    X[5] = 1.5
    X[20:70] = 0
    X[-4:] = 0
    return sp.csr_array(X).astype(kind)


def save(path, X, compressed=True):
    if path.name.endswith(".npz"):
        sp.save_npz(path, X, compressed=compressed)
    elif path.name.endswith(".npy"):
        np.save(path, X.toarray(order="C"))
    elif path.name.endswith(".h5ad"):
        kind = sp.csc_matrix if X.format == "csc" else sp.csr_matrix
        pytest.importorskip("anndata").AnnData(kind(X)).write_h5ad(path)
    else:
        with (gzip.open if path.name.endswith(".gz") else open)(path, "wb") as file:
            scipy.io.mmwrite(file, X)


def assert_stored_as_read(path, folder, **options):
    """Assert that a file is stored whole, and that no temporary file is left."""
    store = write_csr(folder, path, **options)
    expected = read_matrix(path)
    found = store.rows(0, store.shape[0])
    assert store.dtype == expected.dtype
    np.testing.assert_array_equal(found.toarray(), expected.toarray())
    assert found.nnz == expected.nnz
    names = {"shape.json", *(f"shard-{number:05d}" for number in range(store.n_shards))}
    assert set(os.listdir(folder)) == names
    store.verify()
    return store


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("kind", ["f4", "f8", "i8", "?"])
def test_file_is_stored_as_it_is_read(suffix, form, kind, tmp_path):
    path = tmp_path / f"X{suffix}"
    save(path, matrix(kind).asformat(form))
    store = assert_stored_as_read(path, tmp_path / "store", shard_nnz=300)
    assert store.n_shards > 2


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_npz_that_is_not_compressed(form, tmp_path):
    save(tmp_path / "X.npz", matrix("f4").asformat(form), compressed=False)
    assert_stored_as_read(tmp_path / "X.npz", tmp_path / "store")


def test_dense_h5ad_is_stored(tmp_path):
    anndata = pytest.importorskip("anndata")
    anndata.AnnData(matrix("f4").toarray()).write_h5ad(tmp_path / "X.h5ad")
    assert_stored_as_read(tmp_path / "X.h5ad", tmp_path / "store")


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("kind", [">f4", ">f8", ">i4", "f2"])
def test_foreign_byte_orders_and_half_precision(form, kind, tmp_path):
    X = matrix("f4").asformat(form)
    places = {"row": X.row, "col": X.col} if form == "coo" else {}
    places = places or {"indices": X.indices, "indptr": X.indptr}
    places = {name: index.astype(">i4") for name, index in places.items()}
    np.savez(tmp_path / "X.npz", format=form, shape=X.shape, data=X.data.astype(kind), **places)
    store = write_csr(tmp_path / "store", tmp_path / "X.npz")
    expected = matrix("f4").toarray().astype(kind).astype(float)
    np.testing.assert_array_equal(store.rows(0, 170).toarray(), expected)


def test_entries_in_any_order_more_than_once_and_zero(tmp_path, rng):
    """That includes a file of csr whose rows are not sorted."""
    X = sp.coo_array(matrix("i8"))
    order = rng.permutation(np.repeat(np.arange(X.nnz), 2))
    zero = rng.random(len(order)) < 0.1
    Y = sp.coo_array((np.where(zero, 0, X.data[order]), (X.row[order], X.col[order])), X.shape)
    for name in ("X.mtx", "X.npz"):
        save(tmp_path / name, Y)
        store = assert_stored_as_read(tmp_path / name, tmp_path / name.replace(".", "-"))
        assert store.max_value > X.max()
    mixed = matrix("f4")
    for start, stop in zip(mixed.indptr, mixed.indptr[1:], strict=False):
        mixed.indices[start:stop] = mixed.indices[start:stop][::-1]
    sp.save_npz(tmp_path / "mixed.npz", mixed)
    assert_stored_as_read(tmp_path / "mixed.npz", tmp_path / "mixed")


TEXTS = {
    "pattern": "coordinate pattern general\n% a remark\n%\n3 4 2\n3 4\n1 1\n",
    "symmetric": "coordinate real symmetric\n3 3 3\n1 1 1.5\n3 1 2\n3 3 1e-3\n",
    "integers": "coordinate integer general\n\n3 3 2\n\n3 1 16777215\n\n  2 2   7  \n\n",
    "no entries": "coordinate real general\n3 4 0\n",
    "carriage returns": "coordinate real general\r\n3 4 1\r\n2 3 7.5\r\n",
    "no last newline": "coordinate real general\n3 4 1\n2 3 7.5",
    "more rows than a block": "coordinate real general\n400 3 2\n399 3 7.5\n2 1 1\n",
}


@pytest.mark.parametrize("case", TEXTS)
def test_matrix_market_of_each_kind(case, tmp_path):
    (tmp_path / "X.mtx").write_bytes(f"%%MatrixMarket matrix {TEXTS[case]}".encode())
    assert_stored_as_read(tmp_path / "X.mtx", tmp_path / "store")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_cut_file_is_refused_by_name(suffix, tmp_path):
    path, folder = tmp_path / f"X{suffix}", tmp_path / "store"
    save(path, matrix("f4"))
    write_csr(folder, np.eye(60))
    whole = path.read_bytes()
    end = len(whole) - (40 if suffix == ".mtx" else 1)
    steps = 8 if suffix == ".h5ad" else 25
    for length in range(0, end, end // steps):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=rf"X\{suffix} is not a matrix that can be used"):
            write_csr(folder, path, append=True)
        assert sorted(os.listdir(folder)) == ["shape.json", "shard-00000"]
    assert open_csr(folder, verify=True).shape == (60, 60)


def test_every_flipped_byte_of_an_npz_is_refused_or_harmless(tmp_path, rng):
    """Checksums of the archive are compared at the end of each array."""
    path, folder = tmp_path / "X.npz", tmp_path / "store"
    X = matrix("f4")
    for form in ("csr", "coo"):
        save(path, X.asformat(form), compressed=False)
        whole = path.read_bytes()
        refused = 0
        for position in rng.integers(0, len(whole), 100):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            try:
                store = write_csr(folder, path, overwrite=True)
            except (ValueError, TypeError):
                refused += 1
            else:
                assert (store.rows(0, 170) != X).nnz == 0
        assert refused > 60


def arrays(**changes):
    X = matrix("f4")
    parts = {"format": b"csr", "shape": X.shape, "data": X.data, "indices": X.indices}
    parts = {**parts, "indptr": X.indptr, **changes}
    return lambda path: np.savez(path, **parts)


def write_longer(path):
    """Write an archive in which one array is longer than its header says."""
    sp.save_npz(path, matrix("f4"))
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["data.npy"] += b"more"
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in content.items():
            archive.writestr(name, value)


def write_outside(path):
    """Write an entry in the third column of a matrix that has two."""
    np.savez(path, format=b"coo", shape=(2, 2), row=[0], col=[2], data=[1.0])


def text(content):
    return lambda path: path.write_text(content)


HEAD = "%%MatrixMarket matrix coordinate real general\n"

BAD_FILES = {
    "suffix": ("X.pdf", text(""), "should end in one of .npz, .mtx"),
    "no matrix": ("X.npz", lambda path: np.savez(path, a=np.ones(3)), "format.npy"),
    "pickle": ("X.npz", arrays(data=np.array([None])), "pickled"),
    "pickled table": ("X.npy", lambda path: np.save(path, np.array([[None]])), "pickled"),
    "pointers fall": ("X.npz", arrays(indptr=np.arange(171)[::-1]), "begin with 170"),
    "pointers leave": ("X.npz", arrays(indptr=np.arange(171) * 10**6), "leave the"),
    "few pointers": ("X.npz", arrays(indptr=np.arange(9)), "do not fit 170"),
    "indices leave": ("X.npz", arrays(indices=matrix("f4").indices + 1), r"leave \[0, 60\)"),
    "longer": ("X.npz", write_longer, "longer than its header says"),
    "complex": ("X.npz", arrays(data=matrix("f4").data * 1j), "real numbers"),
    "vector": ("X.npy", lambda path: np.save(path, np.ones(3)), "two dimensions"),
    "no market": ("X.mtx", text("Dear Ada,\n"), "it is not a MatrixMarket file"),
    "no sizes": ("X.mtx", text(HEAD + "% only a remark\n"), "no line with its three sizes"),
    "few": ("X.mtx", text(HEAD + "3 3 2\n1 1 1\n"), "has 1 entries instead of the 2"),
    "many": ("X.mtx", text(HEAD + "3 3 0\n1 1 1\n"), "has 1 entries instead of the 0"),
    "outside": ("X.mtx", text(HEAD + "3 3 1\n4 1 1\n"), "X.mtx is not a matrix"),
    "half a line": ("X.mtx", text(HEAD + "3 3 2\n1 1\n 1 1 1 1\n"), "X.mtx is not a matrix"),
    "no number": ("X.mtx", text(HEAD + "3 3 1\n1 1 1.5E"), "X.mtx is not a matrix"),
    "NUL": ("X.mtx", text(HEAD + "3 3 1\n1 1 1\0\n"), "X.mtx is not a matrix"),
    "no rows of a npz": ("X.npz", arrays(shape=(0, 60), format=b"csc"), "X.npz is not a matrix"),
    "places outside": (
        "X.npz",
        write_outside,
        "X.npz is not a matrix .*outside of the 2 x 2",
    ),
    "strings for places": (
        "X.npz",
        arrays(indices=matrix("f4").indices.astype("U3")),
        "integer places",
    ),
    "complex shape": ("X.npz", arrays(shape=np.array([170, 60j])), "its shape is of"),
    "no rows": ("X.mtx", text(HEAD + "0 3 0\n"), "cannot be 0 x 3"),
    "negative": ("X.mtx", text(HEAD + "3 3 1\n1 1 -1\n"), "block 0 .*negative value"),
    "not zipped": ("X.mtx.gz", text("Dear Ada,\n"), "X.mtx.gz is not a matrix"),
}


NOT_IN_PORTIONS = {
    "bsr": ("X.npz", lambda path: sp.save_npz(path, matrix("f4").tobsr())),
    "dia": ("X.npz", lambda path: sp.save_npz(path, sp.dia_array(np.eye(5, 4, 1)))),
    "columns first": ("X.npy", lambda path: np.save(path, matrix("f4").toarray(order="F"))),
    "dense market": ("X.mtx", text(HEAD.replace("coordinate", "array") + "2 2\n1\n0\n3\n4\n")),
}


@pytest.mark.parametrize("case", NOT_IN_PORTIONS)
def test_files_that_cannot_be_read_in_portions_are_read_whole(case, tmp_path):
    name, write = NOT_IN_PORTIONS[case]
    write(tmp_path / name)
    X = read_matrix(tmp_path / name)
    store = write_csr(tmp_path / "store", tmp_path / name)
    np.testing.assert_array_equal(store.rows(0, X.shape[0]).toarray(), X.toarray())


@pytest.mark.parametrize("case", BAD_FILES)
def test_files_without_a_matrix_are_refused(case, tmp_path):
    name, write, message = BAD_FILES[case]
    write(tmp_path / name)
    with pytest.raises((ValueError, TypeError), match=message):
        write_csr(tmp_path / "store", tmp_path / name)
    assert os.listdir(tmp_path) == [name]


def test_missing_file_and_missing_package(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError):
        write_csr(tmp_path / "store", tmp_path / "X.npz")
    (tmp_path / "X.h5ad").touch()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "sparsenmf\[h5ad\]"'):
        write_csr(tmp_path / "store", tmp_path / "X.h5ad")


def test_full_disk_while_sorting_is_not_blamed_on_the_file(tmp_path, monkeypatch):
    def fail(*args, **options):
        raise OSError(28, "No space left on device")

    save(tmp_path / "X.mtx", matrix("f4"))
    monkeypatch.setattr(triplets.np, "argsort", fail)
    with pytest.raises(OSError, match="No space left"):
        write_csr(tmp_path / "store", tmp_path / "X.mtx")
    assert os.listdir(tmp_path) == ["X.mtx"]


def peak():
    with open("/proc/self/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]) / 2**10


def child_measure(path, small, folder):
    """Print by how many MiB the peak of memory grew, after everything has been imported."""
    portions.CHUNK_NNZ, market.PORTION, triplets.PIECE = 2**15, 2**17, 2**13
    triplets.N_BUCKETS = 4  # so that these are too large, and have to be split again
    write_csr(f"{folder}-small", small)
    before = peak()
    write_csr(folder, path)
    print(peak() - before)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
@pytest.mark.parametrize("name", ["csr.npz", "csc.npz", "X.mtx", "X.npy", "X.h5ad"])
def test_memory_is_bounded(name, tmp_path, rng):
    """Nothing of the size of the matrix is ever in memory."""
    # HDF5 itself takes some 20 MB for its caches, and then up to 32 for its index of a file.
    n_rows, width = 5 * 10**5 if name == "X.h5ad" else 10**5, 20
    indices = np.sort(rng.integers(0, 50, (n_rows, width)) + 50 * np.arange(width), axis=1)
    data = np.ones(n_rows * width, np.float64)
    indptr = np.arange(0, n_rows * width + 1, width)
    X = sp.csr_array((data, indices.ravel().astype(np.int32), indptr), shape=(n_rows, 1000))
    X = X[:20000] if name == "X.npy" else X
    save(tmp_path / name, X.tocsc() if name == "csc.npz" else X, compressed=name == "csr.npz")
    save(tmp_path / f"small-{name}", sp.csr_array(X[:10]))
    paths = (tmp_path / name, tmp_path / f"small-{name}", tmp_path / "store")
    grown = float(run_child(child_measure, *map(str, paths)))
    assert grown < 12 * n_rows * width / 2**20 / 2
    assert open_csr(tmp_path / "store").nnz == X.nnz


def run(*arguments):
    testing = pytest.importorskip("click.testing")
    from sparsenmf.cli import group

    return testing.CliRunner().invoke(group, [str(argument) for argument in arguments])


def test_command_stores_and_describes(tmp_path):
    save(tmp_path / "X.npz", matrix("f4"))
    path, folder = tmp_path / "X.npz", tmp_path / "store"
    result = run("store", path, folder)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("<CsrStore of 170 x 60, ")
    assert result.stderr.count("\n") == 1  # no progress where there is no terminal
    result = run("store", path, folder)
    assert result.exit_code == 1
    assert re.fullmatch("Error: .* already has a matrix: .*\n", result.stderr)
    assert run("store", path, folder, "--append").exit_code == 0
    assert run("store", folder, tmp_path / "other", "--dtype", "float64").exit_code == 0
    result = run("info", tmp_path / "other")
    nnz = 2 * matrix("f4").nnz
    size = open_csr(tmp_path / "other").nbytes / 2**20
    assert result.stdout.splitlines() == [
        f"Store of 340 x 60, {nnz:,} nonzeros ({nnz / 340 / 60:.3%})",
        "  340 samples (its rows), without names",
        "  60 features (its columns), without names",
        f"  float64, 1 shard, {size:,.1f} MiB on disk",
    ]
    assert run("store", path, folder, "--overwrite").exit_code == 0
    assert open_csr(folder).shape == (170, 60)


def test_command_verifies(tmp_path):
    write_csr(tmp_path / "store", matrix("f4"))
    result = run("info", tmp_path / "store", "--verify")
    assert result.stdout.splitlines()[-1] == "  all checksums are right"
    data = next(tmp_path.glob("store/*/data.npy"))
    data.write_bytes(data.read_bytes()[:-1] + b"\x01")
    assert run("info", tmp_path / "store").exit_code == 0
    result = run("info", tmp_path / "store", "--verify")
    assert result.exit_code == 1
    assert f"{data} is damaged" in result.stderr.replace("\n", " ")
    (tmp_path / "X.npz").touch()
    assert run("info", tmp_path / "X.npz", "--verify").exit_code == 2


def test_command_shows_progress(tmp_path):
    save(tmp_path / "X.npz", matrix("f4"))
    result = run("store", tmp_path / "X.npz", tmp_path / "store", "--progress")
    assert result.stdout == ""
    reading, *rows, written = result.stderr.splitlines()
    assert reading == "reading X.npz"
    assert rows[-1] == "store: 170 rows"
    assert written.startswith("<CsrStore of 170 x 60")
