"""Matrices in memory whose arrays are not what they should be."""

import contextlib
import copy
import math

import numpy as np
import scipy.sparse as sp

from sparsenmf import factorize
from sparsenmf.data.validation import check_matrix, check_weighted

from ... import reference
from ...grouped import grouped
from .cases import attempt, case, check, check_canonical, check_factors, often, pick

DTYPES = ("f4", "f8", "f4", "f8", ">f4", ">f8", "f2", "g", "?", "i1", "u1", "i2", ">i4", "i8", "u8")

ODD_DTYPES = ("c8", "O", "U3", "S2", "M8[s]", "m8[s]", "V4", "c16")

INDEX_DTYPES = ("i4", "i8", "i4", "i8", ">i4", "i2", "i1", "u1", "u4", "u8", "f8", "O", "?")

SPECIAL = (
    np.nan, np.inf, -np.inf, -1.0, -0.0, 5e-324, 1e-40, 1e-30, 1e15, 1e30, 3.4e38, 1e200, 1.7e308,
    2.0**24, 2.0**24 + 1, 2.0**53,
)  # fmt: skip

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")

ARRAYS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data", "row", "col"),
    "dia": ("data", "offsets"),
}


def draw_dense(rng, hostile=True, most=7):
    """Return a small dense matrix of multiples of 1/64, some values of which may be special."""
    shape = tuple(rng.integers(1, most + 1, 2))
    dense = rng.integers(0, 640, shape) / 64 * (rng.random(shape) < pick(rng, (0.0, 0.2, 0.6, 1.0)))
    if hostile and often(rng, 0.4):
        dense[tuple(rng.integers(0, shape))] = pick(rng, SPECIAL)
    return dense


def draw_sparse(rng, hostile=True):
    """Return a sparse matrix of any format and type, perhaps untidy."""
    dense = draw_dense(rng, hostile)
    row, column = np.nonzero(dense)
    value = dense[row, column]
    if often(rng, 0.4):  # duplicates, zeros, disorder
        more = rng.integers(0, 4)
        row = np.append(row, rng.integers(0, dense.shape[0], more))
        column = np.append(column, rng.integers(0, dense.shape[1], more))
        value = np.append(value, rng.integers(0, 3, more))
        order = rng.permutation(len(row))
        row, column, value = row[order], column[order], value[order]
    form = pick(rng, FORMATS)
    if form in ("csr", "csc"):  # built by hand, so that duplicates stay
        major, minor = (row, column) if form == "csr" else (column, row)
        n_major = dense.shape[form == "csc"]
        order = np.argsort(major, kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(major, minlength=n_major))])
        kind = getattr(sp, f"{form}_{pick(rng, ('array', 'matrix'))}")
        X = kind((value[order], minor[order], indptr), shape=dense.shape)
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            X = sp.coo_array((value, (row, column)), shape=dense.shape).asformat(form)
    return retype(rng, X, hostile)


def retype(rng, X, hostile):
    """Give the values another type."""
    dtype = pick(rng, ODD_DTYPES) if hostile and often(rng, 0.05) else pick(rng, DTYPES)
    if X.format in ("lil", "dok"):
        return X
    with np.errstate(all="ignore"), contextlib.suppress(TypeError, ValueError):
        X.data = X.data.astype(dtype)
    return X


