"""Maps: topics in the plane, and documents among their topics."""

from __future__ import annotations

import numpy as np

from ...data.arguments import check_integer, check_random_state
from ...data.typing import Axes, RandomState, Vocabulary
from ...models.factorization import Factorization
from ..quality import dominant_topics, topic_sizes
from ..similarity import topic_layout, topic_order
from ..tables import document_mass
from .canvas import colours, new_axes, numbered_labels
from .places import place_labels, spread

COVERED = 0.12  # part of the map that the topics cover
MARGIN = (0.08, 0.03)  # of the map, for labels


def plot_topic_map(
    model: Factorization,
    vocabulary: Vocabulary | None = None,
    *,
    n_terms: int = 3,
    ax: Axes | None = None,
) -> Axes:
    """Draw topics in the plane: alike ones close together, as large as they are.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column, optional
        To label topics with their heaviest terms.
    n_terms : int, default 3
        In a label.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Places from `topic_layout`, moved apart where topics would cover each other; areas by
        `topic_sizes`; in the middle the topic's number. Topics that are zero are not there. A
        label that finds no free place is left out, those of the largest topics last. Places
        are looked for in the axes as they are: give them their size first.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If the vocabulary does not fit, or H is zero.
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
    order = np.argsort(-sizes[rows], kind="stable")  # small ones over large ones
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
    if vocabulary is not None:
        names = [labels[r].split("  ", 1)[1] for r in rows]
        place_labels(ax, places, np.maximum(radii / pixels, 5), names, order)
    return ax


def _topics(model):
    """Return the topics that are not zero: those have no place."""
    rows = np.flatnonzero(model.H.any(axis=1))
    if not len(rows):
        raise ValueError("H is zero: there are no topics to show")
    return rows


def _arrange(ax, places, radii):
    """Set limits in which discs of these radii, in pixels, have room; return their places."""
    middle = (places.max(axis=0) + places.min(axis=0)) / 2
    half = np.maximum(np.ptp(places, axis=0) / 2, 1e-3)
    box = np.array([ax.get_window_extent().width, ax.get_window_extent().height])
    room = np.maximum(1 - 2 * (radii.max() + MARGIN * box) / box, 0.1)
    (left, low), (right, high) = middle - half / room, middle + half / room
    ax.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_color("#d8d8d8")
    moved = spread(ax.transData.transform(places), radii)
    return ax.transData.inverted().transform(moved)


def plot_documents(
    model: Factorization,
    vocabulary: Vocabulary | None = None,
    *,
    max_documents: int = 3000,
    n_terms: int = 2,
    random_state: RandomState = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw documents among their topics.

    The topics lie on a circle, alike ones side by side (the order of `topic_hierarchy`); a
    document lies where its shares of the topics draw it (RadViz; Hoffman et al. 1997, "DNA
    visual and analytic data mining", IEEE Visualization): at the rim those of one topic, inside
    those of several.

    Parameters
    ----------
    model : Factorization
    vocabulary : sequence of str, or dict of term -> column, optional
        To label topics with their heaviest terms.
    max_documents : int, default 3000
        Of more documents a random sample of so many is drawn.
    n_terms : int, default 2
        In a label.
    random_state : int, numpy.random.Generator, RandomState or None, default 0
        Of the sample: the same documents each time.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        A point for each document, in the colour of its strongest topic. Documents without any
        topic, and topics that are zero, are not there.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If an argument does not fit.
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
    """Return a place on the unit circle for each topic; of a single one, its middle."""
    if len(H) == 1:
        return np.zeros((1, 2))
    angles = np.empty(len(H))
    angles[topic_order(H)] = 2 * np.pi * np.arange(len(H)) / len(H)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _label_outside(ax, place, label, n_topics):
    """Write a label away from the middle; along the radius where there are many."""
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
