"""
How many topics?
================

In a shell::

    python choosing_k.py               # of the documentation on this machine
    python choosing_k.py counts.npz    # of your own: counts of documents x terms (.mtx.gz, ...)

Two ways to compare numbers of topics, on texts of this machine or a matrix of yours, and what
they said about two corpora whose classes are known.

Needs scikit-learn for the weights: pip install "sparsenmf[text]"; with matplotlib it also
draws two pictures, choosing_k.png and choosing_k_corpora.png.
"""

# %%
# A matrix of tf-idf weights
# --------------------------
# It is made of docstrings, or of the counts in a file (anything that `read_matrix` reads). Terms of
# one or two documents are dropped: they say nothing about any other document.

import sys

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from topics import read_documentation

from sparsenmf import forecast_selection, read_matrix, select_n_components
from sparsenmf.topics.weighting import weigh_counts

if len(sys.argv) > 1:
    counts = sp.csr_array(read_matrix(sys.argv[1]))
    in_documents = np.bincount(counts.indices, minlength=counts.shape[1])
    X = weigh_counts(counts[:, in_documents >= 3])
else:
    _, texts = read_documentation()
    weigh = TfidfVectorizer(
        stop_words="english", min_df=10, max_df=0.5, sublinear_tf=True, dtype=np.float32
    )
    X = weigh.fit_transform(texts)
print(f"{X.shape[0]:,} documents x {X.shape[1]:,} terms")

# %%
# Held-out loss
# -------------
# Some documents and some terms are held out together, and the block where they cross is predicted
# from the rest (bi-cross-validation). Fits of few topics say too little, and fits of too
# many repeat accidents.