def twist(rng, array):
    """Return an array that holds something else, or the same in another way."""
    how = rng.integers(15)
    array = np.array(array)
    size = array.size
    if how <= 3 and size and array.dtype.kind in "iuf":
        extremes = (-1, -2, size, size + 1, 7, 8, 127, 2**15, 2**31 - 1, 2**31, 2**62, -(2**31))
        with contextlib.suppress(OverflowError, ValueError):
            array.flat[int(rng.integers(size))] = pick(rng, extremes)
    elif how == 4:
        array = array[: int(rng.integers(0, len(array) + 1))] if array.ndim else array
    elif how == 5 and array.ndim:
        array = np.concatenate([array, array[-1:]])
    elif how == 6:
        with np.errstate(all="ignore"), contextlib.suppress(TypeError, ValueError, OverflowError):
            array = array.astype(pick(rng, INDEX_DTYPES))
    elif how == 7:
        array = array[..., None]
    elif how == 8:
        array = np.repeat(array, 2, axis=0)[::2] if array.ndim else array
    elif how == 9:
        array = array[::-1].copy()[::-1] if array.ndim else array
    elif how == 10:
        array = np.ma.masked_array(array, rng.random(array.shape) < 0.3)
    elif how == 11 and size:
        array = array.reshape(-1)[0].reshape(()) if array.dtype != object else array
    elif how == 12:
        array.flags.writeable = False
    elif how == 13:
        array = array.view(type("Odd", (np.ndarray,), {}))
    elif how == 14 and size > 1:
        p, q = rng.integers(0, len(array), 2)
        array[[p, q]] = array[[q, p]]
    return array


def corrupt(rng, X):
    """Damage one or two arrays of a sparse matrix, behind scipy's back."""
    for _ in range(pick(rng, (1, 1, 1, 2))):
        if X.format == "lil":
            damage_lists(rng, X)
        elif X.format == "dok":
            place = tuple(int(i) for i in rng.integers(-2, 12, 2))
            X._dict[place] = pick(rng, SPECIAL)
        else:
            name = pick(rng, ARRAYS[X.format])
            array = twist(rng, getattr(X, name))
            if name in ("row", "col"):
                coords = list(X.coords)
                coords[name == "col"] = array
                X.coords = tuple(coords)
            else:
                setattr(X, name, array)
    return X


def damage_lists(rng, X):
    i = int(rng.integers(X.shape[0]))
    if often(rng, 0.5):
        X.rows[i] = [*X.rows[i], pick(rng, (-1, 0, 3, 99))]
    if often(rng, 0.7):
        X.data[i] = [*X.data[i], pick(rng, SPECIAL)]


def read_slowly(X):
    """Return the entries of a sparse matrix as [(i, j, value)]; IndexError if it has none."""
    form = X.format
    if form == "lil":
        lists = list(zip(X.rows, X.data, strict=True))
        if any(len(row) != len(values) for row, values in lists):
            raise IndexError
        return [(i, j, x) for i, pair in enumerate(lists) for j, x in zip(*pair, strict=True)]
    if form == "dok":
        return [(i, j, x) for (i, j), x in X._dict.items()]
    if isinstance(X.data, np.ma.MaskedArray):
        raise IndexError
    arrays = [np.asarray(getattr(X, name)) for name in ARRAYS[form]]
    if arrays[0].dtype.kind not in "fbiu":
        raise TypeError
    if form == "dia":
        data, offsets = arrays
        if data.ndim != 2 or offsets.ndim != 1 or len(data) != len(offsets):
            raise IndexError
        spots = [(k, j) for k in range(len(data)) for j in range(data.shape[1])]
        found = [(j - int(offsets[k]), j, data[k, j]) for k, j in spots]
        # What is zero is padding, to scipy as well.
        return [e for e in found if 0 <= e[0] < X.shape[0] and e[1] < X.shape[1] and e[2] != 0]
    if any(array.ndim != 1 for array in arrays[1:]) or arrays[0].ndim != (
        3 if form == "bsr" else 1
    ):
        raise IndexError
    if form == "coo":
        if len({len(array) for array in arrays}) != 1:
            raise IndexError
        return [(int(i), int(j), x) for x, i, j in zip(*arrays, strict=True)]
    return read_compressed(X, *arrays)


