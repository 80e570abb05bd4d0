"""What a kernel is made of: everything that decides its machine code, and nothing else.

The machine code of a function depends on its bytecode and on everything that this refers to: other
functions, the emitters of vector code with their closures, and constants of any module, whose
values become part of it. It depends neither on comments, docstrings and line numbers, nor on other
functions in the same file. Python, NumPy, numba and llvmlite are identified by their versions.
"""

import functools
import hashlib
import inspect
import sys
import types as python_types

import numpy as np
from numba import types
from numba.core.dispatcher import Dispatcher

FOREIGN = {"numba", "llvmlite", "numpy", *sys.stdlib_module_names}
"""Packages whose objects are identified by the version of the package."""

PLAIN = (type(None), type(...), bool, int, float, complex, str, bytes, np.generic, np.dtype)

SAYS_NOTHING = {
    *("__doc__", "__dict__", "__weakref__", "__firstlineno__", "__static_attributes__"),
    *("__annotations__", "__annotations_cache__", "__annotate__", "__annotate_func__"),
}
"""Attributes that no code depends on."""


class UnknownError(TypeError):
    """An object is found whose effect on the code cannot be identified."""


def fingerprint(dispatcher, signature):
    """Return a hash of what the machine code of a dispatcher's function depends on.

    Globals count with their present values, which a compilation would make constants.

    Raises
    ------
    UnknownError
        If it refers to an object that cannot be distinguished from others of its kind.
    """
    walk = Walk()
    walk.add(dispatcher)
    walk.add_types(signature)
    return walk.digest.hexdigest()


