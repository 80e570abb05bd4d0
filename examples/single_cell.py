"""
Gene programs of single cells
=============================

In a shell::

    python single_cell.py                 # cells that are made up, with programs that are known
    python single_cell.py cells.h5ad      # or any other matrix of cells x genes (.mtx.gz, .npz)

Counts have Poisson errors, for which the Kullback-Leibler divergence is the right loss: no
logarithm, no scaling. Cells differ in depth, which ends up in W; after normalisation W says how
much of each program is in a cell.

With anndata installed the result is written to single_cell.h5ad, with matplotlib a picture to
single_cell.png.
"""

# %%
# Counts of cells x genes
# -----------------------
# Each cell uses some programs, each program some genes.

import sys

import numpy as np
import scipy.sparse as sp

import sparsenmf
from sparsenmf import plots
from sparsenmf.models.components import Components

N_PROGRAMS = 6


def simulate(n_cells=3000, n_genes=1500, seed=0):
    """Return counts (sparse), and the programs (n_programs, n_genes) that they come from."""
    rng = np.random.default_rng(seed)
    programs = rng.gamma(0.15, size=(N_PROGRAMS, n_genes)) + 1e-3
    programs /= programs.sum(axis=1, keepdims=True)
    usage = rng.dirichlet(np.full(N_PROGRAMS, 0.2), size=n_cells)
    depth = rng.lognormal(7.0, 0.5, size=(n_cells, 1))
    return sp.csr_array(rng.poisson(depth * (usage @ programs))), programs


programs = None
if len(sys.argv) > 1:
    X = sparsenmf.read_matrix(sys.argv[1])
else:
    X, programs = simulate()
n_cells, n_genes = X.shape
share = X.nnz / (n_cells * n_genes)
print(f"{n_cells:,} cells x {n_genes:,} genes, {share:.0%} of the counts are not zero")

# %%
# Factorize the counts as they are
# --------------------------------

model = sparsenmf.factorize(X, N_PROGRAMS, loss="kullback-leibler", random_state=0)
print(model)

# %%
# Usage, programs and depth
# -------------------------
# Normalised, each row of `usage` sums to one, and so does each program; the depth of a cell
# is what is left.

usage, found, depth = model.normalize("both")
print(f"\nCounts of a cell: median {np.median(depth):,.0f}")
for r, mean in enumerate(usage.mean(axis=0)):
    print(f"  program {r + 1}: {mean:6.1%} of the average cell")

# %%
# Are they the programs that were put in?
# ---------------------------------------

if programs is not None:
    lengths = (np.linalg.norm(F, axis=1) for F in (found, programs))
    cosines = found @ programs.T / np.outer(*lengths)
    print("\nEach program that was put in, and the cosine of the nearest that was found:")
    print("  " + "  ".join(f"{cosine:.3f}" for cosine in cosines.max(axis=0)))

# %%
# A picture
# ---------
# For simulated cells it shows the programs found beside the planted ones; for your own cells, how
# they lie among the programs.

try:
    if programs is None:
        ax = plots.plot_documents(model)
    else:
        ax = plots.plot_comparison(model, Components(H=programs))
        ax.set(ylabel="programs found", xlabel="programs put in")
except ImportError as error:
    print(f"\nNo picture: {error}")
else:
    ax.figure.savefig("single_cell.png", dpi=150)
    print("\nPicture: single_cell.png")

# %%
# On to scanpy and the like
# -------------------------

try:
    adata = model.to_anndata()
except ImportError as error:
    print(f"\nNot written: {error}")
else:
    adata.write_h5ad("single_cell.h5ad")
    print("\nWritten to single_cell.h5ad: obsm['X_nmf'] and varm['nmf'].")