options = {"max_iter": 30, "random_state": 0}
candidates = [k for k in (1, 10, 20, 40, 80) if k <= min(X.shape) // 2]
print(f"Forecast: {forecast_selection(X, candidates, **options)}")
selection = select_n_components(X, candidates, **options)
print(selection)
print(f"Recommended: {selection.n_components} topics")

# %%
# Documentation consists of many small families of functions, so more topics keep getting better:
# the table says how little each of them adds.

# %%
# Stability
# ---------
# Another question: do two halves of the documents, drawn at random, have the same topics? Topics of
# both are paired, and the cosines of the pairs averaged, over three such splits. This does not
# measure fit: a few topics can be just as similar. What counts is how many come back.

stability = select_n_components(
    X, candidates[1:3] or candidates, method="stability", n_repeats=3, **options
)
print("\nSimilarity of the topics of two halves:")
for k, mean in zip(stability.table["n_components"], stability.table["mean"], strict=True):
    print(f"  {k} topics: {mean:.3f}")

# %%
# What the two said about corpora with known classes
# --------------------------------------------------
# BBC News has 2,225 articles in five sections of about equal size; TDT2 (its thirty largest
# topics) has 9,394 stories of thirty events, of 52 to 1,844 stories each. Terms of at least three
# documents, tf-idf, ``random_state=0``, default options: the matrix is weighed as above. The last
# line is how well the strongest topic of a document agrees with its class (`label_agreement`:
# normalised mutual information, mean of five starts), which one cannot know without labels.

BBC = {
    "classes": 5,
    "held-out loss": {
        2: 0.94259, 3: 0.93512, 4: 0.92715, 5: 0.91908, 6: 0.91483, 8: 0.90912, 10: 0.90352,
        15: 0.89567, 20: 0.89107, 30: 0.88325, 40: 0.87873,
    },
    "similarity of halves": {
        2: 0.965, 3: 0.764, 4: 0.776, 5: 0.941, 6: 0.891, 7: 0.808, 8: 0.753, 10: 0.802,
        15: 0.738, 20: 0.706, 30: 0.662,
    },
    "agreement with classes": {
        2: 0.401, 3: 0.565, 4: 0.692, 5: 0.777, 6: 0.750, 7: 0.727, 8: 0.677, 10: 0.653,
        15: 0.603, 20: 0.568, 30: 0.529, 40: 0.502,
    },
}  # fmt: skip
TDT2 = {
    "classes": 30,
    "held-out loss": {
        5: 0.94352, 10: 0.92718, 15: 0.91690, 20: 0.90826, 25: 0.89757, 30: 0.89057,
        35: 0.88609, 40: 0.88269, 50: 0.87505, 60: 0.86942, 80: 0.86177,
    },
    "similarity of halves": {
        5: 0.954, 10: 0.829, 15: 0.848, 20: 0.860, 25: 0.832, 30: 0.833, 35: 0.826, 40: 0.805,
        50: 0.806, 60: 0.804,
    },
    "agreement with classes": {
        5: 0.573, 10: 0.662, 15: 0.685, 20: 0.750, 25: 0.724, 30: 0.689, 35: 0.689, 40: 0.698,
        50: 0.675, 60: 0.674, 80: 0.660,
    },
}  # fmt: skip

# %%
# **The held-out loss goes on falling** well beyond the number of classes, in both corpora and by
# more than its standard errors (0.003 to 0.008, and 0.001 to 0.003) from one end to the other.
# Rightly so: each section has stories of its own, and a model that knows them predicts more words.
# But predicting words is not naming classes. There is no elbow at five or thirty either,
# only a slow bend. The recommendation is the largest number that was tried.
#
# **Stability found the five sections**: both halves have the same five topics (0.941; six 0.891,
# four 0.776), and that is also where they agree most with the sections.
#
# **It did not find the thirty events.** Its rule recommends sixty topics, the most that were tried:
# further ones keep coming back in the other half. Yet similarity has its peak, beyond five, at
# twenty (0.860), and that is where topics agree best with the events, too. The events are of very
# unequal size, and a least-squares fit splits large ones before it gives small ones a topic of
# their own: of thirty topics, eleven to thirteen are about the three largest events, and eight to
# ten events have none. Their parts are in both halves all the same.
#
# So use the held-out loss if a model is to predict or fill in entries, and to see how little
# further topics add. To name themes, look at where halves agree, and then at the topics.
# Neither says how many classes a person would see in the texts.


def draw_corpora():
    """Return a figure of the three measures for both corpora."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.2, 3.2), layout="constrained")
    titles = ("held-out loss", "similarity of halves", "agreement with classes")
    ticks = [2, 5, 10, 20, 40, 80]
    for ax, title in zip(figure.subplots(1, 3), titles, strict=True):
        for corpus, colour in zip((BBC, TDT2), ("#2b6ca3", "#e0812b"), strict=True):
            curve = corpus[title]
            ax.axvline(corpus["classes"], color=colour, linewidth=1, linestyle=(0, (2, 2)))
            ax.annotate(
                f"  {corpus['classes']}", (corpus["classes"], 1), color=colour, size=8, va="top",
                xycoords=ax.get_xaxis_transform(),
            )  # fmt: skip
            ax.plot(*zip(*curve.items(), strict=True), ".-", color=colour, markersize=7)
        ax.set_title(title, size=10)
        ax.set_xscale("log")
        ax.set_xticks(ticks, [str(k) for k in ticks])
        ax.minorticks_off()
        ax.set_xlabel("topics (dotted: classes)")
        ax.locator_params(axis="y", steps=[1, 2, 5, 10])
        ax.yaxis.set_major_formatter("{x:.2f}")
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    figure.axes[0].text(5.5, 0.884, "BBC News", color="#2b6ca3", weight="bold")
    figure.axes[0].text(12, 0.929, "TDT2", color="#e0812b", weight="bold")
    return figure


# %%
# Two pictures
# ------------
# They show the selection above, and the two corpora.

try:
    selection.plot().figure.savefig("choosing_k.png", dpi=150)
    draw_corpora().savefig("choosing_k_corpora.png", dpi=150)
except ImportError as error:
    print(f"\nNo pictures: {error}")
else:
    print("\nPictures: choosing_k.png, choosing_k_corpora.png")
