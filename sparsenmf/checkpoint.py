"""The state of a run in a file, so that it can go on after whatever has ended it."""

import warnings

import numpy as np

from .arguments import check_flag, check_integer, check_path
from .storage import is_sound, read_archive, write_archive

STATE = ("W", "Ht", "next_Ht", "history")

MAY_CHANGE = ("max_iter", "tol", "sparsenmf")
"""Options that a run may go on with another value of."""


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

    def open(self, run, stopping, options):
        """Take up the state that is in the file, if that is wanted and there is one."""
        self._run, self._stopping, self._options = run, stopping, options
        if self.resume and self.path.exists():
            read_archive(self.path, STATE, (), self._restore)

    def tick(self):
        """Save the state if it is time to."""
        if self.path is not None and len(self._stopping.history) % self.every == 0:
            self.save()

    def save(self):
        """Write the file, or warn that it could not be written."""
        if self.path is None or not self._stopping.history:
            return
        record, arrays = self._run.state()
        record |= {"options": self._options, "matrix": self._matrix()}
        arrays["history"] = np.array(self._stopping.history)
        try:
            write_archive(self.path, record, arrays)
        except OSError as error:
            # The run is worth more than its copy; the last one stays whole.
            warnings.warn(f"checkpoint {self.path} not written: {error}", stacklevel=5)

    def _matrix(self):
        """Return what tells one matrix from another."""
        run = self._run
        sizes = [int(run.rows.n_rows), int(run.columns.n_rows), int(run.rows.nnz)]
        return [*sizes, run.loss.scale]

    def _restore(self, record, arrays):
        for name, value in self._options.items():
            if name not in MAY_CHANGE and record["options"].get(name) != value:
                raise ValueError(
                    f"it was made with {name}={record['options'].get(name)!r}, not {value!r}"
                )
        if record["matrix"] != self._matrix():
            raise ValueError("it was made with another matrix or other weights")
        history = arrays["history"]
        if history.ndim != 2 or history.shape[1] != 2 or not history.size:
            raise ValueError(f"its history has shape {history.shape}")
        if history.dtype != np.float64:
            raise ValueError(f"its history is of the type {history.dtype}")
        if not all(is_sound(arrays[name]) for name in STATE[:3]):
            raise ValueError("its factors are not finite and non-negative numbers")
        self._run.restore(record, arrays)
        self._stopping.resume([(float(value), float(seconds)) for value, seconds in history])


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
