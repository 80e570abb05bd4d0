"""Compiled kernels. Nothing here checks its input: `sparsenmf.validation` has."""

import importlib

from ..background import undisturbed

# Half imported because of Ctrl-C, numba could not be imported again.
undisturbed(importlib.import_module, "numba")
