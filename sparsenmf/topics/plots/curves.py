"""Curves: the objective of fits, and the scores of a selection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...data.names import check_names
from ...data.typing import Axes, Names, SelectionTable
from ...models.factorization import Factorization
from .canvas import BLUE, GREY, colours, new_axes, tidy


def plot_objective(
    models: Factorization | Iterable[Factorization],
    labels: Names | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the objective of fits against the seconds since their start.

    Parameters
    ----------
    models : Factorization, or list of them
        The models to compare.
    labels : sequence of str, optional
        A label for each curve. Default: "model 1", ...
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        A line for each model, with a dot for each iteration if there are at most 60.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If models are not factorizations, or if there are not as many labels.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import factorize, plots
    >>> X = sp.random_array((60, 8), density=0.4, rng=0)
    >>> models = [factorize(X, 3, init=init, random_state=0) for init in ("random", "nndsvd")]
    >>> ax = plots.plot_objective(models, ["random", "nndsvd"])
    >>> [line.get_text() for line in ax.get_legend().get_texts()]
    ['random', 'nndsvd']
    """
    listed: list[Any] = [models] if hasattr(models, "objective_history") else list(models)
    if not listed or not all(hasattr(model, "objective_history") for model in listed):
        raise TypeError("models must be a Factorization or a list of them")
    if labels is None:
        labels = [f"model {i}" for i in range(1, len(listed) + 1)]
    labels = check_names(labels, len(listed), "labels", owner="there are {} models")
    ax = new_axes(ax, (6.4, 4.0))
    for model, label, colour in zip(listed, labels, colours(len(listed)), strict=True):
        marker = "." if model.n_iter <= 60 else ""
        ax.plot(
            model.time_history, model.objective_history, marker=marker, color=colour, label=label
        )
        ax.plot(model.time_history[-1:], model.objective_history[-1:], "o", color=colour, ms=6)
    ax.set_xlabel("seconds")
    ax.set_ylabel("objective")
    ax.set_xlim(left=0)
    ax.grid(axis="y", color="#e8e8e8")
    ax.set_axisbelow(True)
    if len(listed) > 1:
        ax.legend(frameon=False)
    tidy(ax)
    return ax


def plot_selection(selection: SelectionTable, *, ax: Axes | None = None) -> Axes:
    """Draw the mean scores of a selection with their standard errors, and its recommendation.

    Parameters
    ----------
    selection : sparsenmf.selection.selected.Selection
        The result of `select_n_components`.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparsenmf import plots, select_n_components
    >>> X = sp.random_array((60, 40), density=0.4, rng=0)
    >>> selection = select_n_components(X, [2, 4], random_state=0)
    >>> ax = plots.plot_selection(selection)
    >>> ax.get_xlabel()
    'components'
    """
    ax = new_axes(ax, (6.4, 4.0))
    columns = (selection.table[name] for name in ("n_components", "mean", "standard_error"))
    candidates, means, errors = columns
    ax.errorbar(candidates, means, errors, marker="o", capsize=3, color=BLUE)
    ax.axvline(selection.n_components, linestyle="--", color=GREY, zorder=0)
    right = selection.n_components > np.mean(ax.get_xlim())
    ax.annotate(
        f"{selection.n_components} components",
        (selection.n_components, 1),
        xycoords=ax.get_xaxis_transform(),
        xytext=(-6 if right else 6, -2),
        textcoords="offset points",
        va="top",
        ha="right" if right else "left",
        color=GREY,
    )
    ax.locator_params(axis="x", integer=True)
    ax.set_xlabel("components")
    stable = selection.method == "stability"
    ax.set_ylabel("similarity of halves" if stable else "relative held-out loss")
    if selection.sample is not None:
        ax.set_title(f"on {selection.sample}", fontsize="medium", color=GREY)
    tidy(ax)
    return ax
