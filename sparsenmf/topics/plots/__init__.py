"""Pictures of topics and of fits, with matplotlib (extra ``plot``).

Each function draws on the `ax` that it is given, or on one of a new figure, and returns it;
none shows a window, saves a file or changes a setting of matplotlib's. A new figure is one of
pyplot's where pyplot is in use, that is where it has been imported or in a notebook, so that it
is shown there as pyplot's are; elsewhere it is a plain ``matplotlib.figure.Figure``, which needs
no backend and nobody has to close: ``ax.figure.savefig("topics.png")``.
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
