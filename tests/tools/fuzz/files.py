"""Files that are damaged, or made to do harm: models, checkpoints, stores, and matrices."""

import gzip
from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse as sp

from sparsenmf import (
    Checkpoint,
    Factorization,
    NamedMatrix,
    factorize,
    read_matrix,
    write_csr,
)

from ...data.reading.files import FILES
from ...grouped import grouped
from .cases import attempt, case, check, check_canonical, check_factors, often, pick
from .damage import HUGE, MARK, odd_array, spoil


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
