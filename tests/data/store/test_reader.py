"""Stores give back their matrix in any blocks; damaged files are named and refused."""

import json
import multiprocessing
import os
import pickle
import re
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import open_csr, write_csr
from sparsenmf.data.store import reader
from sparsenmf.data.store.layout import Record, Shard, write_record
from sparsenmf.data.store.shards import GrowingArray

from ...children import posix


@pytest.fixture(scope="module")
def X():
    """Return rows of very different lengths; some are empty, as are the first and the last."""
    rng = np.random.default_rng(0)
    X = sp.random_array((500, 80), density=0.2, rng=rng, format="lil", dtype=np.float32)
    X[rng.random(500) < 0.3] = 0
    X[:3] = X[-3:] = 0
    X[77] = rng.random((1, 80)) + 0.1
    return sp.csr_array(X)


def cut(X, step):
    return (X[start : start + step] for start in range(0, X.shape[0], step))


@pytest.fixture
def store(X, tmp_path):
    return write_csr(tmp_path / "store", cut(X, 30), shard_nnz=900)


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
    monkeypatch.setattr(reader, "find_problem", lambda *_: None)
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


def shard_files(store):
    return sorted(store.folder.glob("shard-*/*.npy"))


def test_truncated_or_missing_file_is_named_at_once(store):
    assert len(shard_files(store)) == 3 * store.n_shards
    for path in shard_files(store):
        whole = path.read_bytes()
        for damaged in (b"", whole[:60], whole[:-1], whole + b"\0", b"x" * len(whole)):
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=f"{path} .*is damaged"):
                open_csr(store.folder)
        path.unlink()
        with pytest.raises(ValueError, match=f"{path} is missing"):
            open_csr(store.folder)
        path.write_bytes(whole)
    open_csr(store.folder)


def test_every_flipped_bit_is_noticed(store, rng):
    for path in shard_files(store):
        whole = path.read_bytes()
        for position in (0, 70, 128, len(whole) - 1, *rng.integers(128, len(whole), 5)):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=f"{path} .*damaged"):
                open_csr(store.folder, verify=True)
        path.write_bytes(whole)
    open_csr(store.folder, verify=True)


def test_every_flipped_bit_of_the_record_is_refused_or_harmless(X, tmp_path):
    store = write_csr(tmp_path / "store", X)
    path = store.folder / "shape.json"
    whole = path.read_bytes()
    harmless = refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            opened = open_csr(store.folder)
        except ValueError as error:
            refused += "shape.json" in str(error)
        else:
            harmless += 1
            assert opened._record == store._record
    assert harmless + refused == len(whole)
    assert harmless < len(whole) / 20


