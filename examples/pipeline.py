"""Topics as features: a scikit-learn pipeline, and a grid search for the number of topics.

    python pipeline.py

Guesses which package a docstring is of from the topics in it. `sparsenmf.NMF` takes the
place of `sklearn.decomposition.NMF`; the search runs in two processes, in which it uses
one thread each.

Needs scikit-learn: pip install "sparsenmf[text]"
"""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from topics import read_documentation

import sparsenmf

PACKAGES = ["numpy", "pandas", "scipy", "sklearn"]


def main():
    """Read, split, search, and say how well the best pipeline does on texts it has not seen."""
    titles, texts = read_documentation()
    labels = [title.split(".")[0] for title in titles]
    chosen = [i for i, label in enumerate(labels) if label in PACKAGES]
    labels, texts = np.array(labels)[chosen], [texts[i] for i in chosen]
    # A package must not be told by its name.
    names = [*PACKAGES, "scikit", "learn"]
    train, test, y_train, y_test = train_test_split(texts, labels, random_state=0, stratify=labels)

    pipeline = make_pipeline(
        TfidfVectorizer(stop_words=names, min_df=3, sublinear_tf=True, dtype=np.float32),
        sparsenmf.NMF(random_state=0),
        LogisticRegression(C=100, max_iter=2000),
    )
    search = GridSearchCV(pipeline, {"nmf__n_components": [5, 20, 60]}, cv=3, n_jobs=2)
    search.fit(train, y_train)

    print(f"{len(train):,} docstrings of {', '.join(sorted(set(labels)))}\n")
    print("topics   cross-validated accuracy")
    for k, score in zip(
        search.cv_results_["param_nmf__n_components"],
        search.cv_results_["mean_test_score"],
        strict=True,
    ):
        print(f"{k:6d}   {score:.3f}")
    most_frequent = np.mean(y_test == max(set(y_train), key=list(y_train).count))
    print(f"\nOn {len(test):,} others: {search.score(test, y_test):.3f}")
    print(f"(always guessing the most frequent package: {most_frequent:.3f})")
    nmf = search.best_estimator_["nmf"]
    print(f"\n{nmf.factorization_}")


if __name__ == "__main__":
    main()