class Walk:
    """A walk through what objects refer to, each of them visited once."""

    def __init__(self):
        self.digest, self._seen = hashlib.sha256(), {}

    def note(self, *words):
        """Add words to the hash."""
        self.digest.update(repr(words).encode(errors="surrogatepass"))

    def add(self, thing):
        """Add an object, and all that it refers to."""
        if isinstance(thing, PLAIN):
            self.note(type(thing).__name__, repr(thing))
        elif isinstance(thing, tuple):  # constants may be one object or two that are equal
            self.add_all("tuple", [type(thing), *thing])
        elif isinstance(thing, frozenset):
            self.add_all("set", sorted(thing, key=repr))
        elif id(thing) in self._seen:
            self.note("seen", self._seen[id(thing)][0])
        else:
            self._seen[id(thing)] = len(self._seen), thing  # kept, so that its id stays its own
            self._add_new(thing)

    def add_all(self, kind, things):
        """Add objects that belong together."""
        things = list(things)
        self.note(kind, len(things))
        for thing in things:
            self.add(thing)

    def add_types(self, signature):
        """Add the types of arguments; of a named tuple the fields, which its text leaves out."""
        for kind in signature:
            self.note(str(kind))
            if isinstance(kind, types.BaseNamedTuple):
                self.note(kind.instance_class.__qualname__, kind.fields)
            if isinstance(kind, types.BaseTuple):
                self.add_types(kind)

    def _add_new(self, thing):
        stands_for = getattr(thing, "_numba_type_", None)  # of an `Inner`
        if isinstance(thing, Dispatcher):
            self.add_all("compiled", [thing.py_func, *sorted(thing.targetoptions.items())])
        elif isinstance(stands_for, types.Dispatcher):
            self.add(stands_for.dispatcher)
        elif hasattr(thing, "_defn"):  # an intrinsic of numba's, whose text is its name alone
            self.add_all("intrinsic", [thing._defn])
        elif isinstance(thing, python_types.FunctionType):
            self._add_function(thing)
        elif isinstance(thing, python_types.MethodType):
            self.add_all("method", [thing.__func__, thing.__self__])
        elif isinstance(thing, functools.partial):
            self.add_all("partial", [thing.func, thing.args, thing.keywords])
        elif isinstance(thing, functools._lru_cache_wrapper):
            self.add_all("cached", [thing.__wrapped__])
        elif isinstance(thing, staticmethod | classmethod):
            self.add_all(type(thing).__name__, [thing.__func__])
        elif isinstance(thing, property):
            self.add_all("property", [thing.fget, thing.fset, thing.fdel])
        elif isinstance(thing, np.ndarray):
            self.note("array", thing.dtype.str, thing.shape, thing.strides, thing.tobytes())
        elif isinstance(thing, set):
            self.add_all("set", sorted(thing, key=repr))
        elif isinstance(thing, dict):
            self.add_all("dict", (part for item in thing.items() for part in item))
        elif isinstance(thing, list):
            self.add_all("list", thing)
        elif isinstance(thing, python_types.ModuleType):
            self.note("module", thing.__name__)
        elif isinstance(thing, type):
            self._add_class(thing)
        else:
            self._add_instance(thing)

    def _add_function(self, function):
        self.note("function", function.__module__, function.__qualname__)
        if not is_foreign(function.__globals__.get("__name__")):
            self._add_code(function.__code__, function.__globals__)
            self.add_all("defaults", [function.__defaults__, function.__kwdefaults__])
        cells = function.__closure__ or ()  # a decorator of the standard library has one, too
        self.add_all("closure", map(content, cells))

    def _add_code(self, code, scope):
        """Add bytecode, and the globals that it loads."""
        self.note(code.co_name, code.co_code, code.co_flags, code.co_names, code.co_varnames)
        self.note(code.co_freevars, code.co_cellvars, code.co_argcount, code.co_kwonlyargcount)
        self.note(getattr(code, "co_exceptiontable", None))
        for constant in code.co_consts[int(has_docstring(code)) :]:
            if isinstance(constant, python_types.CodeType):
                self._add_code(constant, scope)
            else:
                self.add(constant)
        # Attributes may have the name of a global: that is then taken to be meant, too.
        for name in filter(scope.__contains__, code.co_names):
            self.note("global", name)
            self.add(scope[name])
            if isinstance(scope[name], python_types.ModuleType):
                self._add_members(scope[name], code.co_names)

    def _add_members(self, module, names):
        """Add what code may get from a module."""
        if not is_foreign(module.__name__):
            for name in filter(vars(module).__contains__, names):
                self.note("member", name)
                self.add(vars(module)[name])

    def _add_class(self, kind):
        self.note("class", kind.__module__, kind.__qualname__)
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):  # a named tuple, all of which is
            self.add_all("fields", [*kind._fields, kind._field_defaults])
        elif not is_foreign(kind.__module__):
            self.add_all("bases", kind.__bases__)
            self._add_attributes(kind)

    def _add_instance(self, thing):
        if is_foreign(type(thing).__module__):
            text, is_numbas = repr(thing), type(thing).__module__.startswith("numba.")
            # What else of numba's holds functions; and an address says nothing.
            if (is_numbas and not isinstance(thing, types.Type)) or " at 0x" in text:
                raise UnknownError(f"{text} cannot be told from others of its kind")
            self.note("instance", type(thing).__qualname__, text)
        else:
            self.add(type(thing))
            self._add_attributes(thing)

    def _add_attributes(self, thing):
        try:
            attributes = vars(thing)
        except TypeError:
            raise UnknownError(f"{thing!r} does not show what is in it") from None
        for name, value in attributes.items():
            if name not in SAYS_NOTHING:
                self.note("attribute", name)
                self.add(value)


def is_foreign(module):
    """Return whether a module belongs to a package that is known by its version."""
    return module is not None and module.partition(".")[0] in FOREIGN


def content(cell):
    """Return what a cell of a closure holds."""
    try:
        return cell.cell_contents
    except ValueError:
        raise UnknownError("a closure is not complete") from None


def has_docstring(code):
    """Return whether the first constant of a function's code is its docstring."""
    if hasattr(inspect, "CO_HAS_DOCSTRING"):  # Python 3.13
        return bool(code.co_flags & inspect.CO_HAS_DOCSTRING)
    is_def = not code.co_name.startswith("<")
    return is_def and isinstance(next(iter(code.co_consts), None), str)
