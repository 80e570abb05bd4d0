"""How many components: many fits of parts of the matrix."""

from . import datasets
from .common import Benchmark


class BiCrossValidation(Benchmark):
    """Ten candidates, three folds each, on the small documents."""

    def setup(self):
        self.X = datasets.load("small")
        self.warm_up()

    def time_select(self):
        from sparsenmf import select_n_components

        candidates = range(5, 55, 5)
        select_n_components(self.X, candidates, early_stop=False, max_iter=50, random_state=0)
