"""The state of a run in a file, so that it can go on after whatever has ended it."""

import json
import numbers
import warnings
import zlib

import numpy as np

from ..data.archive import DAMAGE, is_sound, read_archive, write_archive
from ..data.arguments import check_flag, check_integer
from ..data.outputs import check_path

STATE = ("W", "Ht", "next_Ht", "history")

MAY_CHANGE = ("max_iter", "tol", "sparsenmf")
"""Options that a run may go on with another value of."""

CHUNK = 2**20  # entries of a factor whose checksum is taken at once

CHECKSUM = "crc32 "
"""What a checksum begins with, in place of what is too long to be written down or shown."""


class Checkpoint:
    """Where and how often the state of a run is saved.

    Parameters
    ----------
    path : pathlib.Path or None
        None: nowhere.
    every : int
        Iterations.
    resume : bool
        Whether to begin with what is there.
    """

    def __init__(self, path, every, resume):
        self.path, self.every, self.resume = path, every, resume
        self._problem = {}

    def identify(self, X, random_state, rng, **arguments):
        """Note what the result of the run depends on, but for the options.

        Parameters
        ----------
        X : csr_array or CsrStore
            Checked.
        random_state : any
            As it was passed.
        rng : numpy.random.Generator or RandomState
            What has been made of it, and not been drawn from.
        **arguments : any
            The others by name, checked.
        """
        if self.path is None:
            return
        if not (random_state is None or isinstance(random_state, numbers.Integral)):
            state = rng.bit_generator.state if hasattr(rng, "bit_generator") else rng.get_state()
            random_state = _checksum(json.dumps(state, default=np.ndarray.tolist).encode())
        arguments = {"random_state": random_state, **arguments}
        self._problem = _describe_matrix(X) | {
            name: _describe(value) for name, value in arguments.items()
        }

    def open(self, run, stopping, options):
        """Take up the state that is in the file, if that is wanted and there is one.

        Raises
        ------
        ValueError
            If the file is damaged, or of another problem; the message says what differs.
        """
        self._run, self._stopping, self._options = run, stopping, options
        if not (self.resume and self.path.exists()):
            return
        record, arrays = read_archive(self.path, STATE, (), _check)
        found = {**record["options"], **record["problem"]}
        wanted = {**options, **self._problem}
        differences = [
            _difference(name, found.get(name), wanted.get(name))
            for name in dict.fromkeys([*wanted, *found])
            if name not in MAY_CHANGE and found.get(name) != wanted.get(name)
        ]
        if differences:
            raise ValueError(
                f"{self.path} is the checkpoint of another run: it was made with "
                f"{', and '.join(differences)}. Pass what it was made with, or resume=False to "
                f"begin anew"
            )
        try:
            self._run.restore(record, arrays)
        except DAMAGE as error:
            raise ValueError(f"{self.path} is not a whole checkpoint: {error}") from error
        if "random_state" in record["options"]:  # without one, this call has drawn another seed
            options["random_state"] = record["options"]["random_state"]
        history = [(float(value), float(seconds)) for value, seconds in arrays["history"]]
        self._stopping.resume(history)

    def tick(self):
        """Save the state if it is time to."""
        if self.path is not None and len(self._stopping.history) % self.every == 0:
            self.save()

    def save(self):
        """Write the file, or warn that it could not be written."""
        if self.path is None or not self._stopping.history:
            return
        record, arrays = self._run.state()
        record |= {"options": self._options, "problem": self._problem}
        arrays["history"] = np.array(self._stopping.history)
        try:
            write_archive(self.path, record, arrays)
        except OSError as error:
            # The run is worth more than its copy; the last one stays whole.
            warnings.warn(f"checkpoint {self.path} not written: {error}", stacklevel=5)


def _check(record, arrays):
    """Return what a file has, or raise what makes it a damaged one."""
    if not all(isinstance(record[name], dict) for name in ("options", "problem")):
        raise TypeError("it does not say what it was made with")
    history = arrays["history"]
    if history.ndim != 2 or history.shape[1] != 2 or not history.size:
        raise ValueError(f"its history has shape {history.shape}")
    if history.dtype != np.float64:
        raise ValueError(f"its history is of the type {history.dtype}")
    if not all(is_sound(arrays[name]) for name in STATE[:3]):
        raise ValueError("its factors are not finite and non-negative numbers")
    return record, arrays


def _difference(name, found, wanted):
    values = (found, wanted)
    short = all(value is None or isinstance(value, numbers.Real | str) for value in values)
    if short and not any(str(value).startswith(CHECKSUM) for value in values):
        return f"{name}={found!r}, not {wanted!r}"
    return f"other {name}"


def _describe_matrix(X):
    """Return what tells a checked matrix from others, the order of its entries included."""
    stored = hasattr(X, "checksum")
    if stored:
        checksum = CHECKSUM + X.checksum()
    else:
        checksum = _checksum(X.data, X.indices, X.indptr.astype(np.int64, copy=False))
    return {
        "X": "a store" if stored else "in memory",
        "shape of X": " x ".join(map(str, X.shape)),
        "precision of X": X.dtype.name,
        "entries of X": checksum,
    }


def _describe(value):
    """Return what JSON can hold and tells a checked argument from others."""
    if isinstance(value, np.ndarray) and value.dtype == bool:
        return np.flatnonzero(value).tolist()
    if isinstance(value, np.ndarray):
        return _checksum(*_chunks(value), value.dtype.str.encode(), repr(value.shape).encode())
    if isinstance(value, dict):
        return {str(key): _describe(entry) for key, entry in value.items()}
    return int(value) if isinstance(value, np.integer) else value


def _chunks(array):
    """Yield an array in parts: one in Fortran order is copied for it."""
    step = max(1, CHUNK // max(1, array[:1].size))
    for start in range(0, len(array), step):
        yield np.ascontiguousarray(array[start : start + step])


def _checksum(*parts):
    total = 0
    for part in parts:
        total = zlib.crc32(part, total)
    return f"{CHECKSUM}{total:08x}"


def check_checkpoint(checkpoint, every, resume):
    """Return a `Checkpoint`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be.
    FileNotFoundError
        If there is no such folder.
    """
    every = check_integer(every, "checkpoint_every", least=1)
    resume = check_flag(resume, "resume")
    if checkpoint is None:
        if resume:
            raise ValueError("resume=True needs checkpoint, the file to go on from")
        return Checkpoint(None, every, resume)
    return Checkpoint(check_path(checkpoint, "checkpoint"), every, resume)
