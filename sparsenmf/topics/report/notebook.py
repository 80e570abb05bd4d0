"""Results in notebooks: a small HTML table with inline styles and without a script.

Texts have the colours of the notebook's theme; the bars are visible on light and dark ones.
"""

import html
from typing import NamedTuple

import numpy as np

from ...data.names import component_names
from ...models.normalisation import component_masses
from ...models.ranking import has_terms
from .parts import TERM_WIDTH, VALUE_WIDTH, counted, reason_of, show, solver_of

MOST_ROWS = 30
N_TERMS = 8

TABLE = "border-collapse:collapse;margin:.5em 0"
HEAD = "text-align:left;font-weight:normal;opacity:.7;padding:.1em .8em .1em 0"
CELL = "text-align:left;padding:.1em .8em .1em 0"
NUMBER = "text-align:right;padding:.1em .8em .1em 0"
BAR = "height:.7em;border-radius:1px;background:#5b8fc7"
REST = "opacity:.7"


class Bar(NamedTuple):
    """A cell with a bar; `part` is its length relative to the longest bar."""

    part: float


def show_model(model, terms=None, columns=None, title=None):
    """Return a table of the topics of a `Factorization`, with a line on how the fit ended.

    Parameters
    ----------
    model : Factorization
    terms : sequence of str, optional
        The terms of the columns of H. Default: the names that the model keeps, or no terms.
    columns : dict of str -> sequence of n_components values, optional
        Further columns.
    title : str, optional
        Default: the shape of X and the number of components.
    """
    given: dict[str, list] = {"topic": component_names(model.n_components)}
    in_memory = not isinstance(model.W, np.memmap)
    if in_memory:  # to show a result must not read all of W from disk
        masses = component_masses(model)
        most, total = masses.max() or 1.0, masses.sum() or 1.0
        given["size"] = [Bar(mass / most) for mass in masses]
        given["share"] = [f"{mass / total:.1%}" for mass in masses]
    given |= columns or {}
    if has_terms(model, terms):
        given["top terms"] = model.top_terms(terms, N_TERMS)
        if in_memory:
            given["most distinctive"] = model.top_terms(terms, N_TERMS, by="distinctive")
    size = f"{model.n_samples:,} x {model.n_features:,}"
    found = f"Factorization of {size} into {counted(model.n_components, 'component')}"
    return lay_out(title or found, given, ending_of(model))


def ending_of(model):
    """Return a line on the loss, the solver, and how the fit ended."""
    loss = model.options.get("loss", "unknown")
    parts = [f"loss {loss}, {solver_of(model)}, {model.H.dtype}"]
    if model.n_iter:
        parts.append(f"objective {model.objective:,.6g}, relative error {model.relative_error:.4f}")
        seconds = model.time_history[-1]
        parts.append(f"{counted(model.n_iter, 'iteration')} in {seconds:.2f} s")
    return f"{'; '.join(parts)}; stopped: {reason_of(model)}"


def show_selection(selection, title, measure, ending):
    """Return a table of the candidates of a `Selection`."""
    table = selection.table
    best = selection.n_components
    columns = {
        "components": table["n_components"].tolist(),
        measure: [f"{mean:.5f}" for mean in table["mean"]],
        "standard error": [f"{error:.5f}" for error in table["standard_error"]],
        "": ["recommended" if k == best else "" for k in table["n_components"]],
    }
    return lay_out(title, columns, ending)


def lay_out(title, columns, ending):
    """Return a table of at most `MOST_ROWS` rows, between a title and a last line.

    Parameters
    ----------
    title : str
    columns : dict of str -> sequence of str, int, float, `Bar` or list of str
        A list has the terms of a topic.
    ending : str
    """
    n_rows = len(next(iter(columns.values())))
    rows = zip(*(values[:MOST_ROWS] for values in columns.values()), strict=True)
    head = "".join(f'<th style="{HEAD}">{_text(name)}</th>' for name in columns)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    more = ""
    if n_rows > MOST_ROWS:
        more = f'<div style="{REST}">... and {n_rows - MOST_ROWS:,} more</div>\n'
    return (
        f"<div>\n<div><b>{_text(title)}</b></div>\n"
        f'<table style="{TABLE}">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n'
        f'</table>\n{more}<div style="{REST}">{_text(ending)}</div>\n</div>'
    )


def _cell(value):
    if isinstance(value, Bar):
        bar = f'<div style="{BAR};width:{100 * value.part:.1f}%"></div>'
        return f'<td style="{CELL};width:8em;min-width:8em">{bar}</td>'
    if isinstance(value, list):
        terms = (show(term, TERM_WIDTH) or "(blank)" for term in value)
        listed = ", ".join(f"<bdi>{html.escape(term)}</bdi>" for term in terms) or "(empty)"
        return f'<td style="{CELL}">{listed}</td>'
    is_number = not isinstance(value, str) or value[:1].isdecimal()
    return f'<td style="{NUMBER if is_number else CELL}">{_text(value)}</td>'


def _text(value):
    return show(value, VALUE_WIDTH, escape=True)
