"""Compiled kernels. Nothing here checks its input: `sparsenmf.data.validation` has."""

import importlib

from ..data.worker_threads import undisturbed

# Half imported because of Ctrl-C, numba could not be imported again.
undisturbed(importlib.import_module, "numba")
