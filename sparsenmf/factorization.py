"""The result of a factorization: factors, history, and what one does with them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .arguments import check_choice
from .components import Components
from .interchange import to_anndata, to_frame
from .stopping import REASONS
from .storage import read_archive, write_archive

CHUNK = 1024  # rows of a factor that NumPy works on at once, so that they stay in cache

ARRAYS = ("W", "H", "objective_history", "time_history")
OPTIONAL_ARRAYS = ("feature_weight",)


@dataclass(repr=False, eq=False, kw_only=True)
class Factorization(Components):
    """X is about W @ H, with W and H >= 0, and how that came about.

    Attributes
    ----------
    W : ndarray of shape (n_samples, n_components), float32 or float64
        How much of each component is in a sample.
    H : ndarray of shape (n_components, n_features), float32 or float64
        How much of each feature is in a component. Components are ordered by weight,
        ``norm(W[:, r]) * norm(H[r])``, heaviest first.
    objective_history : ndarray of shape (n_iter,), float64
        Objective after each iteration, penalties included, of the factors reached;
        it never rises, and the last one is that of W and H.
    time_history : ndarray of shape (n_iter,), float64
        Seconds from the beginning of the run to the end of each iteration. The first run
        on a machine includes compiling the kernels.
    stop_reason : str
        "converged", "precision", "max_iter", "time_limit", "callback" or "interrupted".
    optimality : float
        KKT residual of (W, H), dimensionless. Frobenius loss: the length, relative to
        ||X||_F, of the steps that single coordinates would take on their own. Others: the
        decreases that such steps promise to first order, relative to sum(X^beta). 0 at a
        stationary point; unchanged by the scale of X and of the components. NaN if it was not
        measured because of Ctrl-C.
    x_norm : float
        ||X||_F; for the beta divergences sqrt(2 sum(X^beta)), over X's nonzeros.
    error : float
        ||X - W H||_F; for the others sqrt(2 loss(X, W H)), as scikit-learn's
        ``reconstruction_err_``.
    options : dict
        Loss, penalties and settings of the run.
    feature_weight : ndarray of shape (n_features,), float64, or None
        Weights of the features, if there were any.
    """

    W: np.ndarray
    objective_history: np.ndarray
    time_history: np.ndarray
    stop_reason: str
    optimality: float
    x_norm: float
    error: float

    @property
    def n_samples(self) -> int:
        """Rows of X."""
        return self.W.shape[0]

    @property
    def n_iter(self) -> int:
        """Iterations done."""
        return len(self.objective_history)

    @property
    def converged(self) -> bool:
        """Whether the run ended because there was no more to gain."""
        return self.stop_reason in ("converged", "precision")

    @property
    def objective(self) -> float:
        """Objective of W and H, penalties included."""
        return float(self.objective_history[-1])

    @property
    def relative_error(self) -> float:
        """``error / x_norm``; 0 if X is zero. Below 1 for the Frobenius loss only."""
        return self.error / self.x_norm if self.x_norm else 0.0

    def __repr__(self):
        n, m, k = self.n_samples, self.n_features, self.n_components
        kind = f"{self.options.get('loss')}, {self.options.get('solver')}, {self.H.dtype}"
        return (
            f"Factorization of {n:,} x {m:,} into {k} components ({kind})\n"
            f"  relative error {self.relative_error:.4f}, optimality {self.optimality:.1e}\n"
            f"  {self.n_iter} iterations in {self.time_history[-1]:.2f} s, then stopped: "
            f"{REASONS.get(self.stop_reason, self.stop_reason)}"
        )

    def normalize(self, by: str = "H") -> "Normalized":
        """Return factors that sum to one, with the scale moved over: W H stays what it is.

        Parameters
        ----------
        by : {"H", "W", "both"}, default "H"
            "H": each component's features sum to one (topics as distributions over terms).
            "W": each component's samples sum to one. "both": each component's features,
            and each sample's components (documents as mixtures of topics); the total of
            each sample is its `scale`.

        Returns
        -------
        Normalized
            W, H and scale; ``scale[:, None] * (W @ H)`` is this model's W @ H up to
            rounding. Rows (or columns) that are zero stay zero.

        Raises
        ------
        ValueError
            If `by` is something else.
        """
        check_choice(by, "by", ("H", "W", "both"))
        scale = np.ones(self.n_samples, self.W.dtype)
        if by == "W":
            W, totals = _sum_to_one(self.W.T)
            return Normalized(np.ascontiguousarray(W.T), self.H * totals[:, None], scale)
        H, totals = _sum_to_one(self.H)
        W = self.W * totals
        if by == "both":
            W, scale = _sum_to_one(W)
        return Normalized(W, H, scale)

    def to_frame(self, which: str = "H", labels: Any = None) -> Any:
        """Return a factor as a pandas DataFrame.

        Parameters
        ----------
        which : {"H", "W"}, default "H"
            "H": components x features. "W": samples x components.
        labels : sequence of str, or dict of term -> column, optional
            For "H" the vocabulary, as in `top_terms`: the names of the columns. For "W"
            the names of the samples, the index.

        Returns
        -------
        pandas.DataFrame
            The components are "nmf0", "nmf1", ..., as in the output of the estimator.

        Raises
        ------
        ImportError
            If pandas is not installed.
        TypeError, ValueError
            If the labels do not fit.
        """
        return to_frame(self, which, labels)

    def to_anndata(self, adata: Any = None) -> Any:
        """Write the factorization into an AnnData, as analyses of single cells expect it.

        Parameters
        ----------
        adata : anndata.AnnData, optional
            Of the shape of X. Default: a new one, with nothing else in it.

        Returns
        -------
        anndata.AnnData
            `adata`, with W in ``obsm["X_nmf"]``, the transpose of H in ``varm["nmf"]``,
            and options, histories and residuals in ``uns["nmf"]``. Copies.

        Raises
        ------
        ImportError
            If there is no `adata` and anndata is not installed.
        ValueError
            If `adata` has another shape.
        """
        return to_anndata(self, adata)

    def save(self, path: Any) -> None:
        """Write the factorization to a file that `load`, `numpy.load` and unzip can read.

        The file is an uncompressed .npz archive with one .npy member for each array
        and the rest as JSON, without pickle; `sparsenmf.storage` describes it. It is written
        under a temporary name beside `path` and renamed at the end, so a file that was
        there stays whole until the new one is.

        Parameters
        ----------
        path : str or path-like
            Used as it is: no suffix is added.

        Raises
        ------
        OSError
            If the folder does not exist or cannot be written to.
        """
        record = {
            "stop_reason": self.stop_reason,
            "optimality": self.optimality,
            "x_norm": self.x_norm,
            "error": self.error,
            "options": self.options,
        }
        arrays = {name: getattr(self, name) for name in (*ARRAYS, *OPTIONAL_ARRAYS)}
        write_archive(path, record, {k: v for k, v in arrays.items() if v is not None})

    @classmethod
    def load(cls, path: Any) -> "Factorization":
        """Read a factorization that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is not a saved factorization, is damaged, or is of a newer format.
        """
        return read_archive(path, ARRAYS, OPTIONAL_ARRAYS, cls._restore)

    @classmethod
    def _restore(cls, record, arrays):
        loaded = cls(**arrays, **record)
        loaded._check_shapes()
        return loaded

    def _check_shapes(self):
        history, times = self.objective_history, self.time_history
        weight = self.feature_weight
        if (
            self.W.ndim != 2
            or self.H.ndim != 2
            or self.W.shape[1] != self.H.shape[0]
            or self.W.dtype != self.H.dtype
            or self.W.dtype not in (np.float32, np.float64)
            or history.ndim != 1
            or history.shape != times.shape
            or not (weight is None or (weight.shape, weight.dtype) == ((self.n_features,), float))
        ):
            raise ValueError("its arrays do not belong together")


class Normalized(NamedTuple):
    """Factors whose rows or columns sum to one: X is about scale[:, None] * (W @ H).

    Attributes
    ----------
    W : ndarray of shape (n_samples, n_components)
    H : ndarray of shape (n_components, n_features)
    scale : ndarray of shape (n_samples,)
        Ones, unless the rows of W sum to one.
    """

    W: np.ndarray
    H: np.ndarray
    scale: np.ndarray


def _sum_to_one(factor):
    """Return the rows of a factor divided by their sums, and the sums (of zero rows, zero)."""
    totals = factor.sum(axis=1, dtype=np.float64)
    inverse = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    # In float64, so that a tiny total does not overflow; a chunk at a time, for memory.
    rows = np.empty_like(factor, order="C")
    for start in range(0, len(factor), CHUNK):
        part = slice(start, start + CHUNK)
        rows[part] = factor[part] * inverse[part, None]
    return rows, totals.astype(factor.dtype)
