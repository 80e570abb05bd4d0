"""Stores whose files are damaged, changed, or not those of the record."""

import json
import os
import shutil
import zlib

import numpy as np

from sparsenmf import (
    factorize,
    open_csr,
    write_csr,
)

from .cases import attempt, case, check, check_canonical, often, pick
from .damage import damage, odd_array, odd_json
from .files import check_nothing_ran, made, named_matrix


def store_files(folder, both_sides):
    write_csr(folder / "made", named_matrix(), shard_nnz=12, both_sides=both_sides)
    files = {}
    for path in sorted((folder / "made").rglob("*")):
        if path.is_file():
            files[str(path.relative_to(folder / "made"))] = path.read_bytes()
    shutil.rmtree(folder / "made")
    return files


def lay_out(store, files):
    for name, content in files.items():
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_bytes(content)


def spoil_store(rng, store, folder, files):
    """Damage one thing; return whether it can be noticed without reading all."""
    name = pick(rng, sorted(files))
    path, how = store / name, rng.integers(9)
    if how == 0:
        path.unlink()
    elif how == 1:
        path.unlink()
        path.symlink_to(
            pick(rng, ("/dev/zero", "/etc/passwd", store / pick(rng, sorted(files)), "x"))
        )
    elif how == 2:
        path.unlink()
        os.mkfifo(path)
    elif how == 3:
        other = store / pick(rng, sorted(files))
        content = path.read_bytes()
        path.write_bytes(other.read_bytes())
        other.write_bytes(content)
    elif how == 4:
        for lost in ("bait", "shard-00099/data.npy", ".sparsenmf-lock", ".shape.json-x"):
            (store / lost).parent.mkdir(exist_ok=True)
            if often(rng, 0.5):
                (store / lost).symlink_to(folder / "bait")
    elif how <= 6:
        change_record(rng, store / "shape.json")
    elif name.endswith(".npy") and often(rng, 0.5):
        path.write_bytes(odd_array(rng, np.load(path), folder))
    else:
        path.write_bytes(damage(rng, path.read_bytes()))


def change_record(rng, path):
    """Change the record, and give it a true checksum."""
    content = json.loads(path.read_bytes())
    del content["crc32"]
    content = odd_json(rng, content)
    if isinstance(content, dict) and often(rng, 0.2):
        shards = content.get("shards")
        if isinstance(shards, list) and shards and isinstance(shards[0], dict):
            names = (
                "../shard-00000",
                "/etc",
                "shard-00000\n",
                "shard-00001",
                "shard-\u0660\u0660\u0660\u0660\u0660",
                "",
            )
            shards[0] = {**shards[0], "folder": pick(rng, names)}
    if isinstance(content, dict):
        content["crc32"] = zlib.crc32(json.dumps(content, sort_keys=True).encode())
    path.write_text(json.dumps(content))


@case
def store(rng, folder):
    """`open_csr`, and reading and appending to what it opens."""
    both_sides, store = often(rng, 0.5), folder / "store"
    files = made(f"store {both_sides}", lambda: store_files(folder, both_sides))
    lay_out(store, files)
    bait = folder / "bait"
    bait.write_bytes(b"precious")
    os.utime(bait, (0, 0))
    spoil_store(rng, store, folder, files)
    done, result = attempt(lambda: read_store(store, often(rng, 0.3)), str(store))
    check_nothing_ran(folder)
    if often(rng, 0.5):
        options = {pick(rng, ("append", "overwrite")): True}
        attempt(
            lambda: write_csr(store, named_matrix(), **options),
            str(store),
            "n_features",
            "dtype",
            "block 0 ",
        )
    check(bait.read_bytes() == b"precious", "written through a link")
    if not done:
        return "refused"
    for X in result:
        check_canonical(X)
        check(X.nnz == 0 or (X.data.min() > 0 and np.isfinite(X.data).all()), X.data)
    return "right"


def read_store(folder, verify):
    """Read all of a store, in blocks and as a whole, and fit it."""
    opened = open_csr(folder, verify=verify)
    repr(opened)
    blocks = [opened.rows(*block) for block in opened.blocks(10)]
    whole = opened.rows(0, opened.shape[0])
    check(sum(X.nnz for X in blocks) == whole.nnz == opened.nnz, blocks, whole)
    model = factorize(opened, 1, max_iter=1, n_threads=1)
    if model.feature_names is not None:
        model.top_terms()
    if opened.transposed is None:
        return [*blocks, whole]
    factorize(opened, 1, loss="kullback-leibler", max_iter=1, n_threads=1)
    columns = [opened.transposed.rows(*block) for block in opened.transposed.blocks(10)]
    check(sum(X.nnz for X in columns) == opened.nnz, columns)
    return [*blocks, whole, *columns]
