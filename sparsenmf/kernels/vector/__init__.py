"""Vector code: LLVM instructions that Numba does not emit by itself."""
