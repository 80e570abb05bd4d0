"""Topics that one knows beforehand: seed words, and components that stay as they are.

    python seeded_topics.py

First three topics are begun with words, while seven others are free to find what else there
is. Then these three are kept exactly as they were learned, for a later collection in which
new topics are looked for beside them.

Needs scikit-learn: pip install "sparsenmf[text]"
"""

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from topics import DOCSTRING_WORDS, read_documentation

import sparsenmf

SEEDS = {
    "matrices": ["matrix", "eigenvalues", "inverse", "sparse"],
    "statistics": ["distribution", "variance", "regression", "estimator"],
    "files": ["file", "directory", "path", "archive"],
}


def print_topics(model, terms, names):
    """Print the heaviest terms of each topic beside its name."""
    for r, words in enumerate(model.top_terms(terms, 8)):
        name = names[r] if r < len(names) else f"free {r - len(names) + 1}"
        print(f"  {name:>12}: {', '.join(words)}")
    print()


def main():
    """Factorize the older half of the documents with seeds, the newer with frozen topics."""
    _, texts = read_documentation()
    words = DOCSTRING_WORDS.split()
    vectorizer = TfidfVectorizer(
        stop_words=[*ENGLISH_STOP_WORDS, *words, *(word + "s" for word in words)],
        token_pattern=r"\b[^\W\d_]{3,}\b",
        min_df=5,
        sublinear_tf=True,
    )
    X = vectorizer.fit_transform(texts)
    terms, names = vectorizer.get_feature_names_out(), list(SEEDS)
    older, newer = X[::2], X[1::2]

    seeded = sparsenmf.factorize(older, 10, seeds=SEEDS, vocabulary=terms, random_state=0)
    print("Begun with seed words:")
    print_topics(seeded, terms, names)

    only = sparsenmf.factorize(
        older, 10, seeds=SEEDS, seeding="support", vocabulary=terms, random_state=0
    )
    print("Of the seed words only:")
    print_topics(only, terms, names)

    known = seeded.H[: len(SEEDS)]
    later = sparsenmf.factorize(newer, 10, H=known, frozen_H=range(len(SEEDS)), random_state=0)
    assert (later.H[: len(SEEDS)] == known).all()
    print("Known topics, frozen, and new ones beside them:")
    print_topics(later, terms, names)

    # How much of each named topic is in the documents: rows of W that sum to one.
    shares = later.normalize("both").W.mean(axis=0)
    for name, share in zip(names, shares, strict=False):
        print(f"  {name:>12}: {share:.1%} of the average document")


if __name__ == "__main__":
    main()
