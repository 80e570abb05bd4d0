"""Stores give back their matrix in any blocks; damaged files are named and refused."""

import json
import multiprocessing
import pickle
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import open_csr, write_csr
from sparsenmf.data.store.layout import Record, Shard, write_record
from sparsenmf.data.store.shards import GrowingArray

from ...children import posix
from .cutting import cut


def assert_same(found, expected):
    """Bit for bit, canonical, and with index types that scipy and the kernels take."""
    assert isinstance(found, sp.csr_array)
    assert found.shape == expected.shape
    assert found.indices.dtype == found.indptr.dtype == np.int32
    assert found.dtype == expected.dtype
    checked = sp.csr_array((found.data, found.indices, found.indptr), shape=found.shape)
    assert checked.has_canonical_format
    assert found.has_canonical_format
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_store_is_what_was_written(X, store, tmp_path):
    for opened in (store, open_csr(str(tmp_path / "store"), verify=True)):
        assert (opened.shape, opened.nnz, opened.dtype) == (X.shape, X.nnz, X.dtype)
        assert opened.max_value == X.max()
        assert opened.n_shards == -(-X.nnz // 900) or opened.n_shards > X.nnz // 900
        assert opened.folder == tmp_path / "store"
        assert opened.nbytes > 8 * X.nnz
        assert repr(opened).startswith(f"<CsrStore of 500 x 80, {X.nnz:,} nonzeros, float32, ")
        assert_same(opened.rows(0, 500), X)


def test_any_rows_are_those_of_the_matrix(X, store, rng):
    starts = rng.integers(0, 501, 200)
    for start, stop in [
        (0, 0),
        (500, 500),
        (0, 1),
        (499, 500),
        *zip(starts, starts + 1, strict=True),
    ]:
        stop = min(stop + rng.integers(0, 60), 500)
        assert_same(store.rows(start, stop), X[start:stop])
    for start, stop in [(-1, 3), (4, 3), (0, 501)]:
        with pytest.raises(IndexError, match=r"not within \[0, 500\]"):
            store.rows(start, stop)


def test_rows_of_one_shard_are_views(store):
    X = store.rows(2, 5)
    assert not X.data.flags.writeable
    assert not X.data.flags.owndata
    assert not X.indices.flags.owndata


@pytest.fixture(scope="module")
def stores(X, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    sizes = {1: X.nnz, 7: 900, 60: 100}
    stores = [write_csr(folder / f"{n}", cut(X, 7 * n), shard_nnz=s) for n, s in sizes.items()]
    assert [store.n_shards == 1 for store in stores] == [True, False, False]
    return stores


@pytest.mark.parametrize("max_nnz", [1, 7, 80, 500, 2000, 10**9])
def test_blocks_are_even_and_do_not_depend_on_the_shards(max_nnz, X, stores):
    store = stores[0]
    blocks = store.blocks(max_nnz)
    assert [start for start, _ in blocks] == [0, *(stop for _, stop in blocks[:-1])]
    assert blocks[-1][1] == 500
    sizes = np.array([X[start:stop].nnz for start, stop in blocks])
    alone = np.array([stop - start == 1 for start, stop in blocks])
    assert (alone | (sizes <= max_nnz)).all()
    if max_nnz >= 500:  # a row has up to 80
        assert sizes.max() - sizes.min() <= 2 * 80
        assert len(blocks) <= -(-X.nnz // (max_nnz - 80))
    assert [other.blocks(max_nnz) for other in stores] == [blocks] * 3


def test_iteration_is_over_blocks(X, store, monkeypatch):
    monkeypatch.setattr(type(store).blocks, "__defaults__", (700,))
    found = list(store)
    assert len(found) == len(store.blocks(700)) > 2
    assert_same(sp.csr_array(sp.vstack(found)), X)
    with pytest.raises(ValueError, match="max_nnz must be at least 1"):
        store.blocks(0)


def test_many_shards_do_not_stay_open(X, tmp_path, monkeypatch):
    monkeypatch.setattr("sparsenmf.data.store.reader.MAPPED_SHARDS", 2)
    store = write_csr(tmp_path / "store", X, shard_nnz=50)
    assert store.n_shards > 20
    assert_same(store.rows(0, 500), X)
    assert store._map.cache_info().currsize == 2


def test_files_are_plain_and_as_documented(X, store):
    """This reads them from the documentation alone, without the package."""
    content = json.loads((store.folder / "shape.json").read_text())
    checksum = content.pop("crc32")
    assert checksum == zlib.crc32(json.dumps(content, sort_keys=True).encode())
    assert content["format"] == 1
    assert content["shape"] == [500, 80]
    pieces = []
    for shard in content["shards"]:
        arrays = {}
        for name, info in shard["files"].items():
            path = store.folder / shard["folder"] / name
            arrays[name] = np.load(path, allow_pickle=False)
            assert path.stat().st_size == info["bytes"]
            assert zlib.crc32(arrays[name]) == info["crc32"]
        order = ("data.npy", "indices.npy", "indptr.npy")
        assert [arrays[name].dtype for name in order] == [np.float32, np.int32, np.int64]
        pieces.append(
            sp.csr_array(tuple(arrays[name] for name in order), shape=(shard["rows"], 80))
        )
        assert shard["max_value"] == pieces[-1].max()
    np.testing.assert_array_equal(sp.vstack(pieces).toarray(), X.toarray())


def test_pickled_store_is_the_same_also_when_more_was_appended(X, store, monkeypatch, tmp_path):
    monkeypatch.chdir(store.folder.parent)
    pickled = pickle.dumps(open_csr("store"))
    monkeypatch.chdir("/")
    write_csr(store.folder, X, append=True)
    loaded = pickle.loads(pickled)
    assert_same(loaded.rows(0, 500), X)
    assert loaded.shape == store.shape == (500, 80)
    assert_same(store.rows(100, 200), X[100:200])
    assert open_csr(store.folder).shape == (1000, 80)


def digest(store):
    return [
        zlib.crc32(block.data) for block in map(store.rows, *zip(*store.blocks(300), strict=True))
    ]


@posix
def test_store_is_used_by_threads_and_after_a_fork(store):
    expected = digest(store)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(digest, [store] * 8)) == [expected] * 8
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.apply(digest, (store,)) == expected


def test_two_to_the_31_nonzeros(tmp_path, monkeypatch):
    """Two sparse files of 3e9 nonzeros each, of which only the last ones are written."""
    # What was never written is zero, which a store does not have.
    monkeypatch.setattr("sparsenmf.data.store.shards.find_problem", lambda *_: None)
    n_rows, width, n_features = 1000, 3 * 10**6, 4 * 10**6
    nnz = n_rows * width
    shards = []
    for name in ("shard-00000", "shard-00001"):
        (tmp_path / name).mkdir()
        files = {}
        for array, dtype in (("indptr", np.int64), ("indices", np.int32), ("data", np.float32)):
            growing = GrowingArray(tmp_path / name / f"{array}.npy", dtype)
            if array == "indptr":
                growing.add(np.arange(n_rows + 1) * width)
            else:
                growing._file.seek(4 * (nnz - 3), 1)
                growing._length = nnz - 3
                growing.add([7, 8, n_features - 1])
            files[f"{array}.npy"] = growing.finish()
        shards.append(Shard(name, n_rows, nnz, 1.0, files))
    write_record(tmp_path, Record(n_features, np.dtype(np.float32), tuple(shards)))
    store = open_csr(tmp_path)
    assert store.shape == (2 * n_rows, n_features)
    assert store.nnz == 2 * nnz > 2**32
    blocks = store.blocks(2**27)
    sizes = np.diff(blocks, axis=1).ravel() * width
    assert sizes.sum() == 2 * nnz
    assert 0.9 * 2**27 < sizes.min() <= sizes.max() <= 2**27
    for stop in (n_rows, 2 * n_rows):
        X = store.rows(stop - 1, stop)
        assert X.nnz == width
        assert X.indptr.tolist() == [0, width]
        assert X.indices[-4:].tolist() == [0, 7, 8, n_features - 1]
        assert X.data[-3:].tolist() == [7, 8, n_features - 1]
    assert store.rows(n_rows - 1, n_rows + 1).indptr.tolist() == [0, width, 2 * width]
