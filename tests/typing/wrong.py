"""Five mistakes, each on a line that says so; see tests/test_typing.py. Not run."""

import scipy.sparse as sp

from sparsenmf import NMF, factorize, find_topics, read_texts

X = sp.random_array((100, 80), density=0.1, rng=0)

factorize(X, 10, loss="kullback_leibler")  # mistake: the name of the loss
NMF(10, solver="sgd").fit_transform(X)  # mistake: the name of the solver
factorize(X, "10")  # mistake: a string for a number

titles, texts = read_texts("reviews.csv", field="text")
find_topics(texts, 10, titles=titles, random_sate=0)  # mistake: a misspelt keyword
topics = find_topics(texts, 10, titles=titles, random_state=0)
print(topics.model.components_)  # mistake: an attribute of the estimators, not of the result
