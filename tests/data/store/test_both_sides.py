"""Stores that have both sides: the matrix and its transpose."""

import json
import os
import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import NamedMatrix, open_csr, write_csr
from sparsenmf.data.store import writer
from sparsenmf.data.store.layout import read_record, write_record


def make(n_rows=60, n_features=40, dtype=np.float32, seed=0):
    X = sp.random_array((n_rows, n_features), density=0.2, rng=seed, format="lil")
    X[5], X[:, 7] = 0, 0  # a row and a column without entries
    return sp.csr_array(X, dtype=dtype)


def same_sides(store, X):
    """Assert that a store has X and its transpose, to the bit."""
    assert store.transposed is not None
    for side, expected in ((store, X), (store.transposed, sp.csr_array(X.T))):
        found = side.rows(0, side.shape[0])
        assert side.shape == expected.shape
        assert side.dtype == found.dtype == X.dtype
        for name in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def listed_folders(folder):
    record = json.loads((folder / "shape.json").read_text())
    return sorted(shard["folder"] for shard in [*record["shards"], *record.get("columns", [])])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shard_nnz", "chunk"), [(150, 1), (200, 90), (2**26, 2**21)])
def test_the_other_side_is_the_transpose(dtype, shard_nnz, chunk, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "CHUNK_NNZ", chunk)
    X = make(dtype=dtype)
    blocks = (X[start : start + 13] for start in range(0, 60, 13))
    store = write_csr(tmp_path / "store", blocks, shard_nnz=shard_nnz, both_sides=True)
    same_sides(store, X)
    same_sides(open_csr(store.folder, verify=True), X)
    assert (store.n_shards > 1) == (shard_nnz < X.nnz)
    assert sorted(os.listdir(store.folder)) == [*["shape.json"], *listed_folders(store.folder)]
    assert "both sides" in repr(store)
    same_sides(pickle.loads(pickle.dumps(store)), X)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
@pytest.mark.parametrize("filled", [False, True])
def test_the_smallest_matrices_have_both_sides(shape, filled, tmp_path):
    X = sp.csr_array(np.full(shape, float(filled)))
    same_sides(write_csr(tmp_path / "store", X, both_sides=True), X)


def test_names_and_fingerprint_are_those_of_one_side(tmp_path):
    X = make()
    names = {"feature_names": [f"f{j}" for j in range(40)], "sample_names": [*range(100, 160)]}
    one, both = (
        write_csr(tmp_path / str(sides), NamedMatrix(X, **names), both_sides=sides)
        for sides in (False, True)
    )
    assert one.checksum() == both.checksum() != both.transposed.checksum()
    for name in names:
        np.testing.assert_array_equal(getattr(both, name), getattr(one, name))
    assert one.transposed is None
    assert both.nbytes > 1.9 * one.nbytes - 3000  # names are there once
    # The other side is a store, too, which can be copied and factorized.
    copy = write_csr(tmp_path / "copy", both.transposed)
    assert copy.checksum() == both.transposed.checksum()


def test_appending_keeps_both_sides(tmp_path):
    X, more = make(), make(20, seed=1)
    store = write_csr(tmp_path / "store", X, both_sides=True, shard_nnz=100)
    rows = {path: path.stat().st_mtime_ns for path in store.folder.glob("shard-0000[0-3]/*")}
    store = write_csr(store.folder, [more[:10], more[10:]], append=True)
    same_sides(store, sp.csr_array(sp.vstack([X, more])))
    assert {path: path.stat().st_mtime_ns for path in rows} == rows
    assert sorted(os.listdir(store.folder)) == ["shape.json", *listed_folders(store.folder)]
    record = (store.folder / "shape.json").read_bytes()
    assert write_csr(store.folder, more[:0], append=True, both_sides=True).shape == (80, 40)
    assert (store.folder / "shape.json").read_bytes() == record  # nothing was to be done


