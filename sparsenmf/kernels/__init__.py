"""Compiled kernels. Nothing here checks its input: `sparsenmf.data.validation` has."""

import importlib

from ..data.worker_threads import call_uninterrupted

# Half imported because of Ctrl-C, numba could not be imported again.
call_uninterrupted(importlib.import_module, "numba")
