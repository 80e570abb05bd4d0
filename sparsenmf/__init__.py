"""Fast, exact non-negative matrix factorization of sparse matrices.

    >>> import sparsenmf
    >>> model = sparsenmf.factorize(X, 20)          # any scipy.sparse matrix
    >>> model.W, model.H                            # X is about W @ H

Importing this package loads neither numba nor scikit-learn; they come with the
first call that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "NMF",
    "NNDSVD",
    "Checkpoint",
    "CoordinateDescent",
    "Factorization",
    "MiniBatchNMF",
    "MultiplicativeUpdate",
    "NamedMatrix",
    "Problem",
    "RandomStarts",
    "Seeds",
    "Topics",
    "Weights",
    "consensus",
    "document_table",
    "estimate_memory",
    "factorize",
    "find_topics",
    "forecast_selection",
    "initialize",
    "label_agreement",
    "non_negative_factorization",
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
    "NMF": "models.estimators",
    "NNDSVD": "solvers.sampled",
    "Checkpoint": "models.checkpoint",
    "CoordinateDescent": "models.algorithms",
    "Factorization": "models.factorization",
    "MiniBatchNMF": "models.minibatch",
    "MultiplicativeUpdate": "models.algorithms",
    "NamedMatrix": "data.named",
    "Problem": "solvers.problem",
    "RandomStarts": "models.restarts",
    "Seeds": "solvers.constraints",
    "Topics": "topics.finding",
    "Weights": "solvers.weights",
    "consensus": "selection.consensus",
    "document_table": "topics.tables",
    "estimate_memory": "models.memory",
    "factorize": "models.factorize",
    "find_topics": "topics.finding",
    "forecast_selection": "selection.choosing",
    "initialize": "solvers.start",
    "label_agreement": "topics.agreement",
    "non_negative_factorization": "models.function",
    "open_csr": "data.store",
    "quality_table": "topics.quality",
    "read_matrix": "data.reading.matrices",
    "read_texts": "data.texts",
    "read_vocabulary": "data.reading.vocabulary",
    "select_n_components": "selection.choosing",
    "show_topics": "topics.bridges",
    "term_table": "topics.tables",
    "to_pyldavis": "topics.bridges",
    "topic_coherence": "topics.coherence",
    "topic_diversity": "topics.quality",
    "topic_exclusivity": "topics.quality",
    "topic_hierarchy": "topics.similarity",
    "topic_labels": "topics.labels",
    "topic_layout": "topics.similarity",
    "topic_similarity": "topics.similarity",
    "topic_sizes": "topics.quality",
    "topic_table": "topics.tables",
    "topics_over": "topics.trends",
    "warmup": "models.warmup",
    "write_csr": "data.store",
}

_MODULES = {
    "distributed": "distributed",
    "files": "data.files",
    "plots": "topics.plots",
    "typing": "data.typing",
}
"""Modules that are loaded when they are first asked for, as ``sparsenmf.plots`` is."""

_EXTRAS = {
    "NMF": "sklearn",
    "MiniBatchNMF": "sklearn",
    "non_negative_factorization": "sklearn",
    "distributed": "dask",
}
"""Names that cannot be had without another package."""

if TYPE_CHECKING:
    from . import distributed as distributed
    from .data import files as files
    from .data import typing as typing
    from .data.named import NamedMatrix
    from .data.reading import read_matrix, read_vocabulary
    from .data.store import open_csr, write_csr
    from .data.texts import read_texts
    from .models.algorithms import CoordinateDescent, MultiplicativeUpdate
    from .models.checkpoint import Checkpoint
    from .models.estimators import NMF
    from .models.factorization import Factorization
    from .models.factorize import factorize
    from .models.function import non_negative_factorization
    from .models.memory import estimate_memory
    from .models.minibatch import MiniBatchNMF
    from .models.restarts import RandomStarts
    from .models.warmup import warmup
    from .selection.choosing import forecast_selection, select_n_components
    from .selection.consensus import consensus
    from .solvers.constraints import Seeds
    from .solvers.problem import Problem
    from .solvers.sampled import NNDSVD
    from .solvers.start import initialize
    from .solvers.weights import Weights
    from .topics import plots as plots
    from .topics.agreement import label_agreement
    from .topics.bridges import show_topics, to_pyldavis
    from .topics.coherence import topic_coherence
    from .topics.finding import find_topics
    from .topics.labels import topic_labels
    from .topics.quality import (
        quality_table,
        topic_diversity,
        topic_exclusivity,
        topic_sizes,
    )
    from .topics.similarity import topic_hierarchy, topic_layout, topic_similarity
    from .topics.tables import document_table, term_table, topic_table
    from .topics.trends import topics_over


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f".{_MODULES[name]}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from importlib.util import find_spec  # here: it takes as long to import as all above

    # help() and completion look at all that is listed, and an ImportError would end them.
    missing = {name for name, package in _EXTRAS.items() if find_spec(package) is None}
    return sorted({*__all__, *_MODULES, "__version__"} - missing)
