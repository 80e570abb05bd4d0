"""Fast, exact non-negative matrix factorization of sparse matrices.

    >>> import sparsenmf
    >>> model = sparsenmf.factorize(X, 20)          # any scipy.sparse matrix
    >>> model.W, model.H                            # X is about W @ H

Importing this package loads neither numba nor scikit-learn; they come with the
first call that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "NMF",
    "Factorization",
    "MiniBatchNMF",
    "consensus",
    "document_table",
    "estimate_memory",
    "factorize",
    "find_topics",
    "forecast_selection",
    "label_agreement",
    "open_csr",
    "quality_table",
    "read_matrix",
    "read_texts",
    "read_vocabulary",
    "select_n_components",
    "show_topics",
    "term_table",
    "to_pyldavis",
    "topic_coherence",
    "topic_diversity",
    "topic_exclusivity",
    "topic_hierarchy",
    "topic_labels",
    "topic_layout",
    "topic_similarity",
    "topic_sizes",
    "topic_table",
    "topics_over",
    "warmup",
    "write_csr",
]

_HOMES = {
    "NMF": "estimators",
    "Factorization": "factorization",
    "MiniBatchNMF": "minibatch",
    "consensus": "_consensus",
    "document_table": "tables",
    "estimate_memory": "memory",
    "factorize": "_factorize",
    "find_topics": "topics",
    "forecast_selection": "selection",
    "label_agreement": "quality",
    "open_csr": "sources",
    "quality_table": "quality",
    "read_matrix": "files",
    "read_texts": "texts",
    "read_vocabulary": "files",
    "select_n_components": "selection",
    "show_topics": "bridges",
    "term_table": "tables",
    "to_pyldavis": "bridges",
    "topic_coherence": "coherence",
    "topic_diversity": "quality",
    "topic_exclusivity": "quality",
    "topic_hierarchy": "similarity",
    "topic_labels": "tables",
    "topic_layout": "similarity",
    "topic_similarity": "similarity",
    "topic_sizes": "quality",
    "topic_table": "tables",
    "topics_over": "trends",
    "warmup": "_warmup",
    "write_csr": "sources",
}

if TYPE_CHECKING:
    from ._consensus import consensus
    from ._factorize import factorize
    from ._warmup import warmup
    from .bridges import show_topics, to_pyldavis
    from .coherence import topic_coherence
    from .estimators import NMF
    from .factorization import Factorization
    from .files import read_matrix, read_vocabulary
    from .memory import estimate_memory
    from .minibatch import MiniBatchNMF
    from .quality import (
        label_agreement,
        quality_table,
        topic_diversity,
        topic_exclusivity,
        topic_sizes,
    )
    from .selection import forecast_selection, select_n_components
    from .similarity import topic_hierarchy, topic_layout, topic_similarity
    from .sources import open_csr, write_csr
    from .tables import document_table, term_table, topic_labels, topic_table
    from .texts import read_texts
    from .topics import find_topics
    from .trends import topics_over


def __getattr__(name):
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
