"""Draw arrays and sparse matrices of odd types, corrupt them, and read them slowly."""

import contextlib

import numpy as np
import scipy.sparse as sp

from .cases import often, pick

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
