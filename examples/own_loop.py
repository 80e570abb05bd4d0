"""
A loop of your own
==================

``factorize`` is a loop over the iterations of a run. With the loop in your own hands you can log
to an experiment tracker, plot live, or stop by a rule of your own.
"""

# %%
# The problem, the start, the run
# -------------------------------
# A `Problem` is X and what is minimised on it; X is checked and cut here, once. A start belongs to
# one run, a problem serves many. The numbers are counts of 40 words in 400 texts on 5 subjects.

import numpy as np
import scipy.sparse as sp

from sparsenmf import CoordinateDescent, Problem, initialize

rng = np.random.default_rng(0)
subjects = np.repeat(np.eye(5), 8, axis=1) + 0.02
X = sp.csr_array(rng.poisson(3 * rng.dirichlet(np.full(5, 0.2), 400) @ subjects))

solver = CoordinateDescent()
problem = Problem(X, 5, loss="kullback-leibler")
run = solver.start(problem, initialize(problem, solver, random_state=0), max_iter=100)

# %%
# A log, and a rule to stop
# -------------------------
# Each turn is one iteration. The state has the objective, the seconds, and the factors as they
# are now. This loop ends when the strongest subject of every text has stayed what it was for two
# iterations; the run would also end by itself when it has converged.

log, before, unchanged = [], None, 0
for state in run:
    strongest = state.W.argmax(axis=1)
    moved = len(X.indptr) - 1 if before is None else int((strongest != before).sum())
    log.append({"iteration": state.n_iter, "objective": state.objective, "moved": moved})
    before, unchanged = strongest, 0 if moved else unchanged + 1
    if unchanged == 2:
        break

for entry in log[:3] + log[-1:]:
    print(
        "iteration {iteration:3d}  objective {objective:9.2f}  texts that moved {moved}".format(
            **entry
        )
    )

# %%
# The result
# ----------
# It is what ``factorize`` returns after as many iterations as the loop has made. A second loop over
# the run would go on from there.

model = run.result()
print(f"\n{model}")

# %%
# The same problem from other starts
# ----------------------------------
# X is not checked and transposed again while a run of the problem is alive.

for seed in (1, 2):
    again = solver.start(problem, initialize(problem, solver, random_state=seed), max_iter=100)
    *_, last = again
    print(f"start {seed}: objective {last.objective:.2f} after {last.n_iter} iterations")
