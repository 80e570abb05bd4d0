"""Maps: topics in the plane, and documents among their topics."""

from typing import Any

import numpy as np

from ..arguments import check_integer, check_random_state
from ..factorization import Factorization
from ..quality import dominant_topics, topic_sizes
from ..similarity import topic_layout, topic_order
from ..tables import document_mass
from .canvas import GREY, colours, new_axes, numbered_labels
from .places import place_labels

COVERED = 0.12  # part of the map that the topics cover


def plot_topic_map(
    model: Factorization, vocabulary: Any = None, *, n_terms: int = 3, ax: Any = None
) -> Any:
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
        Places from `topic_layout`; areas by `topic_sizes`; in the middle the topic's number.
        A label that finds no free place is left out, those of the largest topics last. Places
        are looked for in the axes as they are: give them their size first.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If the vocabulary does not fit.
    """
    n_terms = check_integer(n_terms, "n_terms", least=1)
    places, sizes = topic_layout(model.H), topic_sizes(model)
    labels = numbered_labels(model, vocabulary, n_terms)
    ax = new_axes(ax, (9.0, 7.0), layout=None)
    if ax.figure.axes == [ax]:
        ax.set_position((0.02, 0.02, 0.96, 0.96))
    _set_limits(ax, places)
    box = ax.get_window_extent()
    points = 72 / ax.figure.dpi
    areas = COVERED * sizes * box.width * box.height * points**2
    ax.scatter(
        *places.T, s=areas, c=colours(len(sizes)), alpha=0.55, linewidths=0.8, edgecolors="white"
    )
    for r, place in enumerate(places):
        ax.annotate(str(r + 1), place, ha="center", va="center", size=8, weight="bold")
    if vocabulary is not None:
        names = [label.split("  ", 1)[1] for label in labels]
        radii = np.maximum(np.sqrt(areas / np.pi), 5)
        place_labels(ax, places, radii, names, np.argsort(-sizes, kind="stable"))
    return ax


def _set_limits(ax, places):
    """Make room for the places and, to the sides, for labels."""
    middle = (places.max(axis=0) + places.min(axis=0)) / 2
    half = np.maximum(np.ptp(places, axis=0) / 2, 0.05) * (1.25, 1.15)
    ax.set_xlim(middle[0] - half[0], middle[0] + half[0])
    ax.set_ylim(middle[1] - half[1], middle[1] + half[1])
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color("#d8d8d8")


def plot_documents(
    model: Factorization,
    vocabulary: Any = None,
    *,
    max_documents: int = 3000,
    n_terms: int = 2,
    random_state: Any = 0,
    ax: Any = None,
) -> Any:
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
        A point for each document, in the colour of its strongest topic; documents without any
        topic are not there.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If an argument does not fit.
    """
    n_terms = check_integer(n_terms, "n_terms", least=1)
    max_documents = check_integer(max_documents, "max_documents", least=1)
    labels = numbered_labels(model, vocabulary, n_terms, width=28)
    strongest = dominant_topics(model)
    chosen = np.flatnonzero(strongest >= 0)
    if len(chosen) > max_documents:
        random = check_random_state(random_state)
        chosen = np.sort(random.choice(chosen, max_documents, replace=False))
    mass = document_mass(model)[chosen]
    anchors = _circle(model)
    points = mass @ anchors / mass.sum(axis=1, keepdims=True)
    palette = colours(model.n_components)
    ax = new_axes(ax, (8.4, 8.4), layout=None)
    ax.scatter(*points.T, s=9, c=[palette[r] for r in strongest[chosen]], alpha=0.5, linewidths=0)
    ax.scatter(*anchors.T, s=26, c=palette, edgecolors="white", linewidths=0.8, zorder=3)
    for place, label in zip(anchors, labels, strict=True):
        _label_outside(ax, place, label, model.n_components)
    ax.set_aspect("equal")
    ax.set_xlim(-1.55, 1.55)
    ax.set_ylim(-1.55, 1.55)
    ax.set_axis_off()
    return ax


def _circle(model):
    """Return a place on the unit circle for each topic; of a single one, its middle."""
    if model.n_components == 1:
        return np.zeros((1, 2))
    angles = np.empty(model.n_components)
    angles[topic_order(model.H)] = 2 * np.pi * np.arange(len(angles)) / len(angles)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _label_outside(ax, place, label, n_topics):
    """Write a label away from the middle; along the radius where there are many."""
    angle = np.degrees(np.arctan2(place[1], place[0]))
    left = abs(angle) > 90
    turn = 0.0
    if n_topics > 16:
        turn = angle + 180 if left else angle
    ax.annotate(
        label,
        1.05 * place,
        rotation=turn,
        rotation_mode="anchor",
        ha="right" if left else "left",
        va="center",
        size=8 if n_topics <= 60 else 6,
        color="black" if n_topics > 1 else GREY,
    )
