"""The result of a factorization: factors, history, and what one does with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.containers import to_anndata, to_frame
from ..data.factors import product_entries
from ..data.matching import check_places
from ..data.names import feature_array, sample_array
from ..data.typing import AnnData, DataFrame, FloatArray, PathLike, Self, Vocabulary
from ..solvers.stopping import REASONS
from .components import Components
from .normalisation import Normalized, normalize
from .provided import Provided
from .saving import read_model, write_model


@dataclass(repr=False, eq=False, kw_only=True)
class Factorization(Components):
    """X is about W @ H, with W and H >= 0, and how that came about.

    Attributes
    ----------
    W : ndarray of shape (n_samples, n_components), float32 or float64
        How much of each component is in a sample.
    H : ndarray of shape (n_components, n_features), float32 or float64
        How much of each feature is in a component. Components are ordered by their
        share of the sum of W H, ``sum(W[:, r]) * sum(H[r])``, heaviest first: the first one is
        topic 1 of all tables, files and pictures.
    objective_history : ndarray of shape (n_iter,), float64
        Objective after each iteration, penalties included. It never rises, but by rounding where
        a large run in float64 goes on from single to double precision (a few 1e-7 at most). The
        last one is that of W and H, to rounding (in float64 to seven digits if a large run was
        left before double precision had begun).
    time_history : ndarray of shape (n_iter,), float64
        Seconds from the beginning to the end of each iteration, without those of compiling.
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
        Loss, penalties and settings of the run, and the seed of its random numbers, given or
        drawn (none if a generator was given).
    feature_weight : ndarray of shape (n_features,), float64, or None
        Weights of the features, if there were any.
    idf : ndarray of shape (n_features,), float64, or None
        Inverse document frequencies of a model of tf-idf weights: `transform` weighs counts.
    feature_names : ndarray of shape (n_features,), str, or None
        The names of the columns, if X had any: of a DataFrame, an AnnData, a `NamedMatrix`, a
        store or a file. They are saved, and used wherever no vocabulary is passed. They may be
        assigned.
    sample_names : ndarray of shape (n_samples,), str or int, or None
        The names of the rows, if X had any: titles, barcodes, users.
    restart_objectives : ndarray of shape (n_restarts,), float64, or None
        The objective that each of several starts ended with; the lowest is that of W and H.
    sample_norms : ndarray of shape (n_samples, 2), dtype of W, or None
        Sum and Euclidean length of each row of X, by which typical documents are told from short
        ones. None if they are not known.

    Examples
    --------
    >>> from sparsenmf import factorize
    >>> model = factorize([[4.0, 1, 2], [8.0, 2, 4]], 1)
    >>> model.top_terms(["cat", "stock", "mouse"])
    [['cat', 'mouse', 'stock']]
    >>> model.feature_names = ["cat", "stock", "mouse"]
    >>> model.top_terms(n=2)
    [['cat', 'mouse']]
    """

    W: FloatArray
    objective_history: NDArray[np.float64]
    time_history: NDArray[np.float64]
    stop_reason: str
    optimality: float
    x_norm: float
    error: float
    restart_objectives: NDArray[np.float64] | None = None
    sample_norms: FloatArray | None = None
    sample_names: NDArray[Any] | None = None

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
            f"{REASONS.get(self.stop_reason, self.stop_reason)}{self._spread()}"
        )

    def _spread(self):
        if self.restart_objectives is None:
            return ""
        worst, n = self.restart_objectives.max(), len(self.restart_objectives)
        share = worst / self.objective - 1 if self.objective else 0.0
        return f"\n  the best of {n} starts, of which the worst ended {share:.2%} higher"

    report = Provided("sparsenmf.topics.report", "report")
    _repr_html_ = Provided("sparsenmf.topics.report.notebook", "show_model")

    def predict(self, samples: ArrayLike, features: ArrayLike) -> FloatArray:
        """Return single entries of W @ H, such as what users would think of items.

        Parameters
        ----------
        samples, features : int, str, or array-like of them, of shapes that broadcast
            Rows of W, and columns of H, by their numbers or their names. Numbers are positions,
            also where names are numbers: pass these as texts.

        Returns
        -------
        ndarray of that shape, dtype of H

        Raises
        ------
        TypeError, IndexError, ValueError
            If they are not rows and columns, or a name is unknown or that of several.

        Examples
        --------
        >>> from sparsenmf import NamedMatrix, factorize
        >>> X = NamedMatrix([[4.0, 1], [8.0, 2]], feature_names=["cat", "stock"])
        >>> factorize(X, 1).predict([0, 1], "stock").round(2).tolist()
        [1.0, 2.0]
        """
        named = sample_array(self.sample_names, self.n_samples)
        samples = check_places(samples, "samples", self.n_samples, named)
        named = feature_array(self.feature_names, self.n_features)
        features = check_places(features, "features", self.n_features, named)
        return product_entries(self.W, self.H, samples, features)

    def normalize(self, by: Literal["H", "W", "both"] = "H") -> Normalized:
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
        return normalize(self, by)

    def to_frame(
        self, which: Literal["H", "W"] = "H", labels: Vocabulary | None = None
    ) -> DataFrame:
        """Return a factor as a pandas DataFrame.

        Parameters
        ----------
        which : {"H", "W"}, default "H"
            "H": components x features. "W": samples x components.
        labels : sequence of str, or dict of term -> column, optional
            For "H" the vocabulary, as in `top_terms`: the names of the columns. For "W"
            the names of the samples, the index. Default: the model's own names, if it has any.

        Returns
        -------
        pandas.DataFrame
            The components are "topic_1", "topic_2", ..., as in `document_table`.

        Raises
        ------
        ImportError
            If pandas is not installed (extra `frames`).
        TypeError, ValueError
            If the labels do not fit.
        """
        return to_frame(self, which, labels)

    def to_anndata(self, adata: AnnData | None = None) -> AnnData:
        """Write the factorization into an AnnData, as analyses of single cells expect it.

        Parameters
        ----------
        adata : anndata.AnnData, optional
            An AnnData of X's shape. Where both have names, these are matched, and W and H come in
            the order of `adata`. Default: a new one, with the model's names and nothing else in it.

        Returns
        -------
        anndata.AnnData
            `adata`, with W in ``obsm["X_nmf"]``, the transpose of H in ``varm["nmf"]``,
            and options, histories and residuals in ``uns["nmf"]``. Copies.

        Raises
        ------
        ImportError
            If there is no `adata` and anndata is not installed (extra `h5ad`).
        ValueError
            If `adata` has another shape or other names.
        """
        return to_anndata(self, adata)

    def save(self, path: PathLike) -> None:
        """Write the factorization to a file that `load`, `numpy.load` and unzip can read.

        The file is an uncompressed .npz archive with one .npy member for each array
        and the rest as JSON, without pickle; `sparsenmf.data.archive` describes it. It is written
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
        TypeError, ValueError
            If it is the file in which W is kept (see `W_path` of `factorize`), or names were
            assigned that do not fit.
        """
        self._save(path)

    def _save(self, path, texts=None):
        """Write the factorization to a file, and texts as further members of it."""
        write_model(self, path, texts)

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read a factorization that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is not a saved factorization, is damaged, or is of a newer format.
        """
        return read_model(cls, path)
