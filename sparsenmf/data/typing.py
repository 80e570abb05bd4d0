"""The types in this package's signatures, for annotations of your own: ``Loss``, ``FloatArray``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from .progress import IterationState as IterationState  # for annotations of callbacks

if TYPE_CHECKING:  # none of these packages has to be installed
    from anndata import AnnData as AnnData
    from matplotlib.axes import Axes as Axes
    from pandas import DataFrame as DataFrame
    from typing_extensions import Self as Self
    from typing_extensions import Unpack as Unpack
else:  # so that typing.get_type_hints finds something
    AnnData = Axes = DataFrame = Self = Any
    Unpack = dict

Loss: TypeAlias = Literal["frobenius", "kullback-leibler", "itakura-saito"] | float
Solver: TypeAlias = Literal["cd", "mu"]
Init: TypeAlias = Literal["auto", "random", "nndsvd", "nndsvda", "nndsvdar", "custom"]
Missing: TypeAlias = Literal["zero", "unknown"]
Seeding: TypeAlias = Literal["start", "support"]
AlphaH: TypeAlias = float | Literal["same"]
SelectionMethod: TypeAlias = Literal["blocks", "entries", "stability"]
Measure: TypeAlias = Literal["umass", "npmi", "uci", "c_v"]
SizeBy: TypeAlias = Literal["total", "documents", "terms"]
TermOrder: TypeAlias = Literal["weight", "distinctive"] | float
Period: TypeAlias = Literal["year", "month", "week", "day", "hour"]
GroupValues: TypeAlias = Literal["share", "total", "documents"]

FloatArray: TypeAlias = NDArray[np.floating[Any]]  # float32 or float64, as X is
IntArray: TypeAlias = NDArray[np.integer[Any]]


class HasShape(Protocol):
    """An array, or a column or an index of a frame."""

    @property
    def shape(self) -> Any: ...


# Any matrix that `factorize` takes: scipy.sparse, ndarray, nested lists, DataFrame, AnnData, what
# `open_csr` opened, and more. scipy and scikit-learn have no annotations, so that checkers infer
# types from their source: "csr_array | tuple | str" for CountVectorizer.transform, say. A narrower
# type would have them refuse what is right.
Matrix: TypeAlias = Any

Vector: TypeAlias = Sequence[float] | HasShape
Names: TypeAlias = Sequence[Any] | HasShape  # texts, or numbers and dates as texts
TermLists: TypeAlias = Sequence[Sequence[str]] | HasShape
Vocabulary: TypeAlias = Sequence[str] | Mapping[str, int] | HasShape
Frozen: TypeAlias = Sequence[int] | HasShape  # of components: numbers, or a mask
SeedWords: TypeAlias = Mapping[Any, Sequence[str] | Sequence[int] | HasShape]
PathLike: TypeAlias = str | os.PathLike[str]
RandomState: TypeAlias = int | np.random.Generator | np.random.RandomState | None
Callback: TypeAlias = Callable[[IterationState], object]


class FitOptions(TypedDict, total=False):
    """The options that all functions which call `factorize` can pass on to it."""

    init: Any
    solver: Any
    alpha_W: float
    alpha_H: AlphaH
    l1_ratio: float
    tol: float
    max_iter: int


class SelectionTable(Protocol):
    """What a picture shows of a `Selection`, whose room is above."""

    n_components: int
    table: dict[str, NDArray[Any]]
    method: SelectionMethod
    sample: Any


class CoherenceOptions(TypedDict, total=False):
    """What `quality_table` passes on to `topic_coherence`."""

    texts: Iterable[str] | Iterable[Sequence[str]] | None
    measure: Measure
    window: int | Literal["default"] | None
    tokenizer: Callable[[str], Sequence[str]] | None
    epsilon: float


class ConsensusOptions(FitOptions, total=False):
    """What `consensus` passes on to `factorize`."""

    loss: Loss
    n_threads: int | None


class TopicOptions(FitOptions, total=False):
    """What `find_topics` passes on to `factorize`: all but the vocabulary."""

    loss: Loss
    random_state: RandomState
    weights: Any
    missing: Missing
    W: Matrix | None
    H: Matrix | None
    frozen_W: Frozen | None
    frozen_H: Frozen | None
    seeds: Any
    time_limit: float | None
    n_threads: int | None
    checkpoint: Any
    progress: bool | Callback
