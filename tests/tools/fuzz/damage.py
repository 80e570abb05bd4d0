"""Ways to damage a file, or to have it do harm."""

import io
import json
import zipfile

import numpy as np

from .cases import often, pick

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
    except Exception:  # NumPy documents no type of error for damaged bytes: any is a no
        return False
    return True


def spoil(rng, path, folder):
    """Damage a file's bytes, or what is in an archive."""
    if path.suffix in (".npz", ".nmf") and often(rng, 0.6):
        repack(rng, path, folder)
    else:
        path.write_bytes(damage(rng, path.read_bytes()))