def read_compressed(X, data, indices, indptr):
    height, width = data.shape[1:] if X.format == "bsr" else (1, 1)
    n_major = X.shape[X.format == "csc"] // height
    pointers = indptr.tolist()
    if len(pointers) != n_major + 1 or pointers[0] != 0 or pointers != sorted(pointers):
        raise IndexError
    if pointers[-1] > min(len(indices), len(data)):
        raise IndexError
    entries = []
    for i in range(n_major):
        for p in range(int(pointers[i]), int(pointers[i + 1])):
            for s, t in np.ndindex(height, width):
                value = data[p, s, t] if X.format == "bsr" else data[p]
                place = i * height + s, int(indices[p]) * width + t
                entries.append((*(place[::-1] if X.format == "csc" else place), value))
    return entries


def dense_slowly(X):
    """Return a float64 matrix, or None where one must be refused: outside, or a bad value."""
    try:
        entries = read_slowly(X)
    except (IndexError, TypeError, ValueError, OverflowError):
        return None
    dense = np.zeros(X.shape)
    for i, j, x in entries:
        if not (0 <= i < X.shape[0] and 0 <= j < X.shape[1]):
            return None
        try:
            dense[i, j] += float(x)
        except (TypeError, ValueError, OverflowError):
            return None
    return dense if np.isfinite(dense).all() and (dense >= 0).all() else None


def snapshot(X):
    """Return the bytes of what the caller owns."""
    if X.format in ("lil", "dok"):
        return repr(X._dict if X.format == "dok" else (X.rows, X.data))
    arrays = [np.asarray(getattr(X, name)) for name in ARRAYS[X.format]]
    return [(a.dtype.str, a.shape, a.tobytes() if a.dtype != object else repr(a)) for a in arrays]


def same(found, expected):
    """Tell whether two dense matrices agree, but for the rounding of sums in single precision."""
    single = found.dtype == np.float32
    tolerance, tiny = (1e-6, 1e-44) if single else (1e-14, 0)
    return np.allclose(found.astype(float), expected, rtol=tolerance, atol=tiny)


@case
def sparse(rng, folder):
    """`check_matrix` of sparse matrices."""
    X = draw_sparse(rng)
    if often(rng, 0.7):
        X = corrupt(rng, X)
    expected, before = dense_slowly(X), snapshot(X)
    done, found = attempt(lambda: check_matrix(X), "X ")
    check(snapshot(X) == before, "the caller's arrays were written to")
    if not done:
        return "refused"
    check(expected is not None, "accepted", X.format, before)
    check_canonical(found)
    check(same(found.toarray(), expected), found.toarray(), expected)
    check(found.nnz == 0 or found.data.min() > 0, "a stored zero")
    return "right"


@case
def dense(rng, folder):
    """`check_matrix` of what may be a dense matrix."""
    X = draw_dense(rng)
    with np.errstate(all="ignore"):
        X = X.astype(pick(rng, (*DTYPES, *ODD_DTYPES)))
    for _ in range(int(rng.integers(0, 3))):
        X = twist(rng, X)
    if often(rng, 0.1):
        X = pick(
            rng,
            (
                X.tolist(),
                np.asarray(X)[None],
                X.T,
                None,
                "X",
                3,
                {},
                [[1], [1, 2]],
                [],
                np.matrix([1]),
            ),
        )
    before = repr(X)
    done, found = attempt(lambda: check_matrix(X), "X ")
    check(repr(X) == before, "the caller's array was written to")
    if not done:
        return "refused"
    check(not np.ma.isMaskedArray(X), "a masked array was accepted")
    expected = np.asarray(X)
    check(expected.ndim == 2 and expected.size > 0, "accepted", before)
    expected = expected.astype(float)
    check(np.isfinite(expected).all() and (expected >= 0).all(), "accepted", before)
    check_canonical(found)
    check(same(found.toarray(), expected), found.toarray(), expected)
    return "right"


