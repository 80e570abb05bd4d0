"""Compiled kernels. Nothing here checks its input: `sparsenmf.validation` has."""
