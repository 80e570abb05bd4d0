"""Passes of a fit over batches: the rows of each batch, and when to stop."""

import numpy as np

from ..data.arguments import check_flag, check_integer, check_number


class Plateau:
    """Whether passes over the data still lower its mean loss.

    Only whole passes are compared: some batches of a pass are easier than others.
    """

    def __init__(self, tol, patience):
        if patience is not None:
            patience = check_integer(patience, "max_no_improvement", least=1)
        self._tol, self._patience = check_number(tol, "tol"), patience
        self._last, self._lowest, self._since = np.inf, np.inf, 0

    def reached(self, loss, n_batches):
        """Note the mean loss of a pass of so many batches."""
        fallen, self._last = self._last - loss, loss
        self._since = 0 if loss < self._lowest else self._since + n_batches
        self._lowest = min(self._lowest, loss)
        if self._patience is not None and self._since >= self._patience:
            return True
        return bool(self._tol) and fallen <= self._tol * loss


class MatrixPasses:
    """Passes over the rows of a matrix, in batches.

    Parameters
    ----------
    X : csr_array
        Checked.
    batch_size : int
    shuffle : bool
        Whether each pass has an order of its own.
    rng : numpy.random.Generator or RandomState
    """

    is_read_once = False

    def __init__(self, X, batch_size, shuffle, rng):
        self.X, self._rng, self._shuffle = X, rng, check_flag(shuffle, "shuffle")
        self._size = min(check_integer(batch_size, "batch_size", least=1), X.shape[0])
        self.n_batches = -(-X.shape[0] // self._size)

    def __iter__(self):
        """Yield the numbers of the rows of a batch, ascending, these rows, and no names."""
        n = self.X.shape[0]
        order = self._rng.permutation(n) if self._shuffle else np.arange(n)
        for start in range(0, n, self._size):
            places = np.sort(order[start : start + self._size])
            yield places, self.X[places], None


class StreamPasses:
    """Passes over an iterable of batches, which are cut where they are larger than a batch.

    Batches without rows, as a filter leaves them, are passed over.

    Parameters
    ----------
    blocks : iterable
    batch_size : int
    check : callable
        Returns a block as a checked CSR matrix, and its names.
    """

    n_batches = None

    def __init__(self, blocks, batch_size, check):
        self.blocks, self._check = blocks, check
        self.is_read_once = hasattr(blocks, "__next__")
        self._size = check_integer(batch_size, "batch_size", least=1)

    def __iter__(self):
        """Yield None, as rows have no number, a batch, and its names."""
        for block in self.blocks:
            if getattr(block, "shape", (1,))[:1] == (0,):
                continue
            block, names = self._check(block)
            for start in range(0, block.shape[0], self._size):
                yield None, block[start : start + self._size], names
