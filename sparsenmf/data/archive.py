"""Saved factorizations, without pickle.

Model files
-----------
`Factorization.save` writes a zip archive that is not compressed. Any language with zip, JSON and
the .npy format (a short header, then the plain array) can read it. NumPy's .npz files are such
archives, too, so ``numpy.load(path)["W"]`` works. Its members:

``factorization.json``
    ``{"format": 1, "stop_reason": str, "optimality": number, "x_norm": number,
    "error": number, "options": {...}}``, the attributes of `Factorization`. NaN is
    written as ``NaN``. A reader refuses formats that it does not know, members that are
    compressed and members that claim to be larger than the file.
``W.npy``, ``H.npy``
    Both float32 or both float64, of shape (n_samples, n_components) and (n_components,
    n_features). The header says whether rows (C order) or columns come first.
``objective_history.npy``, ``time_history.npy``
    float64, one number for each iteration; the times are in seconds.
``idf.npy``
    The inverse document frequency of each column, float64, for a model of tf-idf weights.
``texts.json``
    The terms, the titles, and the settings of the vectorizer, for a model of texts.
``sample_norms.npy``
    The sum and the Euclidean length of each row of X, of shape (n_samples, 2) and the type of
    W. The member is absent if they are not known.
``feature_names.npy``, ``sample_names.npy``
    Names of columns and rows, as text of fixed width (NumPy's "U"); those of rows may be int64.
    Absent if X had none.
"""

import json
import math
import os
import zipfile

import numpy as np

from .damage import DAMAGE, Damaged, describe_damage
from .outputs import open_whole

FORMAT = 1

METADATA = "factorization.json"

LAST_CHARACTER = 0x10FFFF

DEFLATE_MOST = 1032  # bytes that one compressed byte can stand for, at most

SAVED = "saved Factorization"


