"""Peak memory of a factorization, and of an empty twin that does everything else."""

import scipy.sparse as sp

from . import datasets
from .common import Benchmark


class PeakMemory(Benchmark):
    """The difference of the two is what a factorization takes beside X."""

    params = (["medium", "tall", "huge"],)
    param_names = ("data",)
    n_components = 20

    def setup_cache(self):
        """Leave the matrices on disk and the kernels in their cache.

        Building a matrix and compiling both take more memory than what is measured.
        """
        for data in self.params[0]:
            sp.save_npz(f"{data}.npz", datasets.load(data), compressed=False)
        self.warm_up()

    def setup(self, data):
        self.X = sp.load_npz(f"{data}.npz")
        self.warm_up()

    def peakmem_reference(self, data):
        pass

    def peakmem_factorize(self, data):
        from sparsenmf import factorize

        factorize(self.X, self.n_components, max_iter=3, tol=0, init="random", random_state=0)
