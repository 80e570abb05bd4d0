"""Methods of a result that live in a room above, such as its report: loaded when called."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


class Provided:
    """A method whose function, with its signature and docstring, is found when it is asked for.

    A result imports no HTML and no pictures, which are built on results.

    Parameters
    ----------
    module, name : str
        Where the function is. Its first argument is the instance.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __get__(self, instance: Any, owner: type | None = None) -> Callable[..., Any]:
        function = getattr(import_module(self._module), self._name)
        return function if instance is None else function.__get__(instance, owner)
