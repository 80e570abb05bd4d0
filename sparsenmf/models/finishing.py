"""What is left to be done to the rows of W when a run has ended, some rows at a time."""

from typing import Any, NamedTuple

import numpy as np

from ..data.factors import row_norms
from ..data.store import is_store
from ..solvers.weights import Weights
from .components import Components

CHUNK = 1024  # rows of a store looked at together

MEMORY_CHUNK = 2**16  # rows of a matrix in memory: what is computed from them is a copy


class RowFinish(NamedTuple):
    """How the rows of W become those that are returned.

    Attributes
    ----------
    X : csr_array or CsrStore
        As it was passed, without weights.
    weights : Weights
    frozen : ndarray of shape (n_components,), bool
        Components that stay as they were given.
    W : ndarray of shape (n_samples, any) or None
        What was given.
    options : dict
    n_threads : int
    """

    X: Any
    weights: Weights
    frozen: np.ndarray
    W: Any
    options: dict[str, Any]
    n_threads: int

    def given(self, H):
        """Return ``finish(start, part)``, which changes the rows from `start` on in place.

        The weights are taken out, samples without weight get what `transform` gives them, and
        frozen components are as they were given, to the bit.
        """
        components = Components(H=H, options=self.options, feature_weight=self.weights.features)

        def finish(start, part):
            step = CHUNK if is_store(self.X) else MEMORY_CHUNK
            for first in range(0, len(part), step):
                self._finish(components, start + first, part[first : first + step])

        return finish

    def measure(self, run):
        """Return the sum and the length of each row of X; a store's were noted on the way."""
        return run.rows.norms if is_store(self.X) else row_norms(self.X)

    def _finish(self, components, start, part):
        stop = start + len(part)
        if self.weights.samples is not None:
            part[:] = self.weights.unscale_W(part, start)
            left_out = np.flatnonzero(self.weights.samples[start:stop] == 0)
            if left_out.size:
                X = self.X.rows(start, stop) if is_store(self.X) else self.X[start:stop]
                part[left_out] = components.transform(X[left_out], n_threads=self.n_threads)
        for r in np.flatnonzero(self.frozen):
            part[:, r] = self.W[start:stop, r]
