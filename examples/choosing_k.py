"""How many topics does the documentation of Python and its scientific packages have?

    python choosing_k.py

Numbers of topics are compared by how well blocks of documents x terms are predicted that the
fit has not seen; fits of few topics say too little, and fits of too many repeat accidents.
Documentation is made of many small families of functions, so that here more topics go on
being better: the table says how little each of them adds.

Needs scikit-learn for the weights: pip install "sparsenmf[text]"; with matplotlib it also
draws a picture, choosing_k.png.
"""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from topics import read_documentation

from sparsenmf import forecast_selection, select_n_components

CANDIDATES = [1, 10, 20, 40, 80]


def main():
    """Read, say how long it may take, compare, and print."""
    _, texts = read_documentation()
    weigh = TfidfVectorizer(
        stop_words="english", min_df=10, max_df=0.5, sublinear_tf=True, dtype=np.float32
    )
    X = weigh.fit_transform(texts)
    print(f"{X.shape[0]:,} documents x {X.shape[1]:,} terms")

    options = {"max_iter": 30, "random_state": 0}
    print(f"Forecast: {forecast_selection(X, CANDIDATES, **options)}")
    selection = select_n_components(X, CANDIDATES, **options)
    print(selection)
    print(f"Recommended: {selection.n_components} topics")

    try:
        import matplotlib
    except ImportError:
        print("(No picture: matplotlib is not installed.)")
        return
    matplotlib.use("Agg")  # draw into a file, also where there is no screen
    selection.plot().figure.savefig("choosing_k.png")
    print("Picture: choosing_k.png")


if __name__ == "__main__":
    main()
