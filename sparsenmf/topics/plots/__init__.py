"""Pictures of topics and of fits, with matplotlib (extra ``plot``).

Each function draws on the axes `ax`, or on those of a new figure, and returns the axes. None of
them opens a window, writes a file or changes matplotlib's settings. To save a picture:
``ax.figure.savefig("topics.png")``.

A new figure belongs to pyplot in a notebook or if pyplot has been imported, so that it is shown
like other figures. Otherwise it is a plain ``matplotlib.figure.Figure``, which needs no backend
and does not have to be closed.
"""

from .curves import plot_objective, plot_selection
from .maps import plot_documents, plot_topic_map
from .terms import plot_term_heatmap, plot_top_terms
from .topics import plot_comparison, plot_topic_sizes

__all__ = [
    "plot_comparison",
    "plot_documents",
    "plot_objective",
    "plot_selection",
    "plot_term_heatmap",
    "plot_top_terms",
    "plot_topic_map",
    "plot_topic_sizes",
]
