"""How kernels are compiled, stored, run on threads and interrupted."""
