"""Pictures of the terms of topics: bars and a heat map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...data.arguments import check_integer
from ...data.names import terms_of
from ...data.texts import shorten
from ...data.typing import Axes, TermOrder, Vocabulary
from ...models.components import Components
from ...models.factorization import Factorization
from ...models.ranking import top_features
from ..quality import topic_sizes
from .canvas import BLUE, LABEL_WIDTH, PALE, add_scale, check_numbers, new_axes, plain

COLUMNS = 4  # most panels side by side
ROWS = 60  # most rows of a heat map, unless the caller asks for more


def plot_top_terms(
    model: Factorization,
    vocabulary: Vocabulary | None = None,
    topics: Sequence[int] | None = None,
    *,
    n_terms: int = 8,
    by: TermOrder = "weight",
    ax: Axes | None = None,
) -> Axes:
    """Draw the top terms of topics as bars, with a panel for each topic.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column, optional
        Default: the names of the features that the model keeps.
    topics : sequence of int, optional
        Numbers of topics; the first is 1, as in the tables. Default: the first eight, which are
        the largest.
    n_terms : int, default 8
        Number of terms of each topic.
    by : {"weight", "distinctive"} or float, default "weight"
        Which terms, as in `Factorization.top_terms`.
    ax : matplotlib.axes.Axes, optional
        All panels are drawn in these axes, whose frame is hidden.

    Returns
    -------
    matplotlib.axes.Axes
        A bar for each term. Its length is the term's weight relative to the largest weight of the
        terms shown. The topic's number and its share of the sum of W H stand above the bars.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If the vocabulary does not have n_features terms, or if there is none and the model has no
        names; if topics are not topic numbers.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import factorize, plots
    >>> X = sp.random_array((60, 8), density=0.4, rng=0)
    >>> terms = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen"]
    >>> model = factorize(X, 3, random_state=0)
    >>> ax = plots.plot_top_terms(model, terms, topics=[1, 3], n_terms=4)
    >>> len(ax.patches)
    8
    """
    n_terms = check_integer(n_terms, "n_terms", least=1)
    terms, listed = terms_of(model, vocabulary), top_features(model, n_terms, by)
    rows = check_numbers(topics, model.n_components, 2 * COLUMNS)
    n_columns = min(COLUMNS, len(rows))
    n_bands = -(-len(rows) // n_columns)
    band = n_terms + 1.8
    ax = new_axes(ax, (max(2.9 * n_columns, 3.6), 0.24 * n_bands * band + 0.2))
    sizes = topic_sizes(model)
    for panel, r in enumerate(rows):
        left, top = panel % n_columns, panel // n_columns * band
        ax.text(left, top, f"{r + 1}", weight="bold", color=BLUE, va="center")
        share = f"{sizes[r]:.1%}" if model.H[r].any() else "empty"
        ax.text(left + 0.9, top, share, color="#606060", va="center", ha="right", size=9)
        columns = listed[r]
        if len(columns):
            places = top + 1 + np.arange(len(columns))
            weights = model.H[r, columns].astype(float)
            ax.barh(places, 0.9 * weights / weights.max(), left=left, height=0.8, color=PALE)
            for place, j in zip(places, columns, strict=True):
                term = plain(shorten(terms[j], LABEL_WIDTH - 8))
                ax.text(left + 0.02, place, term, va="center", size=9)
    ax.set_xlim(-0.02, n_columns - 0.06)
    ax.set_ylim(n_bands * band - 1, -0.8)
    ax.set_axis_off()
    return ax


def plot_term_heatmap(
    model: Components,
    vocabulary: Vocabulary | None = None,
    *,
    n_terms: int | None = None,
    by: TermOrder = "weight",
    ax: Axes | None = None,
) -> Axes:
    """Draw the weights of terms in topics as a heat map.

    Parameters
    ----------
    model : Components
        For example a Factorization.
    vocabulary : sequence of str, or dict of term -> column, optional
        Default: the names of the features that the model keeps.
    n_terms : int, optional
        Number of top terms of each topic. Default: up to five, fewer if there are many topics,
        for at most about 60 rows.
    by : {"weight", "distinctive"} or float, default "weight"
        Which terms, as in `Factorization.top_terms`.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        A heat map of terms x topics, with the top terms of the first topic first. A cell is the
        term's weight relative to the largest weight that the topic has of the terms shown.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If the vocabulary does not have n_features terms, or if there is none and the model has no
        names; if H is zero.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import factorize, plots
    >>> X = sp.random_array((60, 8), density=0.4, rng=0)
    >>> terms = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen"]
    >>> model = factorize(X, 3, random_state=0)
    >>> ax = plots.plot_term_heatmap(model, terms, n_terms=2)
    >>> ax.images[0].get_array().shape[1]  # topics
    3
    """
    if n_terms is None:
        n_terms = max(1, min(5, ROWS // model.n_components))
    n_terms = check_integer(n_terms, "n_terms", least=1)
    names = terms_of(model, vocabulary)
    columns = list(dict.fromkeys(np.concatenate(top_features(model, n_terms, by)).tolist()))
    if not columns:
        raise ValueError("H is zero: there are no terms to show")
    top = model.H[:, columns].max(axis=1).astype(float)
    shares = (model.H[:, columns] / np.where(top > 0, top, 1)[:, None]).T
    n_topics = model.n_components
    terms = [plain(shorten(names[j], LABEL_WIDTH)) for j in columns]
    wide = 0.075 * max(map(len, terms)) + 1.4
    ax = new_axes(ax, (max(0.3 * n_topics, 1.5) + wide, max(0.2 * len(columns), 1.8) + 0.6))
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="none")
    ax.set_yticks(range(len(terms)), terms, size=9 if len(terms) <= ROWS else 6)
    numbers = [str(r + 1) for r in range(n_topics)]
    ax.set_xticks(range(n_topics), numbers, size=9 if n_topics <= 30 else 7)
    ax.set_xlabel("topic")
    ax.tick_params(length=0)
    add_scale(ax, image, "relative weight")
    return ax
