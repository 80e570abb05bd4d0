"""Files that are damaged, or made to do harm: models, checkpoints, stores, and matrices."""

import gzip
import io
import json
import os
import shutil
import zipfile
import zlib
from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse as sp

from sparsenmf import (
    Checkpoint,
    Factorization,
    NamedMatrix,
    factorize,
    open_csr,
    read_matrix,
    write_csr,
)

from ...data.reading.files import FILES
from ...grouped import grouped
from .cases import attempt, case, check, check_canonical, check_factors, often, pick

HUGE = (10**15, 2**63 - 1, 2**64, 10**30, -1, 0, 2**31, 2**32)

MARK = "evil"
"""A file of this name appears if something is unpickled."""


class Payload:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, folder):
        self.path = str(folder / MARK)

    def __reduce__(self):
        return open, (self.path, "w")


def damage(rng, content):
    """Return other bytes."""
    content = bytearray(content)
    for _ in range(pick(rng, (1, 1, 1, 2, 8))):
        size = len(content)
        how = rng.integers(9)
        p, q = sorted(int(i) for i in rng.integers(0, size + 1, 2))
        if how <= 2 and p < size:
            content[p] ^= 1 << int(rng.integers(8))
        elif how == 3 and p < size:
            content[p] = pick(rng, (0, 1, 9, 10, 32, 45, 46, 48, 57, 127, 128, 255))
        elif how == 4:
            del content[p:]
        elif how == 5:
            del content[p : min(q, p + 40)]
        elif how == 6:
            content[p:p] = content[p : min(q, p + 40)]
        elif how == 7:
            content[p : p + 8] = int(pick(rng, HUGE) % 2**64).to_bytes(8, "little")
        elif how == 8:
            content += bytes(rng.integers(0, 256, int(rng.integers(1, 30))).astype(np.uint8))
    return bytes(content)


def npy(array, header=None):
    """Return the bytes of a .npy file, perhaps with another header."""
    file = io.BytesIO()
    if header is None:
        np.lib.format.write_array(file, array, allow_pickle=True)
        return file.getvalue()
    known = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_2_0(file, {**known, **header})
    return file.getvalue() + array.tobytes()


def odd_array(rng, array, folder):
    """Return the bytes of another .npy file in an array's place."""
    how = rng.integers(8)
    if how == 0:
        return npy(np.array([Payload(folder)], dtype=object).reshape((1,) * max(array.ndim, 1)))
    if how == 1:
        shape = list(array.shape) or [1]
        shape[int(rng.integers(len(shape)))] = pick(rng, HUGE)
        return npy(array, {"shape": tuple(shape)})
    if how == 2:
        dtypes = ("<f2", ">f8", "<i8", "|O", "<U9", "|V7", "<c16", "|b1", "<M8[s]", "|V0", "<U0")
        return npy(array, {"descr": pick(rng, dtypes)})
    if how == 3:
        return npy(array, {"shape": pick(rng, ((), (3,), (1, 2, 3), (0,), (0, 3), (2**40, 2**40)))})
    if how == 4:
        return npy(array)[: -int(rng.integers(1, 20))]
    if how == 5 and array.dtype.kind == "f" and array.size:
        array = array.copy()
        array.flat[0] = pick(rng, (np.nan, -1.0, np.inf, 1e38, -0.0))
        return npy(array)
    if how == 6:
        dtypes = ("f2", ">f8", ">f4", "i8", "U3", "c8", "?")
        with np.errstate(all="ignore"):
            return npy(array.astype(pick(rng, dtypes)) if array.dtype.kind in "fi" else array)
    return damage(rng, npy(array))


def odd_number(rng):
    """Return what JSON can hold in place of a number."""
    nested = []
    for _ in range(5):
        nested = [nested]
    odd = (None, True, "7", 1.5, -1, 10**30, float("nan"), float("inf"), [], {}, nested, 2**63, 0)
    return pick(rng, odd)


def odd_json(rng, record):
    """Change something anywhere in a JSON value."""
    if isinstance(record, dict) and record and often(rng, 0.8):
        name = pick(rng, sorted(record))
        if often(rng, 0.15):
            return {key: value for key, value in record.items() if key != name}
        if often(rng, 0.1):
            return {**record, "more": odd_number(rng)}
        return {**record, name: odd_json(rng, record[name])}
    if isinstance(record, list) and record and often(rng, 0.7):
        i = int(rng.integers(len(record)))
        return [*record[:i], odd_json(rng, record[i]), *record[i + 1 :]]
    return odd_number(rng)


