"""Compiled kernels. Nothing here checks its input: `sparsenmf.data.validation` has."""

import importlib

from ..data.worker_threads import undisturbed

# After an import that Ctrl-C cuts short, numba could not be imported again.
undisturbed(importlib.import_module, "numba")