def write_archive(path, record, arrays, texts=None):
    """Write a record and arrays to a file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
    record : dict
        Written as JSON.
    arrays : dict of str -> ndarray
    texts : dict of str -> str, optional
        Other members, by their names.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written to.
    """
    with open_whole(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(METADATA, json.dumps({"format": FORMAT, **record}, indent=1))
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
        for name, text in (texts or {}).items():
            archive.writestr(name, text)


def is_archive(path, member=METADATA):
    """Return whether a file is an archive that has a member, though it may be damaged."""
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            return member in archive.namelist()
    except zipfile.BadZipFile:
        return False


def read_archive(path, names, optional, restore, kind=SAVED):
    """Read what `write_archive` wrote and return ``restore(record, arrays)``.

    `names` are the arrays that must be there; the `optional` ones may be missing. The `kind` of
    file is for the errors.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is damaged or of a newer format, or if `restore` refuses what it holds.
    """
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                check_members(archive, (zipfile.ZIP_STORED,))
                record = json.loads(archive.read(METADATA))
                written = record.pop("format")
                if written != FORMAT:
                    raise ValueError(
                        f"it has format {written}, and this sparsenmf reads format {FORMAT}: "
                        f"upgrade sparsenmf"
                    )
                there = set(archive.namelist())
                names = [*names, *(name for name in optional if f"{name}.npy" in there)]
                return restore(record, {name: _read_array(archive, name) for name in names})
        except DAMAGE as error:
            raise not_whole(path, kind, error) from error


def not_whole(path, kind, error):
    """Return the error that a file of ours is damaged or cut off."""
    how = describe_damage(error, "take another copy of it, or save it again")
    return ValueError(f"{path} is not a whole {kind}: {how}")


def _read_array(archive, name):
    check_array(archive, f"{name}.npy")
    with archive.open(f"{name}.npy") as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        member.read(1)  # reading to the end verifies the checksum
    return array


def is_sound(array):
    """Return whether all numbers of an array are finite and non-negative."""
    # min and max allocate no temporary array, and both return NaN if there is one.
    return array.dtype.kind == "f" and (not array.size or 0 <= array.min() <= array.max() < np.inf)


def check_factorization(model):
    """Raise ValueError unless the arrays and numbers of a file make a factorization."""
    history, times = model.objective_history, model.time_history
    weight, others = model.feature_weight, model.restart_objectives
    norms, idf = model.sample_norms, model.idf
    if (
        model.W.ndim != 2
        or 0 in (*model.W.shape, *model.H.shape)
        or model.H.ndim != 2
        or model.W.shape[1] != model.H.shape[0]
        or model.W.dtype != model.H.dtype
        or model.W.dtype not in (np.float32, np.float64)
        or history.ndim != 1
        or not history.size
        or history.shape != times.shape
        or not history.dtype == times.dtype == np.float64
        or not (weight is None or (weight.shape, weight.dtype) == ((model.n_features,), float))
        or not (idf is None or (idf.shape, idf.dtype) == ((model.n_features,), float))
        or not (others is None or (others.ndim, others.dtype) == (1, float))
        or not (norms is None or (norms.shape, norms.dtype) == ((len(model.W), 2), model.W.dtype))
        or not are_names(model.feature_names, "U", model.n_features)
        or not are_names(model.sample_names, "Ui", len(model.W))
    ):
        raise Damaged("its arrays do not belong together")
    arrays = (model.W, model.H, *(x for x in (weight, norms, idf) if x is not None))
    if not all(map(is_sound, arrays)):
        raise Damaged("its factors or weights are not finite and non-negative numbers")
    if not all(type(x) in (int, float) for x in (model.optimality, model.x_norm, model.error)):
        raise Damaged("its optimality, x_norm or error is not a number")
    if not isinstance(model.stop_reason, str):
        raise Damaged("its stop_reason is not a text")


def are_names(names, kinds, n):
    """Return whether this is an array of n names, or None."""
    if names is None:
        return True
    if names.dtype.kind not in kinds or not names.dtype.itemsize or names.shape != (n,):
        return False
    if names.dtype.kind == "U":  # a number that is no character would raise later, in printing
        codes = np.ascontiguousarray(names).view(names.dtype.byteorder + "u4")
        return bool(codes.max(initial=0) <= LAST_CHARACTER)
    return True


def check_members(archive, methods=(zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)):
    """Raise ValueError if a member has another compression, or a size that the file cannot hold."""
    size = os.fstat(archive.fp.fileno()).st_size
    for info in archive.infolist():
        if info.compress_type not in methods:
            raise ValueError(f"its {info.filename} is compressed in a way that is not read")
        most = size if info.compress_type == zipfile.ZIP_STORED else DEFLATE_MOST * size
        if info.file_size > most:
            raise Damaged(f"its {info.filename} cannot be of {info.file_size} bytes")


def check_checksums(file):
    """Raise ValueError, or what zipfile raises, if an open zip archive has a damaged member."""
    with zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
    file.seek(0)
    if damaged is not None:
        raise Damaged(f"the checksum of its {damaged} is wrong")


def check_array(archive, name):
    """Raise ValueError, before reading it, unless a .npy member is as long as its header says."""
    with archive.open(name) as member:
        shape, _, dtype = read_npy_header(member)
        if dtype.hasobject:
            raise ValueError(
                f"its {name} has pickled objects in it: only allow_pickle=False is safe"
            )
        announced = member.tell() + math.prod(shape) * dtype.itemsize
        if announced != archive.getinfo(name).file_size:
            raise Damaged(f"its {name} is longer or shorter than its header says")


def read_npy_header(file):
    """Return the shape of the array in a .npy file, whether columns come first, and its dtype."""
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise Damaged(f"version {version} of the .npy format")
    shape, columns_first, dtype = readers[version](file)
    if min(shape, default=0) < 0:
        raise Damaged(f"a header with the shape {shape}")
    return shape, columns_first, dtype
