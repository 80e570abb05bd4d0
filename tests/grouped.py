"""Options of `factorize` as flat settings, for parametrized tests and random problems."""

from dataclasses import replace
from functools import partial

from sparsenmf import Checkpoint, RandomStarts, Seeds, Weights
from sparsenmf.models.algorithms import SOLVERS


def grouped(options):
    """Return the arguments of `factorize` for flat settings, such as ``max_sweeps=1``.

    Settings of a solver that is not named are those of the default solver for the loss. Without a
    transpose, the default for Kullback-Leibler is "mu".
    """
    options = dict(options)

    def take(*names):
        return {name: options.pop(name) for name in names if name in options}

    settings = take("low_memory", "W_path", "max_sweeps", "extrapolate")
    if settings:
        solver, loss = options.get("solver"), options.get("loss", "frobenius")
        if solver is None:
            in_blocks = "W_path" in settings or settings.get("low_memory")
            descends = ("frobenius", 2) if in_blocks else ("frobenius", 2, "kullback-leibler", 1)
            solver = "cd" if loss in descends else "mu"
        made = SOLVERS[solver] if isinstance(solver, str) else partial(replace, solver)
        options["solver"] = made(**settings)
    weights = take("sample_weight", "feature_weight")
    if weights:
        names = {f"{name}_weight": f"{name}s" for name in ("sample", "feature")}
        given = {names[name]: value for name, value in weights.items()}
        options["weights"] = Weights(**given, entries=options.get("weights"))
    for name, settings in (("seeds", {"seeding": "strength", "vocabulary": "vocabulary"}),):
        given = {settings[key]: value for key, value in take(*settings).items()}
        if given and name in options:
            options[name] = Seeds(options[name], **given)
    saved = {key.split("_")[-1]: value for key, value in take("checkpoint_every", "resume").items()}
    if saved:
        options["checkpoint"] = Checkpoint(options["checkpoint"], **saved)
    if "n_restarts" in options:
        options["init"] = RandomStarts(options.pop("n_restarts"))
    return options
