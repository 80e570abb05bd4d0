"""The result of a factorization: factors, history, and what one does with them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .interchange import to_anndata, to_frame
from .labels import check_vocabulary
from .losses import check_loss, make_loss
from .penalties import make_penalties
from .rows import empty_factor, make_rows
from .stopping import REASONS
from .storage import read_archive, write_archive
from .validation import check_integer, check_matrix, check_number

CHUNK = 1024  # rows of a factor that NumPy works on at once, so that they stay in cache

ARRAYS = ("W", "H", "objective_history", "time_history")


@dataclass(repr=False, eq=False)
class Factorization:
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
        stationary point; unchanged by the scale of X and of the components.
    x_norm : float
        ||X||_F; for the beta divergences sqrt(2 sum(X^beta)), over X's nonzeros.
    error : float
        ||X - W H||_F; for the others sqrt(2 loss(X, W H)), as scikit-learn's
        ``reconstruction_err_``.
    options : dict
        Loss, penalties and settings of the run.
    """

    W: np.ndarray
    H: np.ndarray
    objective_history: np.ndarray
    time_history: np.ndarray
    stop_reason: str
    optimality: float
    x_norm: float
    error: float
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        self._frozen = None

    def __getstate__(self):
        return {**self.__dict__, "_frozen": None}  # made anew where it is needed

    @property
    def n_samples(self) -> int:
        """Rows of X."""
        return self.W.shape[0]

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return self.H.shape[1]

    @property
    def n_components(self) -> int:
        """Rows of H."""
        return self.H.shape[0]

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

    def transform(
        self, X: Any, *, tol: float = 1e-5, max_sweeps: int = 1000, n_threads: int | None = None
    ) -> np.ndarray:
        """Return the W of new samples: the same objective, H held fixed.

        Parameters
        ----------
        X : scipy.sparse matrix or array, ndarray, or DataFrame, of shape (any, n_features)
        tol : float, default 1e-5
            A row is done when a sweep moved it less than this fraction of its first
            sweep, measured in the fit. Losses that only have multiplicative updates: all
            rows are done when an update promises to lower the loss by less than this
            fraction of it.
        max_sweeps : int, default 1000
            Limit for each row.
        n_threads : int, optional
            As in `factorize`. Small inputs run on one.

        Returns
        -------
        ndarray of shape (any, n_components), dtype of H
            Each row's best fit, on its own: the result for a row does not depend on
            the others (but for losses that only have multiplicative updates, which stop
            together).

        Raises
        ------
        TypeError, ValueError
            If X is not as in `factorize`, or has not n_features columns.
        """
        from .kernels.threads import resolve_threads, threads_for
        from .solvers.projection import project

        X = check_matrix(X, dtype=self.H.dtype)
        if X.shape[1] != self.n_features:
            raise ValueError(
                f"X has {X.shape[1]} features, but this factorization has {self.n_features}: "
                f"use the same vocabulary (vectorizer) as for the fit"
            )
        beta = check_loss(self.options.get("loss", "frobenius"), "mu", X)
        tol = check_number(tol, "tol")
        max_sweeps = check_integer(max_sweeps, "max_sweeps", least=1)
        if n_threads is not None:
            n_threads = check_integer(n_threads, "n_threads", least=1)
        n_threads = threads_for(resolve_threads(n_threads), X.nnz * self.n_components)
        rows = make_rows(X, self.n_components)
        W = empty_factor((X.shape[0], self.n_components), self.H.dtype)
        project(
            rows, self._freeze(), W, make_loss(beta, X.data, X.shape), tol, max_sweeps, n_threads
        )
        return np.ascontiguousarray(W[:, : self.n_components])

    def _freeze(self):
        """Return what the rows of W are found from, made once."""
        from .solvers.projection import Frozen

        if self._frozen is None or self._frozen[0] is not self.H:
            options = self.options
            penalty, _ = make_penalties(
                (self.n_samples, self.n_features),
                options.get("alpha_W", 0.0),
                options.get("alpha_H", "same"),
                options.get("l1_ratio", 0.0),
            )
            self._frozen = self.H, Frozen(self.H, penalty)
        return self._frozen[1]

    def top_terms(self, vocabulary: Any, n: int = 10) -> list[list[str]]:
        """Return the n heaviest terms of each component, heaviest first.

        Parameters
        ----------
        vocabulary : sequence of n_features str, or dict of term -> column
            Such as ``vectorizer.get_feature_names_out()`` or ``vectorizer.vocabulary_``.
        n : int, default 10
            Terms with weight zero are left out, so a component may have fewer.

        Returns
        -------
        list of n_components lists of str

        Raises
        ------
        TypeError, ValueError
            If the vocabulary is not one of n_features terms.
        """
        n = check_integer(n, "n", least=1)
        vocabulary = check_vocabulary(vocabulary, self.n_features)
        topics = []
        for weights in self.H:
            order = np.argsort(-weights, kind="stable")[:n]
            topics.append([str(vocabulary[j]) for j in order if weights[j] > 0])
        return topics

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
        write_archive(path, record, {name: getattr(self, name) for name in ARRAYS})

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
        return read_archive(path, ARRAYS, cls._restore)

    @classmethod
    def _restore(cls, record, arrays):
        loaded = cls(**arrays, **record)
        loaded._check_shapes()
        return loaded

    def _check_shapes(self):
        history, times = self.objective_history, self.time_history
        if (
            self.W.ndim != 2
            or self.H.ndim != 2
            or self.W.shape[1] != self.H.shape[0]
            or self.W.dtype != self.H.dtype
            or self.W.dtype not in (np.float32, np.float64)
            or history.ndim != 1
            or history.shape != times.shape
        ):
            raise ValueError("its arrays do not belong together")


def order_components(W, Ht, n_components):
    """Return W and H without padding, the heaviest component first."""
    squares = [np.einsum("ir,ir->r", F, F, dtype=np.float64) for F in (W, Ht)]
    weights = np.prod(squares, axis=0)[:n_components]
    order = np.argsort(-weights, kind="stable")
    H = np.empty((n_components, len(Ht)), Ht.dtype)
    for start in range(0, len(Ht), CHUNK):  # in cache, and no second copy of H
        H[:, start : start + CHUNK] = Ht[start : start + CHUNK].T[order]
    return np.take(W, order, axis=1), H
