"""What is advised where numbers overflow: about what the caller gave, and only what would help."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import CoordinateDescent, MiniBatchNMF, Problem, factorize, initialize
from sparsenmf.models import projection
from sparsenmf.models.stream import Stream
from sparsenmf.solvers.alternation import Alternation

from .. import problems

X = problems.documents(30, 20)
LARGE = {"W": np.full((30, 2), 1e30), "H": np.full((2, 20), 1e30)}
KL = {"loss": "kullback-leibler", "missing": "unknown", "random_state": 0, "max_iter": 40}


@pytest.mark.parametrize("given", ["W", "H", "WH"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_given_start_is_advised_on_and_no_other(given, dtype):
    scale = 1 if dtype == np.float32 else 1e150
    start = {name: LARGE[name] * scale for name in given}
    with pytest.raises(OverflowError, match="the factors overflow") as caught:
        factorize(X.astype(dtype), 2, **start)
    message = str(caught.value)
    assert message.endswith(f"; or start from a smaller {' and '.join(given)}")
    assert ("pass X in float64" in message) == (dtype == np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", ["", "H"])
def test_an_overflow_in_an_iteration_is_advised_on_alike(given, dtype, monkeypatch):
    propose = Alternation._propose
    monkeypatch.setattr(
        Alternation, "_propose", lambda run: propose(run)._replace(objective=np.inf)
    )
    problem, solver = Problem(X.astype(dtype), 2), CoordinateDescent()
    start = initialize(problem, solver, **{name: np.ones((2, 20)) for name in given})
    with pytest.raises(OverflowError, match=f"overflow {np.dtype(dtype)}") as caught:
        next(iter(solver.start(problem, start)))
    assert ("smaller H" in str(caught.value)) == bool(given)
    assert "W" not in str(caught.value)


def wide():
    """Return values that span thirty decades, with which single precision can overflow."""
    rng = np.random.default_rng(507)
    found = sp.random_array((20, 20), density=rng.choice([0.1, 0.3]), rng=rng)
    found.data = 10.0 ** rng.choice([-15, 15], found.nnz)
    return found.tocsr()


def test_values_of_many_decades_are_advised_on_and_the_advice_helps():
    try:  # on other machines it may not overflow
        factorize(wide().astype(np.float32), 3, **KL)
    except OverflowError as error:
        advice = "the factors overflow float32: clip or scale down X, or pass X in float64"
        # pytest.raises would demand an error, which depends on the rounding of this machine.
        assert str(error) == advice  # noqa: PT017
    single = wide().astype(np.float32)
    for better in (wide(), single * np.float32(1e-10), single.minimum(np.float32(1e5))):
        assert np.isfinite(factorize(better, 3, **KL).objective)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float64_is_not_advised_to_who_uses_it(dtype, monkeypatch):
    def overflow(*args):
        raise OverflowError

    model = factorize(X.astype(dtype), 2, max_iter=3, random_state=0)
    stream = MiniBatchNMF(2, random_state=0).partial_fit(X.astype(dtype))
    monkeypatch.setattr(projection, "solve", lambda *args, **options: (np.inf, 0))
    monkeypatch.setattr(Stream, "_learn", overflow)
    with pytest.raises(ValueError, match="multiply X by a constant") as caught:
        model.transform(X.astype(dtype))
    assert ("fit in float64" in str(caught.value)) == (dtype == np.float32)
    with pytest.raises(ValueError, match="leave such batches out") as caught:
        stream.partial_fit(X.astype(dtype))
    assert ("use float64" in str(caught.value)) == (dtype == np.float32)


def test_components_that_overflow_are_named():
    model = factorize(X.astype(float), 2, max_iter=3, random_state=0)
    model.H[0, 0] = 1e200
    with pytest.raises(OverflowError, match=r"components overflow float64: .* scale down H$"):
        model.transform(X.astype(float))
