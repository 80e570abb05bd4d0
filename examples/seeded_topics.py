"""
Topics that one knows beforehand
================================

In a shell::

    python seeded_topics.py

Seed words, and components that stay as they are. First three topics are begun with words, while
seven others are free to find what else there is. Then these three are kept exactly as they were
learned, for a later collection in which new topics are looked for beside them.

Needs scikit-learn: pip install "sparsenmf[text]"; with matplotlib it also draws a picture,
seeded_topics.png.
"""

# %%
# An older and a newer collection
# -------------------------------
# They are two halves of the documentation of Python and its packages.

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from topics import DOCSTRING_WORDS, read_documentation

import sparsenmf
from sparsenmf import Seeds, plots

SEEDS = {
    "matrices": ["matrix", "eigenvalues", "inverse", "sparse"],
    "statistics": ["distribution", "variance", "regression", "estimator"],
    "files": ["file", "directory", "path", "archive"],
}

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


def print_topics(model):
    """Print the heaviest terms of each topic beside its name."""
    for r, words in enumerate(model.top_terms(terms, 8)):
        name = names[r] if r < len(names) else f"free {r - len(names) + 1}"
        print(f"  {name:>12}: {', '.join(words)}")
    print()


# %%
# A beginning with seed words
# ---------------------------
# The words say where a topic begins. What it becomes is up to the documents: other words may
# join, and take over.

seeded = sparsenmf.factorize(older, 10, seeds=Seeds(SEEDS, vocabulary=terms), random_state=0)
print("Begun with seed words:")
print_topics(seeded)

# %%
# Or nothing but these words
# --------------------------
# With ``seeding="support"`` the seeded topics never get another word; how much each of theirs
# weighs is learned.

only = sparsenmf.factorize(
    older, 10, seeds=Seeds(SEEDS, vocabulary=terms, strength="support"), random_state=0
)
print("Of the seed words only:")
print_topics(only)

# %%
# Known topics, kept
# ------------------
# Frozen rows of H stay as they are, to the last bit, so their shares can be compared between
# collections. Seven new topics are found beside them.

known = seeded.H[: len(SEEDS)]
later = sparsenmf.factorize(newer, 10, H=known, frozen_H=range(len(SEEDS)), random_state=0)
assert (later.H[: len(SEEDS)] == known).all()
print("Known topics, frozen, and new ones beside them:")
print_topics(later)

# %%
# How much of each named topic is in the documents: rows of W that sum to one.

shares = later.normalize("both").W.mean(axis=0)
for name, share in zip(names, shares, strict=False):
    print(f"  {name:>12}: {share:.1%} of the average document")

# %%
# A picture of the topics' terms
# ------------------------------
# The first three are the known ones.

try:
    ax = plots.plot_top_terms(later, terms)
except ImportError as error:
    print(f"\nNo picture: {error}")
else:
    ax.figure.savefig("seeded_topics.png", dpi=150)
    print("\nPicture: seeded_topics.png")