def repack(rng, path, folder):
    """Change members of an archive, with true checksums; or how it is packed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(pick(rng, (1, 1, 2))):
        name = pick(rng, sorted(members))
        if name.endswith(".json"):
            members[name] = json.dumps(odd_json(rng, json.loads(members[name]))).encode()
        elif often(rng, 0.9):
            array = np.load(io.BytesIO(members[name])) if members[name] else np.zeros(3)
            members[name] = odd_array(rng, array, folder)
        else:
            members[name] = b""
        if often(rng, 0.05):
            del members[name]
        if not members or any(not content for content in members.values()):
            break
        if any(not is_npy(c) for n, c in members.items() if not n.endswith(".json")):
            break
    methods = (zipfile.ZIP_STORED,) * 6 + (
        zipfile.ZIP_DEFLATED,
        zipfile.ZIP_LZMA,
        zipfile.ZIP_BZIP2,
    )
    with zipfile.ZipFile(path, "w", pick(rng, methods)) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if often(rng, 0.05):
            archive.writestr("../../evil", b"")
            archive.writestr("/tmp/evil", b"")


def is_npy(content):
    try:
        np.load(io.BytesIO(content))
    except Exception:  # whatever NumPy says of damaged bytes: it does not read them
        return False
    return True


def spoil(rng, path, folder):
    """Damage a file's bytes, or what is in an archive."""
    if path.suffix in (".npz", ".nmf") and often(rng, 0.6):
        repack(rng, path, folder)
    else:
        path.write_bytes(damage(rng, path.read_bytes()))


def check_nothing_ran(folder):
    """Raise if a payload was unpickled, or something was written elsewhere."""
    check(not (folder / MARK).exists(), "a pickle was loaded")


_made = {}


def made(name, make):
    """Return the bytes of a file that is made once."""
    if name not in _made:
        _made[name] = make()
    return _made[name]


def small_matrix():
    X = sp.random_array((9, 7), density=0.4, rng=0, format="csr") * 8
    return sp.csr_array(X)


def named_matrix():
    terms = [f"term {j} \N{SNOWMAN}" for j in range(7)]
    return NamedMatrix(small_matrix(), feature_names=terms, sample_names=list("abcdefghi"))


def model_bytes(folder, **options):
    model = factorize(
        named_matrix(), 2, random_state=0, max_iter=3, n_threads=1, **grouped(options)
    )
    model.save(folder / "model.nmf")
    return (folder / "model.nmf").read_bytes()


@case
def model(rng, folder):
    """`Factorization.load`, and what is loaded is used."""
    options = pick(rng, ({}, {"loss": "kullback-leibler"}, {"feature_weight": np.arange(1.0, 8)}))
    path = folder / "model.nmf"
    path.write_bytes(made(f"model {options}", lambda: model_bytes(folder, **options)))
    spoil(rng, path, folder)
    done, loaded = attempt(lambda: Factorization.load(path), str(path))
    check_nothing_ran(folder)
    if not done:
        return "refused"
    check_factors(loaded, (loaded.n_samples, loaded.n_features), loaded.n_components)
    repr(loaded)
    if loaded.feature_names is not None:
        check(all(isinstance(x, str) for terms in loaded.top_terms() for x in terms), loaded)
    X = sp.csr_array(np.ones((2, loaded.n_features)))
    done, W = attempt(
        lambda: loaded.transform(X, n_threads=1),
        "X ",
        "alpha",
        "l1_ratio",
        "loss",
        "missing",
        "overflow",
    )
    check(not done or (np.isfinite(W).all() and (W >= 0).all()), W)
    return "right"


def checkpoint_bytes(folder):
    options = {"random_state": 0, "max_iter": 3, "tol": 0, "n_threads": 1}
    factorize(small_matrix(), 2, checkpoint=Checkpoint(folder / "state.nmf", every=1), **options)
    return (folder / "state.nmf").read_bytes()


@case
def checkpoint(rng, folder):
    """A fit that goes on from a checkpoint."""
    path = folder / "state.nmf"
    path.write_bytes(made("checkpoint", lambda: checkpoint_bytes(folder)))
    spoil(rng, path, folder)
    options = {"random_state": 0, "max_iter": 5, "tol": 0, "n_threads": 1}
    done, found = attempt(
        lambda: factorize(small_matrix(), 2, checkpoint=Checkpoint(path, resume=True), **options),
        str(path),
        "overflow",
    )
    check_nothing_ran(folder)
    if not done:
        return "refused"
    check_factors(found, (9, 7), 2)
    return "right"


