"""The page about a model of many topics and documents."""

import tempfile
from pathlib import Path

import numpy as np

from .common import Benchmark


class Report(Benchmark):
    """Time and size of a report on 500 topics of 100,000 documents, with drawn factors."""

    n_samples, n_features, n_components = 100_000, 20_000, 500

    def setup(self):
        from sparsenmf import Factorization

        rng = np.random.default_rng(0)
        n, m, k = self.n_samples, self.n_features, self.n_components
        H = rng.standard_exponential((k, m), dtype=np.float32) ** 4
        W = rng.standard_exponential((n, k), dtype=np.float32) ** 4
        self.model = Factorization(
            W=W,
            H=H,
            objective_history=1 + 1 / np.arange(1.0, 201.0),
            time_history=np.arange(200.0),
            stop_reason="max_iter",
            optimality=1e-5,
            x_norm=1.0,
            error=0.5,
        )
        self.terms = [f"term{j}" for j in range(m)]
        self.documents = [f"Document {i}: {'so many words ' * 30}" for i in range(n)]
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "topics.html")

    def teardown(self):
        self.folder.cleanup()

    def time_report(self):
        self.model.report(self.path, self.terms, self.documents)

    def track_bytes(self):
        self.time_report()
        return self.path.stat().st_size
