"""The state of a run in a file, from which another process can continue it."""

from __future__ import annotations

import numbers
import warnings
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.archive import is_sound, not_whole, read_archive, write_archive
from ..data.arguments import check_flag, check_integer
from ..data.damage import DAMAGE, Damaged
from ..data.outputs import check_path
from ..data.typing import PathLike

STATE = ("W", "Ht", "next_Ht", "history")

MAY_CHANGE = ("max_iter", "tol", "sparsenmf")
"""Options whose value may differ when a run is continued."""

CHUNK = 2**20  # entries of a factor whose checksum is taken at once

CHECKSUM = "crc32 "
"""What a checksum begins with. It stands for an argument that is too long to be recorded."""


@dataclass(frozen=True)
class Checkpoint:
    """A file for the state of a run, for ``factorize(X, k, checkpoint=...)``.

    Parameters
    ----------
    path : str or path-like
        Written whole or not at all: every so many iterations and at the end. If that fails,
        there is a warning, and the last one stays.
    every : int, default 10
        Iterations.
    resume : bool, default False
        Continue from the file, if there is one. X and the arguments must be the same, but for
        max_iter, tol and time_limit (which is for this call). The result has the same bits as that
        of a run without a break.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be.
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> from sparsenmf import Checkpoint, factorize
    >>> checkpoint = Checkpoint(tempfile.mkdtemp() + "/run.ckpt", every=5, resume=True)
    >>> model = factorize([[4.0, 2, 0], [2.0, 1, 0]], 1, checkpoint=checkpoint)
    """

    path: PathLike
    every: int = 10
    resume: bool = False

    def __post_init__(self):
        object.__setattr__(self, "path", check_path(self.path, "checkpoint"))
        object.__setattr__(self, "every", check_integer(self.every, "checkpoint.every", least=1))
        object.__setattr__(self, "resume", check_flag(self.resume, "checkpoint.resume"))

    @classmethod
    def of(cls, checkpoint: Any) -> Checkpoint | None:
        """Return what a user passed as a `Checkpoint`, or None."""
        if checkpoint is None or isinstance(checkpoint, cls):
            return checkpoint
        return cls(checkpoint)


class CheckpointFile:
    """The state of one run on its way to a file and back.

    Parameters
    ----------
    checkpoint : Checkpoint or None
        None: there is no file.
    """

    def __init__(self, checkpoint):
        self._checkpoint, self._problem = checkpoint, {}

    def open(self, run, problem, start, low_memory):
        """Restore the state in the file, if there is one and the run is to resume.

        Parameters
        ----------
        run : Run
        problem : Problem
        start : Start
        low_memory : bool

        Raises
        ------
        ValueError
            If the file is damaged, or of another problem; the message says what differs.
        """
        self._run = run
        if self._checkpoint is None:
            return
        self._problem = identify(problem, start, low_memory)
        path = self._checkpoint.path
        if not (self._checkpoint.resume and path.exists()):
            return
        record, arrays = read_archive(path, STATE, (), _check, "saved checkpoint")
        found, wanted = {**record["options"], **record["problem"]}, run.options | self._problem
        differences = [
            _difference(name, found.get(name), wanted.get(name))
            for name in dict.fromkeys([*wanted, *found])
            if name not in MAY_CHANGE and found.get(name) != wanted.get(name)
        ]
        if differences:
            raise ValueError(
                f"{path} is the checkpoint of another run: it was made with "
                f"{', and '.join(differences)}. Pass what it was made with, or resume=False to "
                f"begin anew"
            )
        try:
            run.restore(record, arrays)
        except DAMAGE as error:
            raise not_whole(path, "saved checkpoint", error) from error
        if "random_state" in record["options"]:  # without one, this call has drawn another seed
            run.options["random_state"] = record["options"]["random_state"]

    def tick(self):
        """Save the state if it is time to."""
        if self._checkpoint and len(self._run.stopping.history) % self._checkpoint.every == 0:
            self.save()

    def save(self):
        """Write the file, or warn that it could not be written."""
        if self._checkpoint is None or not self._run.stopping.history:
            return
        record, arrays = self._run.state()
        record |= {"options": self._run.options, "problem": self._problem}
        try:
            write_archive(self._checkpoint.path, record, arrays)
        except OSError as error:
            # The run is worth more than its copy; the last one stays whole.
            warnings.warn(f"checkpoint {self._checkpoint.path} not written: {error}", stacklevel=5)


def identify(problem, start, low_memory):
    """Return what the result of a run depends on beside its options."""
    weights, origin = problem.scaling, dict(start.origin)
    if isinstance(origin["random_state"], str):  # the state of a generator
        origin["random_state"] = _checksum(origin["random_state"].encode())
    arguments = {
        **origin,
        "n_components": problem.n_components,
        "low_memory": low_memory,
        "weights": problem.entries.weights,
        "weights.samples": weights.samples,
        "weights.features": weights.features,
        "frozen_W": start.fixed_W,
        "frozen_H": start.fixed_H,
    }
    return _describe_matrix(problem.X) | {
        name: _describe(value) for name, value in arguments.items()
    }


def _check(record, arrays):
    """Return what a file has, or raise what makes it a damaged one."""
    if not all(isinstance(record[name], dict) for name in ("options", "problem")):
        raise TypeError("it does not say what it was made with")
    history = arrays["history"]
    if history.ndim != 2 or history.shape[1] != 2 or not history.size:
        raise Damaged(f"its history has shape {history.shape}")
    if history.dtype != np.float64:
        raise Damaged(f"its history is of the type {history.dtype}")
    if not all(is_sound(arrays[name]) for name in STATE[:3]):
        raise Damaged("its factors are not finite and non-negative numbers")
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
