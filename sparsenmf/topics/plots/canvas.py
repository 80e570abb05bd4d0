"""What all pictures need: axes, colours and labels."""

import colorsys
import sys

from ...data.arguments import check_integer
from ...data.texts import shorten
from ...models.ranking import has_terms
from ..labels import topic_labels

BLUE, PALE, GREY = "#2b6ca3", "#cfe1f2", "#8a8f98"

LABEL_WIDTH = 40  # characters

QUALITATIVE = [
    "#2b6ca3", "#e0812b", "#3f9b52", "#c8453d", "#8463ab",
    "#8c6450", "#d272ab", "#6f7680", "#a8a531", "#2fa9b8",
]  # fmt: skip


def new_axes(ax, size, position=None):
    """Return `ax`, or the axes of a new figure of this size if it is None.

    The position of new axes is (left, bottom, width, height); without one, the layout makes room
    for their labels.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plot needs matplotlib: pip install "sparsenmf[plot]"') from error
    if _pyplot_is_in_use():
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=size)
    else:
        figure = Figure(figsize=size)
    if position is not None:
        return figure.add_axes(position)
    figure.set_layout_engine("constrained")
    return figure.subplots()


def _pyplot_is_in_use():
    """Return whether pyplot has been imported, or this is a notebook."""
    ipython = sys.modules.get("IPython")
    get_ipython = getattr(ipython, "get_ipython", None)  # None while IPython is being imported
    notebook = get_ipython is not None and get_ipython() is not None
    return notebook or "matplotlib.pyplot" in sys.modules


def tidy(ax, sides=("top", "right")):
    """Hide these sides of the frame."""
    for side in sides:
        ax.spines[side].set_visible(False)


def add_scale(ax, image, label):
    """Add a colour bar to a heat map, and hide the map's frame."""
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.06, pad=0.03, aspect=25)
    bar.set_label(label)
    bar.outline.set_visible(False)
    tidy(ax, ("top", "right", "left", "bottom"))


def colours(n):
    """Return n different colours."""
    if n <= len(QUALITATIVE):
        return QUALITATIVE[:n]
    # Steps of the golden ratio keep neighbouring hues far apart, for any n.
    hues = [(0.58 + 0.618034 * i) % 1 for i in range(n)]
    return [colorsys.hls_to_rgb(hue, (0.42, 0.6)[i % 2], 0.6) for i, hue in enumerate(hues)]


def numbered_labels(model, vocabulary, n_terms, width=LABEL_WIDTH):
    """Return a label such as "1  court, judge" for each topic, or "1" where there are no terms."""
    numbers = [str(r + 1) for r in range(model.n_components)]
    if not has_terms(model, vocabulary):
        return numbers
    labels = topic_labels(model, vocabulary, n_terms=n_terms)
    return [
        f"{number}  {plain(shorten(label, width))}"
        for number, label in zip(numbers, labels, strict=True)
    ]


def plain(label):
    """Return a label whose dollar signs do not begin a formula of matplotlib's."""
    return label.replace("$", r"\$")


def check_numbers(topics, n_components, default):
    """Return the rows of H for topic numbers (the first is 1); None stands for the first rows."""
    if topics is None:
        return list(range(min(default, n_components)))
    if not hasattr(topics, "__iter__") or isinstance(topics, str):
        raise TypeError(f"topics must be a list of numbers, from 1, not {topics!r}")
    rows = [check_integer(number, "topics", least=1) - 1 for number in topics]
    if not rows or max(rows) >= n_components:
        raise ValueError(f"topics must be numbers from 1 to {n_components}, not {list(topics)!r}")
    return rows
