"""Maps: topics in the plane, and documents between their topics."""

from __future__ import annotations

import numpy as np

from ...data.arguments import check_integer, check_random_state
from ...data.typing import Axes, RandomState, Vocabulary
from ...models.factorization import Factorization
from ...models.ranking import has_terms
from ..placement import free_boxes, move_apart, overlaps
from ..quality import dominant_topics, topic_sizes
from ..similarity import topic_layout, topic_order
from ..tables import document_mass
from .canvas import colours, new_axes, numbered_labels

COVERED = 0.12  # part of the map that the discs of all topics cover
MARGIN = (0.08, 0.03)  # parts of the map's width and height that are kept free for labels
TOUCH = 0.8  # two discs are no closer than this fraction of the sum of their radii

DIRECTIONS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)], float)
DISTANCES = np.array([3, 12, 24, 40])  # points between a disc and its label
FAR = np.repeat(DISTANCES > 12, len(DIRECTIONS))  # positions that need a line to the disc
LINE = {"arrowstyle": "-", "color": "#a0a0a0", "lw": 0.6}
PADDING = 2  # pixels around a label


def plot_topic_map(
    model: Factorization,
    vocabulary: Vocabulary | None = None,
    *,
    n_terms: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Draw the topics as discs in the plane: similar topics lie close together.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column, optional
        Topics are labelled with their most distinctive terms. Default: the names of the features
        that the model keeps, or no labels.
    n_terms : int, default 3
        Number of terms in a label.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Positions come from `topic_layout`, moved apart where discs would cover each other; areas
        from `topic_sizes`. Each disc has the topic's number. Topics that are zero are left out.
        Labels never cover discs or each other: a label without free space is left out, and the
        largest topics choose first. Set the size of the axes before this call, because the
        positions depend on it.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If the vocabulary does not have n_features terms, or if H is zero.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import factorize, plots
    >>> X = sp.random_array((60, 8), density=0.4, rng=0)
    >>> terms = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen"]
    >>> model = factorize(X, 3, random_state=0)
    >>> ax = plots.plot_topic_map(model, terms, n_terms=1)
    >>> [text.get_text() for text in ax.texts][:3]  # the numbers on the discs
    ['1', '2', '3']
    """
    n_terms = check_integer(n_terms, "n_terms", least=1)
    rows, sizes = _topics(model), topic_sizes(model)
    labels = numbered_labels(model, vocabulary, n_terms)
    palette = colours(model.n_components)
    ax = new_axes(ax, (9.0, 7.0), (0.02, 0.02, 0.96, 0.96))
    box = ax.get_window_extent()
    pixels = ax.figure.dpi / 72
    radii = np.sqrt(COVERED * sizes[rows] * box.width * box.height / np.pi)
    places = _arrange(ax, topic_layout(model.H[rows]), radii)
    order = np.argsort(-sizes[rows], kind="stable")  # small discs are drawn over large ones
    ax.scatter(
        places[order, 0],
        places[order, 1],
        s=np.pi * (radii[order] / pixels) ** 2,
        c=[palette[rows[i]] for i in order],
        alpha=0.55,
        linewidths=0.8,
        edgecolors="white",
    )
    for r, place in zip(rows, places, strict=True):
        ax.annotate(str(r + 1), place, ha="center", va="center", size=8, weight="bold")
    if has_terms(model, vocabulary):
        names = [labels[r].split("  ", 1)[1] for r in rows]
        _place_labels(ax, places, np.maximum(radii, 5 * pixels), names, order)
    return ax


def _topics(model):
    """Return the rows of H that are not zero: the others have no position."""
    rows = np.flatnonzero(model.H.any(axis=1))
    if not len(rows):
        raise ValueError("H is zero: there are no topics to show")
    return rows


def _arrange(ax, places, radii):
    """Set limits that leave room for discs of these radii (pixels); return their positions."""
    middle = (places.max(axis=0) + places.min(axis=0)) / 2
    half = np.maximum(np.ptp(places, axis=0) / 2, 1e-3)
    box = np.array([ax.get_window_extent().width, ax.get_window_extent().height])
    room = np.maximum(1 - 2 * (radii.max() + MARGIN * box) / box, 0.1)
    (left, low), (right, high) = middle - half / room, middle + half / room
    ax.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_color("#d8d8d8")
    moved = move_apart(ax.transData.transform(places), radii, TOUCH)
    return ax.transData.inverted().transform(moved)


def _place_labels(ax, places, radii, labels, order, size=8):
    """Write labels beside discs, where they cover neither discs nor other labels.

    A label without free space is left out. Force-directed placement (adjustText 1.4, tuned) keeps
    all 50 labels of 20newsgroups, but puts nine of them on discs and three on other labels.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Its limits and its size must not change any more.
    places : ndarray of shape (n, 2)
        Centres of the discs, in data coordinates.
    radii : ndarray of shape (n,)
        Radii of the discs, in pixels.
    labels : list of n str
    order : iterable of int
        The order in which labels choose their position.
    size : int
        Font size.
    """
    pixels = ax.figure.dpi / 72
    centres = ax.transData.transform(places)
    frame = ax.get_window_extent().extents
    discs = np.hstack([centres - radii[:, None], centres + radii[:, None]])
    taken = np.empty((0, 4))
    for r in order:
        text = ax.annotate(labels[r], places[r], ha="center", va="center", size=size)
        extent = text.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2 + PADDING
        reach = (radii[r] + DISTANCES[:, None] * pixels) / np.linalg.norm(DIRECTIONS, axis=1)
        offsets = (DIRECTIONS * (reach[..., None] + half)).reshape(-1, 2)
        boxes = np.tile(centres[r], 2) + np.hstack([offsets - half, offsets + half])
        lines = centres[r] + np.linspace(0.1, 0.9, 17)[:, None] * offsets[:, None]
        obstacles = np.vstack([taken, np.delete(discs, r, axis=0)])
        free = free_boxes(boxes, obstacles, frame)
        points = np.tile(lines[FAR].reshape(-1, 2), 2)  # boxes without extent
        free[FAR] &= ~overlaps(points, obstacles).reshape(-1, 17).any(axis=1)
        text.remove()
        if not free.any():
            continue
        chosen = int(free.argmax())
        line = lines[chosen] if FAR[chosen] else np.empty((0, 2))
        taken = np.vstack([taken, boxes[chosen], np.tile(line, 2)])
        ax.annotate(
            labels[r],
            places[r],
            xytext=offsets[chosen] / pixels,
            textcoords="offset points",
            ha="center",
            va="center",
            size=size,
            arrowprops={**LINE, "shrinkB": radii[r] / pixels} if FAR[chosen] else None,
        )


def plot_documents(
    model: Factorization,
    vocabulary: Vocabulary | None = None,
    *,
    max_documents: int = 3000,
    n_terms: int = 2,
    random_state: RandomState = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the documents as points between their topics.

    The topics lie on a circle, in the order of `topic_hierarchy`, so that similar topics are
    neighbours. The position of a document is the mean of its topics' positions, weighted by its
    shares of them (RadViz; Hoffman et al. 1997, "DNA visual and analytic data mining", IEEE
    Visualization). A document of one topic lies on the circle, one of several topics inside.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column, optional
        Topics are labelled with their most distinctive terms. Default: the names of the features
        that the model keeps, or no labels.
    max_documents : int, default 3000
        If there are more documents, a random sample of this size is drawn.
    n_terms : int, default 2
        Number of terms in a label.
    random_state : int, numpy.random.Generator, RandomState or None, default 0
        Seed of the sample. With the default, the documents are the same each time.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        A point for each document, in the colour of its strongest topic. Documents without topics
        and topics that are zero are left out.

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
    >>> ax = plots.plot_documents(model, terms, max_documents=50)
    >>> len(ax.collections[0].get_offsets())
    50
    """
    n_terms = check_integer(n_terms, "n_terms", least=1)
    max_documents = check_integer(max_documents, "max_documents", least=1)
    labels = numbered_labels(model, vocabulary, n_terms, width=24)
    rows, strongest = _topics(model), dominant_topics(model)
    chosen = np.flatnonzero(strongest >= 0)
    if len(chosen) > max_documents:
        random = check_random_state(random_state)
        chosen = np.sort(random.choice(chosen, max_documents, replace=False))
    mass = document_mass(model)[np.ix_(chosen, rows)]
    anchors = _circle(model.H[rows])
    points = mass @ anchors / mass.sum(axis=1, keepdims=True)
    palette = colours(model.n_components)
    ax = new_axes(ax, (8.4, 8.4), (0, 0, 1, 1))
    x, y = points.T
    ax.scatter(x, y, s=9, c=[palette[r] for r in strongest[chosen]], alpha=0.5, linewidths=0)
    x, y = anchors.T
    rim = [palette[r] for r in rows]
    ax.scatter(x, y, s=30, c=rim, edgecolors="white", linewidths=0.8, zorder=3)
    for r, place in zip(rows, anchors, strict=True):
        _label_outside(ax, place, labels[r], len(rows))
    ax.set_aspect("equal")
    ax.set_xlim(-1.6, 1.6)
    ax.set_ylim(-1.6, 1.6)
    ax.set_axis_off()
    return ax


def _circle(H):
    """Return a position on the unit circle for each topic, or its centre for a single topic."""
    if len(H) == 1:
        return np.zeros((1, 2))
    angles = np.empty(len(H))
    angles[topic_order(H)] = 2 * np.pi * np.arange(len(H)) / len(H)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _label_outside(ax, place, label, n_topics):
    """Write a label outside the circle; along the radius if there are many topics."""
    angle = np.degrees(np.arctan2(place[1], place[0]))
    left = abs(angle) > 90.001
    turn = 0.0
    if n_topics > 16:
        turn = angle + 180 if left else angle
    ax.annotate(
        label,
        place,
        xytext=8 * (place if n_topics > 1 else np.array([1.0, 0.0])),
        textcoords="offset points",
        rotation=turn,
        rotation_mode="anchor",
        ha="right" if left else "left",
        va="center_baseline" if turn else "center",
        size=8 if n_topics <= 60 else 6,
    )
