"""How many components, and which: many fits of one matrix, or of parts of it."""

from sparsenmf import RandomStarts

from . import datasets
from .common import Benchmark


class Selection(Benchmark):
    """Four candidates, two repeats each, on the small documents."""

    params = (["blocks", "entries", "stability"],)
    param_names = ("method",)

    def setup(self, method):
        self.X = datasets.load("small")
        self.time_select(method, candidates=[5])

    def time_select(self, method, candidates=(5, 10, 20, 40)):
        from sparsenmf import select_n_components

        select_n_components(
            self.X, candidates, method=method, n_repeats=2, early_stop=False, max_iter=30,
            random_state=0,
        )  # fmt: skip


class Restarts(Benchmark):
    """Five starts of ten components on the small documents: the best, or what they agree on."""

    def setup(self):
        self.X = datasets.load("small")
        self.warm_up()

    def time_restarts(self):
        from sparsenmf import factorize

        factorize(self.X, 10, init=RandomStarts(5), max_iter=30, random_state=0)

    def time_consensus(self):
        from sparsenmf import consensus

        consensus(self.X, 10, 5, max_iter=30, random_state=0)
