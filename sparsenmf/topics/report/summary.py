"""The first two sentences of the report: what was found, and how much it explains."""

import numpy as np

from ...data.store import is_store
from .parts import counted

EXPLAINED = {
    2: "what is in the documents",
    1: "what makes the documents different from each other",
}
"""What `explained` is a share of, by the beta of the loss."""

MIX = (
    ": 100% would mean that every document is a mix of these topics and nothing else, "
    "but much of a real text is particular to it"
)

UNKNOWN = (
    "How much of the documents they explain was not measured; "
    "the numbers at the end of the page say how good the fit is."
)


def summarize(model, X):
    """Return two sentences about a model: what was found, and how much it explains.

    Parameters
    ----------
    model : Factorization
    X : csr_array, store, or None
        The matrix that the model was fitted to, already checked.
    """
    n, m, k = model.n_samples, model.n_features, model.n_components
    found = (
        f"In {counted(n, 'document')} with {counted(m, 'different term')}, "
        f"{counted(k, 'topic')} {'was' if k == 1 else 'were'} found: "
        f"{'a group' if k == 1 else 'groups'} of terms that tend to occur in the same documents."
    )
    if model.x_norm == 0:
        return found, "All weights are zero, so there is nothing to explain."
    part = explained(model, X)
    if part is None:
        return found, UNKNOWN
    whole = EXPLAINED[model.beta]
    topics = "The topic explains" if k == 1 else "Together the topics explain"
    return found, f"{topics} {show_percent(part)} of {whole}{MIX}."


def explained(model, X):
    """Return the share of X that a model explains, or None if it is not known.

    For the Frobenius loss it is a share of the squared norm of X. For Kullback-Leibler it is a
    share of the loss of a model without topics, in which all documents use their words in the
    same proportions; this requires X.
    """
    if model.beta == 2:
        part = 1 - model.relative_error**2
    elif model.beta == 1 and X is not None and model.missing == "zero":
        loss, total = same_proportions(X)
        # The loss is zero if the proportions are equal; a weighted fit had another total.
        if loss <= 1e-9 * total or not np.isclose(total, model.x_norm**2 / 2, rtol=1e-4):
            return None
        part = 1 - model.error**2 / 2 / loss
    else:
        return None
    return float(np.clip(part, 0, 1)) if np.isfinite(part) else None


def same_proportions(X):
    """Return the Kullback-Leibler loss of (row sums x column sums / sum), and the sum of X."""
    columns = np.zeros(X.shape[1])
    products = 0.0  # the sum of x log x over the entries, minus that over the row sums
    for start, stop in X.blocks() if is_store(X) else [(0, X.shape[0])]:
        part = X.rows(start, stop) if is_store(X) else X
        values = part.data.astype(np.float64)
        columns += np.bincount(part.indices, values, minlength=X.shape[1])
        rows = np.bincount(
            np.repeat(np.arange(part.shape[0]), np.diff(part.indptr)),
            values,
            minlength=part.shape[0],
        )
        products += _x_log_x(values) - _x_log_x(rows)
    total = float(columns.sum())
    return products - _x_log_x(columns) + _x_log_x(np.array([total])), total


def _x_log_x(values):
    values = values[values > 0]
    return float(values @ np.log(values))


def show_percent(part):
    """Return a share as a percentage, with a decimal if it is near 0% or 100%."""
    if 0 < part < 0.001:
        return "less than 0.1%"
    if 0.999 < part < 1:
        return "more than 99.9%"
    return f"{part:.1%}" if 0 < part < 0.1 or 0.9 < part < 1 else f"{part:.0%}"
