"""Solvers: each allocates its workspace, improves both factors, and reports the objective."""
