"""Compiled kernels. Nothing here checks its input: `sparsenmf.data.validation` has."""

import importlib

from ..data.worker_threads import call_uninterrupted

# After an import that Ctrl-C cuts short, numba could not be imported again.
call_uninterrupted(importlib.import_module, "numba")
