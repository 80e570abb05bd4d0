"""Pictures of whole topics: their sizes, and the similarity of two models."""

from __future__ import annotations

import numpy as np

from ...data.arguments import check_integer
from ...data.typing import Axes, SizeBy, Vocabulary
from ...models.components import Components
from ...models.factorization import Factorization
from ...models.ranking import has_terms
from ..quality import topic_sizes
from ..similarity import match_components, unit_rows
from .canvas import BLUE, add_scale, new_axes, numbered_labels, tidy

XLABELS = {
    "total": "share of the sum of W H",
    "documents": "share of the documents, by their strongest topic",
    "terms": "share of the terms, by their strongest topic",
}


def plot_topic_sizes(
    model: Factorization,
    vocabulary: Vocabulary | None = None,
    *,
    by: SizeBy = "total",
    n_terms: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Draw the sizes of topics as bars.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column, optional
        Topics are labelled with their most distinctive terms. Default: the names of the features
        that the model keeps, or no labels.
    by : {"total", "documents", "terms"}, default "total"
        See `topic_sizes`.
    n_terms : int, default 3
        Number of terms in a label.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        A bar for each topic, with the first topic on top.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If an argument has the wrong type, value or length.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import factorize, plots
    >>> X = sp.random_array((60, 8), density=0.4, rng=0)
    >>> terms = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen"]
    >>> model = factorize(X, 3, random_state=0)
    >>> ax = plots.plot_topic_sizes(model, terms, n_terms=1)
    >>> len(ax.patches)
    3
    """
    n_terms = check_integer(n_terms, "n_terms", least=1)
    sizes = topic_sizes(model, by)
    labels = numbered_labels(model, vocabulary, n_terms)
    ax = new_axes(ax, (6.4, 0.24 * len(sizes) + 0.9))
    bars = ax.barh(range(len(sizes)), sizes, height=0.75, color=BLUE)
    ax.bar_label(bars, [f"{size:.1%}" for size in sizes], padding=3, size=8, color="#606060")
    ax.set_yticks(range(len(sizes)), labels, size=9)
    ax.set_ylim(len(sizes) - 0.4, -0.6)
    ax.set_xlim(0, 1.12 * max(sizes.max(), 1e-9))
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
    ax.set_xlabel(XLABELS[by])
    ax.tick_params(axis="y", length=0)
    tidy(ax, ("top", "right", "left"))
    return ax


def plot_comparison(
    model: Components,
    other: Components,
    vocabulary: Vocabulary | None = None,
    *,
    n_terms: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Draw the similarity of the topics of two models as a heat map.

    Parameters
    ----------
    model, other : Components
        For example two Factorizations. They must have the same features; their numbers of
        components may differ.
    vocabulary : sequence of str, or dict of term -> column, optional
        Topics are labelled with their most distinctive terms. Default: the names of the features
        that the model keeps, or no labels.
    n_terms : int, default 3
        Number of terms in a label.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        The cosines between the topics of `model` (rows) and of `other` (columns). Topics are
        paired so that the sum of their cosines is largest, and columns are in the order of their
        partners; columns without a partner are last. The title states the mean cosine of partners.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If the models do not have the same features, or if the vocabulary does not have n_features
        terms.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import factorize, plots
    >>> X = sp.random_array((60, 8), density=0.4, rng=0)
    >>> terms = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen"]
    >>> model, other = (factorize(X, 3, random_state=seed) for seed in (0, 1))
    >>> ax = plots.plot_comparison(model, other, terms)
    >>> ax.images[0].get_array().shape
    (3, 3)
    """
    n_terms = check_integer(n_terms, "n_terms", least=1)
    if model.n_features != other.n_features:
        raise ValueError(
            f"the models have {model.n_features} and {other.n_features} features: "
            f"only topics of the same features can be compared"
        )
    partners, mean = _partners(model.H, other.H)
    cosines = unit_rows(model.H) @ unit_rows(other.H[partners]).T
    rows = numbered_labels(model, vocabulary, n_terms)
    columns = [numbered_labels(other, vocabulary, n_terms)[r] for r in partners]
    wide = has_terms(other, vocabulary)
    height, width = (max(0.24 * n, 1.5) for n in cosines.shape)
    ax = new_axes(ax, (width + (4.0 if wide else 1.8), height + (2.6 if wide else 1.0)))
    image = ax.imshow(cosines, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="none")
    ax.set_yticks(range(len(rows)), rows, size=8)
    ax.set_xticks(range(len(columns)), columns, size=8, rotation=90 if wide else 0)
    ax.tick_params(length=0)
    ax.set_ylabel("first model")
    ax.set_xlabel("second model")
    ax.set_title(f"mean cosine of partners: {mean:.2f}", size=10)
    add_scale(ax, image, "cosine")
    return ax


def _partners(H, other):
    """Return the rows of `other` in the order of their partners, and the mean cosine of pairs."""
    if len(H) <= len(other):
        order, cosines = match_components(H, other)
    else:
        rows, cosines = match_components(other, H)  # the partner in H of each of other's
        order = np.argsort(rows)
    rest = np.setdiff1d(np.arange(len(other)), order)
    return np.concatenate([order, rest]).astype(int), cosines.mean()
