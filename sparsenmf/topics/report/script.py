"""Python scripts that fit a model again, for the report."""

import ast
import inspect
import pprint
from dataclasses import fields, is_dataclass

from ...solvers.sampled import recorded_start

OPTIONS = (
    "loss",
    "init",
    "alpha_W",
    "alpha_H",
    "l1_ratio",
    "tol",
    "max_iter",
    "missing",
    "random_state",
)
"""The arguments of `factorize` that a model keeps."""

WITHOUT_EFFECT = {"n_threads", "progress", "checkpoint"}
"""The arguments of `factorize` that do not change the result."""

LONGEST = 20_000  # most characters of a value that is written out
WIDTH = 84  # of its lines, in characters

READ_TEXTS = """\
# REPLACE the next line by what reads your {:,} texts, in the same order.
titles, texts = read_texts("texts.txt")
"""

READ_MATRIX = """\
# REPLACE the next line by what reads your matrix of {:,} x {:,}.
X = read_matrix("X.npz").astype("{}")
"""

NOT_KEPT = """\
# A model does not keep these arguments: add them if you had passed them.
# weights, frozen_W, frozen_H, seeds, low_memory of the solver
"""


def script_of_model(model, vectorizer=None):
    """Return a script that makes X (with the vectorizer, if there is one) and factorizes it."""
    if vectorizer is None:
        imports = "import sparsenmf\nfrom sparsenmf import factorize, read_matrix\n"
        made = READ_MATRIX.format(model.n_samples, model.n_features, model.H.dtype)
    else:
        kind, call = type(vectorizer), _make_vectorizer(vectorizer)
        imports = (
            f"{'import numpy' * ('numpy.' in call)}\n"
            f"from {_public(kind.__module__)} import {kind.__name__}\n\n"
            "import sparsenmf\nfrom sparsenmf import factorize, read_texts\n"
        ).lstrip()
        read = READ_TEXTS.format(model.n_samples)
        fitted = f'X = vectorizer.fit_transform(texts).astype("{model.H.dtype}")\n'
        made = f"{read}\n{call}{fitted}"
    return f"{imports}\n{made}\n{NOT_KEPT}{_factorize(model)}"


def _factorize(model):
    """Return the call of `factorize`, with the arguments that the model keeps."""
    given = {name: model.options[name] for name in OPTIONS if name in model.options}
    if "n_restarts" in model.options or "start_iter" in model.options:
        del given["init"]
    lines = [f"n_components={model.n_components},", *_arguments(given)]
    lines.append(f"solver={solver_call(model.options)},")
    if "n_restarts" in model.options:
        lines.append(f"init=sparsenmf.RandomStarts({model.options['n_restarts']}),")
    if "start_iter" in model.options:
        lines.append(f"init=sparsenmf.{recorded_start(model.options)!r},")
    if model.options.get("init") == "custom":
        lines.append("W=...,  # REPLACE by the factors that the fit began with")
        lines.append("H=...,")
    if model.feature_weight is not None:
        lines.append("weights=sparsenmf.Weights(features=...),  # REPLACE by those of the features")
    if "random_state" not in given:
        lines.append("random_state=None,  # a model does not keep a generator of random numbers")
    return _call("model = factorize", ["X,", *lines])


def solver_call(options):
    """Return the call that makes the solver of a model."""
    if options.get("solver") == "mu":
        return "sparsenmf.MultiplicativeUpdate()"
    settings = [
        f"{name}={options[name]}" for name in ("max_sweeps", "extrapolate") if name in options
    ]
    return f"sparsenmf.CoordinateDescent({', '.join(settings)})"


def script_of_topics(model, options):
    """Return a script that calls `find_topics` with these options."""
    given = {name: value for name, value in options.items() if name not in WITHOUT_EFFECT}
    if "random_state" in model.options:
        given["random_state"] = model.options["random_state"]
    call = _call("topics = find_topics", ["texts,", *_arguments(given), "titles=titles,"])
    read = READ_TEXTS.format(model.n_samples)
    return (
        f"{'import sparsenmf' + chr(10) if 'sparsenmf.' in call else ''}"
        f"from sparsenmf import find_topics, read_texts\n\n{read}\n{call}"
        'topics.report("topics.html", texts)\n'
    )


def _make_vectorizer(vectorizer):
    """Return the call that makes a vectorizer, with the parameters that are not defaults."""
    defaults = inspect.signature(type(vectorizer)).parameters
    given = {
        name: value
        for name, value in vectorizer.get_params(deep=False).items()
        if repr(value) != repr(defaults[name].default)
    }
    return _call(f"vectorizer = {type(vectorizer).__name__}", _arguments(given))


def _public(module):
    """Return the part of a module's path before the first name with an underscore."""
    parts = module.split(".")
    private = [place for place, part in enumerate(parts) if place and part.startswith("_")]
    return ".".join(parts[: private[0]] if private else parts)


def _call(function, lines):
    body = "\n".join(lines).replace("\n", "\n    ")
    return f"{function}(\n    {body}\n)\n" if lines else f"{function}()\n"


def _arguments(given):
    """Return the source of each keyword argument, those of several lines last."""
    arguments = [_argument(name, value) for name, value in given.items()]
    return sorted(arguments, key=lambda text: "\n" in text)


def _argument(name, value):
    text = _literal(value)
    if text is None:
        shape = getattr(value, "shape", None)
        of_shape = "" if shape is None else f" of shape {tuple(shape)}"
        return f"{name}=...,  # REPLACE by your {type(value).__name__}{of_shape}"
    if "\n" in text:
        text = text.replace("\n", "\n" + " " * (len(name) + 1))
    return f"{name}={text},"


def _literal(value):
    """Return a value as Python source, or None if it has no short one."""
    if is_dataclass(value):  # Seeds, CoordinateDescent, ...
        given = {
            field.name: _literal(getattr(value, field.name))
            for field in fields(value)
            if field.init and getattr(value, field.name) is not field.default
        }
        if None in given.values():
            return None
        listed = ", ".join(f"{name}={text}" for name, text in given.items())
        return f"sparsenmf.{type(value).__name__}({listed})"
    if isinstance(value, type) and value.__module__ == "numpy":
        return f"numpy.{value.__name__}"
    if getattr(value, "__len__", int)() > LONGEST:
        return None
    if hasattr(value, "tolist") and getattr(value, "shape", None) == ():
        value = value.tolist()  # NumPy scalars become Python numbers
    text = pprint.pformat(value, width=WIDTH, compact=True, sort_dicts=False)
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return text if len(text) <= LONGEST else None
