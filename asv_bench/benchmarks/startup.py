"""What a user waits for at first, each time in a fresh interpreter."""

import subprocess
import sys

from .common import Benchmark

CALL = "sparsenmf.factorize(X, 20, max_iter=1, random_state=0)"

DATA = """
import numpy as np
import scipy.sparse as sp
X = sp.random(1_000, 2_000, density=0.03, format="csr", dtype=np.float32, random_state=0)
"""

COLD = """
import os, tempfile
folder = tempfile.TemporaryDirectory()
os.environ["SPARSENMF_CACHE_DIR"] = folder.name
"""

WARM = """
import os
os.environ["SPARSENMF_CACHE_DIR"] = os.path.abspath("kernels")
"""


class Import(Benchmark):
    """Importing the package, which does not load numba, and `factorize`, which does."""

    def timeraw_import_sparsenmf(self):
        return "import sparsenmf"

    def timeraw_import_factorize(self):
        return "from sparsenmf import factorize"


class FirstCall(Benchmark):
    """Import and first factorization, small, numpy and scipy.sparse being imported already."""

    def setup_cache(self):
        """Fill a kernel cache in the working folder, where the benchmarks run as well."""
        code = "\n".join((WARM, DATA, "import sparsenmf", CALL))
        subprocess.run([sys.executable, "-c", code], check=True)

    def timeraw_cold_cache(self):
        return f"import sparsenmf\n{CALL}", COLD + DATA

    def timeraw_warm_cache(self):
        return f"import sparsenmf\n{CALL}", WARM + DATA
