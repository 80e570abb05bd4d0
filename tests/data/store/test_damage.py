"""Damaged files of stores, and files that are none of theirs, are named and refused."""

import json
import os
import re
import shutil
import zlib

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import open_csr, write_csr

from ...children import posix


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