def test_damaged_indices_are_never_handed_on(X, store):
    """Checksums are compared on demand only, but kernels must never read outside of arrays."""
    first = store.folder / "shard-00000"
    for name, value in (("indices", 80), ("indices", -1), ("indptr", -5), ("indptr", 10**9)):
        path = first / f"{name}.npy"
        whole = path.read_bytes()
        array = np.load(path, mmap_mode="r+")
        array[len(array) // 2] = value
        array.flush()
        with pytest.raises(ValueError, match=rf"shard-00000 is damaged: {name}\.npy"):
            open_csr(store.folder).rows(0, 400)
        for max_nnz in (1, 100, 1000):
            assert open_csr(store.folder).blocks(max_nnz)[-1][1] == 500  # comes to an end
        path.write_bytes(whole)


def rewrite(folder, change):
    path = folder / "shape.json"
    content = json.loads(path.read_text())
    del content["crc32"]
    change(content)
    content["crc32"] = zlib.crc32(json.dumps(content, sort_keys=True).encode())
    path.write_text(json.dumps(content))


def negative_nnz(content):
    content["nnz"] -= content["shards"][0]["nnz"] + 1
    content["shards"][0]["nnz"] = -1


BAD_RECORDS = {
    "newer format": (lambda c: c.update(format=2, more=1), "format 2, .* upgrade sparsenmf"),
    "no shards": (lambda c: c.update(shards=[]), "do not add up"),
    "other shape": (lambda c: c.update(shape=[501, 80]), "do not add up"),
    "other dtype": (lambda c: c.update(dtype="int32"), "dtype is int32"),
    "wrong dtype": (lambda c: c.update(dtype="float64"), "holds another array"),
    "outside": (lambda c: c["shards"][0].update(folder="../store"), "not the name of a shard"),
    "below": (
        lambda c: c["shards"][0].update(folder="shard-00000/../x"),
        "not the name of a shard",
    ),
    "other digits": (
        lambda c: c["shards"][0].update(folder="shard-\u0660\u0660\u0660\u0660\u0660"),
        "not the name of a",
    ),
    "half a row": (lambda c: c["shards"][0].update(rows=1.0 * c["shards"][0]["rows"]), "integer"),
    "features": (lambda c: c.update(shape=[c["shape"][0], 80.0]), "n_features must be an integer"),
    "no features": (lambda c: c.update(shape=[c["shape"][0], 0]), "n_features must be at least 1"),
    "huge": (lambda c: c.update(shape=[c["shape"][0], 10**30]), "cannot have 1"),
    "max_value": (lambda c: c["shards"][0].update(max_value=float("nan")), "max_value of shard"),
    "negative nnz": (negative_nnz, "nnz of shard-00000 must be at least 0"),
    "no files": (lambda c: c["shards"][0].pop("files"), "files"),
    "missing file": (lambda c: c["shards"][0]["files"].pop("data.npy"), "data.npy"),
    "no list": (lambda c: c.update(shards=3), "not a store's record"),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_records_of_others_are_refused(case, store):
    change, message = BAD_RECORDS[case]
    rewrite(store.folder, change)
    with pytest.raises(ValueError, match=message) as caught:
        open_csr(store.folder)
    assert str(store.folder) in str(caught.value)
    before = sorted(store.folder.rglob("*"))
    with pytest.raises(ValueError, match=message):
        write_csr(store.folder, sp.eye_array(80), append=True)
    assert sorted(store.folder.rglob("*")) == before


def test_file_with_something_behind_its_array_is_refused(store):
    path = store.folder / "shard-00000" / "data.npy"
    path.write_bytes(path.read_bytes() + b"more")
    size = path.stat().st_size
    rewrite(store.folder, lambda c: c["shards"][0]["files"]["data.npy"].update(bytes=size))
    with pytest.raises(ValueError, match=r"data.npy holds another array"):
        open_csr(store.folder)


HARM = {
    "not a number": ("data", lambda a: np.where(np.arange(len(a)) == 3, np.nan, a)),
    "negative": ("data", lambda a: -a),
    "zero": ("data", lambda a: a * (np.arange(len(a)) != 3)),
    "larger than any": ("data", lambda a: a * 1e9),
    "not in order": ("indices", lambda a: a[::-1]),
    "twice": ("indices", lambda a: a * 0 + 1),
    "negative at first": ("indices", lambda a: a - 80 * (np.arange(len(a)) == 0)),
    "ends too early": ("indptr", lambda a: np.minimum(a, a[-1] - 1)),
    "begins too late": ("indptr", lambda a: np.maximum(a, 1)),
}


@pytest.mark.parametrize("case", HARM)
def test_damaged_values_are_never_handed_on(case, store):
    """Kernels would not read outside of arrays, but would give wrong results."""
    name, change = HARM[case]
    path = store.folder / "shard-00000" / f"{name}.npy"
    array = np.load(path)
    np.save(path, change(array).astype(array.dtype))
    with pytest.raises(ValueError, match=rf"shard-00000 is damaged: {name}\.npy"):
        open_csr(store.folder).rows(0, 400)


@posix
@pytest.mark.parametrize("name", ["shape.json", "shard-00000/data.npy"])
def test_pipes_and_devices_are_not_opened(name, store):
    """Reading them would never end."""
    for target in ("/dev/zero", None):
        (store.folder / name).unlink()
        if target is None:
            os.mkfifo(store.folder / name)
        else:
            (store.folder / name).symlink_to(target)
        with pytest.raises(ValueError, match=f"{name} is not a file"):
            open_csr(store.folder)


@posix
@pytest.mark.parametrize(
    "name", [".sparsenmf-lock", "shard-00099", "shape.json", ".shape.json-x", ".sort-x"]
)
def test_links_are_neither_written_through_nor_emptied(name, store, tmp_path):
    """Through a link, someone else's folder could make us overwrite or remove our own files."""
    outside = tmp_path / "outside"
    if name in ("shard-00099", ".sort-x"):
        outside.mkdir()
        bait = outside / "data.npy"
    else:
        bait = outside
    bait.write_bytes((store.folder / "shape.json").read_bytes())
    os.utime(bait, (0, 0))  # an old lock would be taken over
    before = bait.read_bytes()
    (store.folder / name).unlink(missing_ok=True)
    (store.folder / name).symlink_to(outside)
    for options in ({"append": True}, {"overwrite": True}):
        with pytest.raises(ValueError, match=f"{name} is a link"):
            write_csr(store.folder, sp.eye_array(80), **options)
    assert bait.read_bytes() == before


def test_folders_that_are_not_stores_are_refused(store, tmp_path):
    with pytest.raises(FileNotFoundError):
        open_csr(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=f"{re.escape(str(tmp_path))} is not a store"):
        open_csr(tmp_path)
    (store.folder / "shape.json").unlink()
    with pytest.raises(ValueError, match="is an unfinished store"):
        open_csr(store.folder)
    shutil.rmtree(store.folder)
    (tmp_path / "store").mkdir()
    with pytest.raises(ValueError, match="is not a store"):
        open_csr(store.folder)