@pytest.mark.parametrize("n_more", [0, 20])
def test_the_last_portion_may_bring_the_other_side(n_more, tmp_path):
    X, more = make(), make(20, seed=1)[:n_more]
    write_csr(tmp_path / "store", X)
    assert write_csr(tmp_path / "store", more, append=True).transposed is None
    store = write_csr(tmp_path / "store", more, append=True, both_sides=True)
    same_sides(store, sp.csr_array(sp.vstack([X, more, more])))


def test_overwriting_gives_the_sides_that_are_asked_for(tmp_path):
    X = make()
    store = write_csr(tmp_path / "store", X, both_sides=True)
    one = write_csr(store.folder, store, overwrite=True)  # from itself
    assert one.transposed is None
    assert listed_folders(one.folder) == ["shard-00002"]
    assert sorted(os.listdir(one.folder)) == ["shape.json", "shard-00002"]
    same_sides(write_csr(store.folder, store.folder, overwrite=True, both_sides=True), X)


def test_both_sides_is_a_flag(tmp_path):
    with pytest.raises(TypeError, match="both_sides must be True or False, not 1"):
        write_csr(tmp_path / "store", make(), both_sides=1)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("options", [{"append": True}, {"overwrite": True}, {}])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failing_transposition_changes_nothing(options, error, tmp_path, monkeypatch):
    X = make()
    store = write_csr(tmp_path / "store", X, both_sides=True)
    before = (store.folder / "shape.json").read_bytes()
    folder = store.folder if options else tmp_path / "new"

    def fail(*arguments):
        yield next(sort(*arguments))
        raise error("the disk is gone")

    sort = writer.sort_triplets
    monkeypatch.setattr(writer, "sort_triplets", fail)
    monkeypatch.setattr(writer, "CHUNK_NNZ", 50)
    with pytest.raises(error, match="the disk is gone"):
        write_csr(folder, make(30, seed=1), both_sides=True, shard_nnz=30, **options)
    assert (tmp_path / "new").exists() is False
    assert (store.folder / "shape.json").read_bytes() == before
    assert sorted(os.listdir(store.folder)) == ["shape.json", *listed_folders(store.folder)]
    same_sides(open_csr(store.folder, verify=True), X)


def test_a_matrix_is_transposed_in_bounded_memory(tmp_path, monkeypatch):
    n_rows, n_features, n_each = 20_000, 3000, 80
    columns = np.arange(n_rows)[:, None] % 1000 + 20 * np.arange(n_each)
    data = np.arange(1, columns.size + 1, dtype=np.float32)
    indptr = n_each * np.arange(n_rows + 1)
    X = sp.csr_array((data, columns.ravel(), indptr), shape=(n_rows, n_features))
    store = write_csr(tmp_path / "store", X)
    monkeypatch.setattr(writer, "CHUNK_NNZ", 2**15)
    tracemalloc.start()
    try:
        both = write_csr(store.folder, X[:0], append=True, both_sides=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    same_sides(both, X)
    assert peak < X.data.nbytes  # of which the temporary files alone have five times as many


def test_a_damaged_side_is_named(tmp_path):
    store = write_csr(tmp_path / "store", make(), both_sides=True)
    path = store.folder / "shard-00001" / "data.npy"
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-4])
    with pytest.raises(ValueError, match=r"shard-00001.data\.npy has .* it is damaged"):
        open_csr(store.folder)
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"shard-00001.data\.npy is damaged: its checksum"):
        open_csr(store.folder, verify=True)
    path.unlink()
    with pytest.raises(ValueError, match=r"shard-00001.data\.npy is missing"):
        open_csr(store.folder)


def test_sides_that_do_not_match_are_refused(tmp_path):
    one = write_csr(tmp_path / "one", make(), both_sides=True)
    record = read_record(one.folder)
    few = replace(record.columns[0], nnz=record.nnz - 1)
    for columns in ((few,), record.columns * 2, (replace(record.columns[0], folder="../x"),)):
        write_record(one.folder, replace(record, columns=columns))
        with pytest.raises(ValueError, match=r"two sides differ|is not the name of a shard"):
            open_csr(one.folder)
