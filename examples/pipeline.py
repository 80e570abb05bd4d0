"""
Topics as features in a pipeline
================================

In a shell::

    python pipeline.py

Guesses which package a docstring is of from the topics in it, and searches for the number of
topics that does it best. `sparsenmf.NMF` takes the place of `sklearn.decomposition.NMF`.

Needs scikit-learn: pip install "sparsenmf[text]"
"""

# %%
# Texts and labels
# ----------------
# The label of a docstring is its package. The names of packages are left out of the words, because
# they would give the answer away.

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from topics import read_documentation

import sparsenmf

PACKAGES = ["numpy", "pandas", "scipy", "sklearn"]

titles, texts = read_documentation()
labels = [title.split(".")[0] for title in titles]
chosen = [i for i, label in enumerate(labels) if label in PACKAGES]
labels, texts = np.array(labels)[chosen], [texts[i] for i in chosen]
train, test, y_train, y_test = train_test_split(texts, labels, random_state=0, stratify=labels)
print(f"{len(train):,} docstrings of {', '.join(sorted(set(labels)))}\n")

# %%
# Words, topics, labels
# ---------------------
# The matrix stays sparse up to the topics. The search runs in two processes, in each of which
# sparsenmf uses one thread: it sees that it is not alone.

pipeline = make_pipeline(
    TfidfVectorizer(
        stop_words=[*PACKAGES, "scikit", "learn"], min_df=3, sublinear_tf=True, dtype=np.float32
    ),
    sparsenmf.NMF(random_state=0),
    LogisticRegression(C=100, max_iter=2000),
)
search = GridSearchCV(pipeline, {"nmf__n_components": [5, 20, 60]}, cv=3, n_jobs=2)
search.fit(train, y_train)

print("topics   cross-validated accuracy")
for k, score in zip(
    search.cv_results_["param_nmf__n_components"],
    search.cv_results_["mean_test_score"],
    strict=True,
):
    print(f"{k:6d}   {score:.3f}")

# %%
# Texts it has not seen
# ---------------------
# `transform` finds the topics of new texts with H as it is, each text on its own.

most_frequent = np.mean(y_test == max(set(y_train), key=list(y_train).count))
print(f"\nOn {len(test):,} others: {search.score(test, y_test):.3f}")
print(f"(always guessing the most frequent package: {most_frequent:.3f})")
print(f"\n{search.best_estimator_['nmf'].factorization_}")
