"""A factorization as a file: which arrays, and which record beside them."""

from ..data.archive import check_factorization, read_archive, write_archive
from ..data.names import feature_array, sample_array
from ..data.outputs import check_outputs

ARRAYS = ("W", "H", "objective_history", "time_history")
OPTIONAL_ARRAYS = (
    "feature_weight", "idf", "restart_objectives", "sample_norms", "feature_names", "sample_names",
)  # fmt: skip


def write_model(model, path, texts=None):
    """Write a `Factorization` to a file, and texts as further members of it."""
    check_outputs([("path", path)], [("W", model.W), ("H", model.H)])
    record = {
        "stop_reason": model.stop_reason,
        "optimality": model.optimality,
        "x_norm": model.x_norm,
        "error": model.error,
        "options": model.options,
    }
    arrays = {name: getattr(model, name) for name in (*ARRAYS, *OPTIONAL_ARRAYS)}
    arrays["feature_names"] = feature_array(model.feature_names, model.n_features)
    arrays["sample_names"] = sample_array(model.sample_names, model.n_samples)
    write_archive(path, record, {k: v for k, v in arrays.items() if v is not None}, texts)


def read_model(kind, path):
    """Return what `write_model` wrote, as a `Factorization` or a class of such."""

    def restore(record, arrays):
        loaded = kind(**arrays, **record)
        check_factorization(loaded)
        loaded._check_options()
        return loaded

    return read_archive(path, ARRAYS, OPTIONAL_ARRAYS, restore)
