"""Settings by their single names, as parametrized tests and drawn problems have them."""

from sparsenmf import Checkpoint, RandomStarts, Seeds, Weights
from sparsenmf.models.algorithms import SOLVERS


def grouped(options):
    """Return the arguments of `factorize` for settings that may be given by their own names.

    Without a solver, settings of one are those of the default for the loss; without a transpose
    that is "mu" for Kullback-Leibler.
    """
    options = dict(options)

    def take(*names):
        return {name: options.pop(name) for name in names if name in options}

    settings = take("low_memory", "W_path", "max_sweeps", "extrapolate")
    if settings:
        name, loss = options.pop("solver", None), options.get("loss", "frobenius")
        if name is None:
            in_blocks = settings.get("low_memory") and loss in ("kullback-leibler", 1)
            known = loss in ("frobenius", "kullback-leibler", 1, 2)
            name = "mu" if in_blocks or not known else "cd"
        options["solver"] = SOLVERS[name](**settings)
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