@case
def entries(rng, folder):
    """`check_weighted`: weights, and entries that are unknown."""
    X, missing = (
        draw_sparse(rng, often(rng, 0.5)),
        pick(rng, ("zero", "unknown", "unknown", "none")),
    )
    weights = None
    if often(rng, 0.7):
        weights = copy.deepcopy(X)
        if weights.format not in ("lil", "dok"):
            weights.data = rng.integers(0, 5, weights.data.shape) / 2
        if often(rng, 0.4):
            weights = corrupt(rng, weights)
    if often(rng, 0.4):
        X = corrupt(rng, X)
    values, counts = (None if Y is None else sums_of(Y) for Y in (X, weights))
    names = ("X ", "weights ", "missing ")
    done, result = attempt(lambda: check_weighted(X, weights, missing), *names)
    if not done:
        return "refused"
    check(values is not None and (weights is None or counts is not None), "accepted")
    found, extra = result
    check_canonical(found)
    stored = sp.coo_array(found)
    pairs = {(i, j): x for i, j, x in zip(stored.row, stored.col, found.data, strict=True)}
    plain = weights is None and missing == "zero"
    for place, x in values.items():
        v = 1.0 if weights is None else counts[place]
        there = x != 0 if plain else not np.isnan(x) and (v > 0 or missing != "unknown")
        check((place in pairs) == there, place, x, v, pairs)
        check(not there or math.isclose(pairs[place], x, rel_tol=1e-6), place, x, pairs)
    check(len(pairs) <= len(values), pairs, values)
    check((extra.weights is None) == (weights is None), extra)
    if weights is not None:
        check(extra.weights.shape == found.data.shape and (extra.weights >= 0).all(), extra)
        for i, j, v in zip(stored.row, stored.col, extra.weights, strict=True):
            check(math.isclose(v, counts[i, j], rel_tol=1e-6), v, counts[i, j])
    return "right"


def sums_of(X):
    """Return the stored values by place, summed; None if there are none."""
    try:
        sums = {}
        for i, j, x in read_slowly(X):
            if not (0 <= i < X.shape[0] and 0 <= j < X.shape[1]):
                return None
            sums[i, j] = sums.get((i, j), 0.0) + float(x)
    except (IndexError, TypeError, ValueError, OverflowError):
        return None
    return sums


LOSSES = ({}, {}, {"loss": "kullback-leibler"}, {"solver": "mu"}, {"loss": 1.5}, {"loss": 0.5})

OPTIONS = {
    "init": ("random", "nndsvd", "nndsvda", "nndsvdar", "other"),
    "alpha_W": (0.0, 1e-3, 1e30, -1.0, np.nan),
    "alpha_H": ("same", 0.0, 1.0, "more"),
    "l1_ratio": (0.0, 0.5, 1.0, 2.0),
    "tol": (0, 1e-4, 1e300, -1, "low"),
    "low_memory": (True, False, 1),
    "sample_weight": ([1.0], [], [-1.0], None, "x", [[1.0]], np.ones(4), [0.0, 1.0, 2.0]),
    "dtype": ("f4",),
    "random_state": (0, 2**64, -1, "seed"),
    "W": (np.ones((3, 1)), np.full((4, 1), np.nan), "W", sp.eye_array(3)),
}


@case
def fit(rng, folder):
    """`factorize` and `transform`: the factors are finite, and their objective is theirs."""
    X = draw_sparse(rng, often(rng, 0.3))
    if often(rng, 0.15):
        X = corrupt(rng, X)
    expected, before = dense_slowly(X), snapshot(X)
    n_components = int(rng.integers(1, 4)) if often(rng, 0.9) else pick(rng, (0, -1, 2.0, "2", 99))
    options = {
        "random_state": 0,
        "max_iter": 3,
        "n_threads": int(rng.integers(1, 3)),
        **pick(rng, LOSSES),
    }
    plain = often(rng, 0.6)
    if not plain:
        name = pick(rng, list(OPTIONS))
        options[name] = pick(rng, OPTIONS[name])
    names = (
        "X ",
        *OPTIONS,
        "weights",
        "n_components",
        "loss",
        "beta",
        "stored zeros",
        "argument",
        "solver",
    )
    done, model = attempt(lambda: factorize(X, n_components, **grouped(options)), *names)
    check(snapshot(X) == before, "the caller's arrays were written to")
    if not done:
        return "refused"
    check(expected is not None, "accepted", X.format, before)
    check_factors(model, X.shape, n_components)
    if plain and (model.beta in (1, 2) or even(expected)):
        beta = model.beta
        objective = reference.divergence(
            expected, model.W.astype(float), model.H.astype(float), beta
        )
        scale = objective_scale(expected, beta)
        error = abs(model.objective - objective)
        check(
            error <= (1e-3 if model.W.dtype == np.float32 else 1e-8) * scale,
            model.objective,
            objective,
        )
    transform_more(rng, model, X)
    return "right"


