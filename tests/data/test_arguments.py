"""Arguments that a function does not have are refused with what to do in their place."""

import inspect

import numpy as np
import pytest

from sparsenmf import consensus, factorize, find_topics, select_n_components
from sparsenmf.data.arguments import MEANT


@pytest.mark.parametrize("name", MEANT)
def test_errors_say_what_to_do_in_place_of_an_argument(name):
    X = np.eye(3)
    for function, arguments in ((factorize, (X, 2)), (consensus, (X, 2))):
        assert name not in inspect.signature(function).parameters
        with pytest.raises(TypeError, match=f"has no argument '{name}': ") as raised:
            function(*arguments, **{name: 1})
        assert MEANT[name] in str(raised.value)
    with pytest.raises(TypeError, match=f"has no argument '{name}'"):
        select_n_components(X, [1, 2], **{name: 1})


def test_what_is_named_is_there():
    """Each parameter and class in a message exists."""
    import sparsenmf

    for name in ("loss", "n_components", "time_limit", "progress", "weights", "solver"):
        assert name in inspect.signature(factorize).parameters
        assert any(name in text for text in MEANT.values())
    for name in ("low_memory", "W_path", "max_sweeps", "extrapolate"):
        assert name in inspect.signature(sparsenmf.CoordinateDescent).parameters
    assert "samples" in inspect.signature(sparsenmf.Weights).parameters
    assert "feature_names" in inspect.signature(sparsenmf.NamedMatrix).parameters


def test_names_that_nobody_means_are_refused_as_python_does():
    with pytest.raises(TypeError, match="unexpected keyword argument 'n_component'"):
        factorize(np.eye(3), 2, n_component=1)


def test_functions_that_pass_options_on_say_it_too():
    pytest.importorskip("sklearn")
    with pytest.raises(TypeError, match="has no argument 'verbose': it is called progress"):
        find_topics(["a cat", "a dog"], 1, min_df=1, max_df=1.0, verbose=1)