def write_matrix(path, X, form):
    name = path.name
    if name.endswith(".npz"):
        sp.save_npz(path, X.asformat(form), compressed=form != "csr")
    elif name.endswith(".npy"):
        np.save(path, X.toarray(order="C"))
    elif name.endswith(".h5ad"):
        from anndata import AnnData

        AnnData(sp.csr_matrix(X)).write_h5ad(path)
    else:
        with (gzip.open if name.endswith(".gz") else open)(path, "wb") as file:
            scipy.io.mmwrite(file, X.toarray() if form == "array" else X, symmetry="general")


def matrix_bytes(path, form):
    write_matrix(path, small_matrix(), form)
    return path.read_bytes()


def spoil_text(rng, path):
    """Change numbers and words of a file of numbers."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        lines = file.read().split(b"\n")
    for _ in range(pick(rng, (1, 1, 2))):
        i = int(rng.integers(0, min(len(lines), pick(rng, (1, 4, 99)))))
        words = lines[i].split()
        if words:
            odd = (
                *HUGE,
                "x",
                "1e999",
                "-1e-5",
                "nan",
                "inf",
                "1.5",
                "symmetric",
                "array",
                "complex",
                "integer",
                "pattern",
                "%",
                "\0",
                "9" * 400,
                "é",
                "skew-symmetric",
                "hermitian",
            )
            words[int(rng.integers(len(words)))] = str(pick(rng, odd)).encode()
            lines[i] = pick(rng, (b" ", b" ", b"\t", b"\r")).join(words)
    with opened(path, "wb") as file:
        file.write(b"\n".join(lines))


def try_matrix(rng, folder, suffix, forms):
    """`read_matrix` and `write_csr` of a damaged file: both read the same, or refuse it."""
    form, path = pick(rng, forms), folder / f"X{suffix}"
    path.write_bytes(made(f"{suffix} {form}", lambda: matrix_bytes(path, form)))
    if ".mtx" in suffix and often(rng, 0.6):
        spoil_text(rng, path)
    elif suffix == ".npy" and often(rng, 0.5):
        path.write_bytes(odd_array(rng, small_matrix().toarray(), folder))
    else:
        spoil(rng, path, folder)
    return read_and_store(path, folder)


def read_and_store(path, folder):
    """Read a file both ways."""
    done, X = attempt(lambda: read_matrix(path), str(path))
    check_nothing_ran(folder)
    if done:
        check_canonical(X)
        check(X.nnz == 0 or (X.data.min() > 0 and np.isfinite(X.data).all()), X.data)
    # What is wrong with values is said of a block, not of the file.
    names = (str(path), "block ", "do not fit on the disk")
    if announces_rows(path):
        return "right" if done else "refused"
    stored, store = attempt(lambda: write_csr(folder / "store", path), *names)
    check_nothing_ran(folder)
    if not stored:
        check(not (folder / "store").exists(), "something is left")
    elif done:
        Y = store.rows(0, store.shape[0])
        check(Y.shape == X.shape and (Y != X).nnz == 0, X, Y)
    return "right" if done else "refused"


def announces_rows(path):
    """Tell whether a store would have gigabytes of rows without entries: believed, but slow."""
    if ".mtx" not in path.name and "docword" not in path.name:
        return False
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except Exception:  # damaged, so that it may hold any number
            return True
    return b"2147483648" in content or b"4294967296" in content


@case
def npz(rng, folder):
    """Matrices of scipy's."""
    return try_matrix(rng, folder, ".npz", ("csr", "csc", "coo", "bsr", "dia"))


@case
def dense_npy(rng, folder):
    """Dense matrices of NumPy's."""
    return try_matrix(rng, folder, ".npy", ("dense",))


TEXTUAL = (".csv", ".tsv", ".tab", ".txt", ".dat", ".ldac", ".svmlight", ".libsvm")

WRITTEN = [name for name in FILES if Path(name).suffix.lower() in TEXTUAL]


@case
def written(rng, folder):
    """Matrices written as text: tables, triplets, svmlight, lda-c, bags of words."""
    name = pick(rng, WRITTEN)
    path = folder / name
    FILES[name][0](path)
    spoil_text(rng, path)
    return read_and_store(path, folder)


@case
def market(rng, folder):
    """MatrixMarket."""
    return try_matrix(rng, folder, pick(rng, (".mtx", ".mtx", ".mtx.gz")), ("coordinate", "array"))


@case
def h5ad(rng, folder):
    """AnnData."""
    return try_matrix(rng, folder, ".h5ad", ("csr",))


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