def transform_more(rng, model, X):
    """Give a model what it has seen, or that at another scale."""
    if often(rng, 0.5):
        X = sp.csr_array(dense_slowly(X) * pick(rng, (1e-300, 1e-44, 1e-12, 1e20, 1e200)))
    options = {"n_threads": 1}
    done, W = attempt(lambda: model.transform(X, **options), "X ", "beta")
    check(not done or (np.isfinite(W).all() and (W >= 0).all()), W)
    done, loss = attempt(lambda: model.loss(X, **options), "X ", "beta")
    check(not done or (np.isfinite(loss) and loss >= 0), loss)


def even(X):
    """Tell whether values are of about one size: else some products are below `Loss.floor`."""
    return X.max() == 0 or X.max() < 1e4 * X[X > 0].min()


def objective_scale(X, beta):
    """Return the size of what is subtracted in an objective."""
    return float((X**2).sum() if beta == 2 else X.size * max(X.max(), 1e-300) ** beta * 50) + 1e-30


@case
def observed(rng, folder):
    """`factorize` with weights and unknown entries: finite, and never higher than before."""
    X, options = draw_sparse(rng, often(rng, 0.3)), dict(pick(rng, LOSSES))
    missing = pick(rng, ("unknown", "zero"))
    if often(rng, 0.7) or missing == "zero":
        weights = (
            sp.csr_array(sp.coo_array(np.ones(X.shape))) if often(rng, 0.2) else copy.deepcopy(X)
        )
        if weights.format not in ("lil", "dok"):
            weights.data = rng.integers(0, 5, weights.data.shape) / pick(rng, (2, 2, 1e-30, 1e-12))
        options["weights"] = weights
    options |= {"missing": missing, "random_state": 0, "max_iter": 3, "n_threads": 1}
    names = (
        "X ",
        "weights",
        "missing",
        "stored zeros",
        "n_components",
        "loss",
        "beta",
        "factors overflow",
    )
    done, model = attempt(lambda: factorize(X, 1, **options), *names)
    if not done:
        return "refused"
    check_factors(model, X.shape, 1)
    history = model.objective_history
    check(np.isfinite(history).all(), history)
    check((np.diff(history) <= 1e-4 * abs(history[0]) + 1e-30).all(), history)
    return "right"


@case
def stream(rng, folder):
    """`MiniBatchNMF`: batches that may be anything."""
    from sparsenmf import MiniBatchNMF

    model = MiniBatchNMF(1, random_state=0, max_iter=2, batch_size=3, n_threads=1)
    width = None
    for _ in range(2):
        X = draw_sparse(rng, often(rng, 0.4))
        X = corrupt(rng, X) if often(rng, 0.3) else X
        learn = model.partial_fit if often(rng, 0.6) else model.fit
        expected = dense_slowly(X)
        done, _ = attempt(lambda X=X, learn=learn: learn(X), "X ", "features", "n_components")
        if not done:
            continue
        check(expected is not None, "accepted")
        width = X.shape[1]
        H = model.components_
        check(H.shape == (1, width) and np.isfinite(H).all() and (H >= 0).all(), H)
    if width is None:
        return "refused"
    done, W = attempt(lambda: model.transform(X), "X ", "features", "fitted")
    check(not done or (np.isfinite(W).all() and (W >= 0).all()), "transform")
    return "right"
