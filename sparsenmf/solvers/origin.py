"""Where the random numbers of a start come from, as results and checkpoints record it."""

from __future__ import annotations

import json
import numbers
from typing import Any

import numpy as np

from .. import __version__
from ..data.typing import RandomState


def made_with(random_state: RandomState, rng: Any) -> dict[str, Any]:
    """Return the version, and the seed if it is a number and not a generator's state."""
    if random_state is rng:
        return {"sparsenmf": __version__}
    return {"random_state": rng.bit_generator.seed_seq.entropy, "sparsenmf": __version__}


def describe_state(random_state, rng):
    """Return a seed, or the state of an unused generator as text."""
    if random_state is None or isinstance(random_state, numbers.Integral):
        return random_state
    state = rng.bit_generator.state if hasattr(rng, "bit_generator") else rng.get_state()
    return json.dumps(state, default=np.ndarray.tolist)
