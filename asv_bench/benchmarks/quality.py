"""How good topics are: the coherence of their top terms in many documents."""

import itertools

import numpy as np

from . import datasets
from .common import Benchmark

N_TOPICS, N_TERMS = 50, 10


class Coherence(Benchmark):
    """50 topics of 10 terms in 100,000 documents, from their counts and from their words."""

    def setup(self):
        self.X = datasets.load("tall", weigh=False)
        self.terms = [f"term{j}" for j in range(self.X.shape[1])]
        frequent = np.argsort(-np.bincount(self.X.indices, minlength=self.X.shape[1]))
        chosen = np.random.default_rng(0).permuted(
            np.tile(frequent[:2_000], (N_TOPICS, 1)), axis=1
        )[:, :N_TERMS]
        self.topics = [[self.terms[j] for j in columns] for columns in chosen]
        words = np.array(self.terms, dtype=object)[self.X.indices].tolist()
        self.texts = [words[a:b] for a, b in itertools.pairwise(self.X.indptr.tolist())]
        self.time_npmi()

    def time_npmi(self):
        from sparsenmf import topic_coherence

        topic_coherence(self.topics, self.X, self.terms, measure="npmi")

    def time_c_v(self):
        from sparsenmf import topic_coherence

        topic_coherence(self.topics, texts=self.texts, measure="c_v")
