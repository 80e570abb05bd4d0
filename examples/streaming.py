"""Topics of a stream: documents come in batches, and only one batch is in memory.

    python streaming.py

Here the stream is the documentation of Python and its packages, in random order, 256
docstrings at a time; it could be lines of a file, rows of a database or messages of a queue.
`sparsenmf.MiniBatchNMF` learns from each batch and forgets it.

Needs scikit-learn: pip install "sparsenmf[text]"
"""

import random

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer, TfidfTransformer
from topics import DOCSTRING_WORDS, read_documentation

import sparsenmf

N_TOPICS, BATCH = 20, 256


def batches(texts):
    """Yield lists of texts."""
    for start in range(0, len(texts), BATCH):
        yield texts[start : start + BATCH]


def main():
    """Learn the words from a first part, then the topics batch by batch; print both ways' fit."""
    _, texts = read_documentation()
    random.Random(0).shuffle(texts)

    # What the columns are and how rare words are must be known before the first batch.
    words = DOCSTRING_WORDS.split()
    count = CountVectorizer(
        stop_words=[*ENGLISH_STOP_WORDS, *words, *(word + "s" for word in words)],
        token_pattern=r"\b[^\W\d_]{3,}\b",
        min_df=5,
        dtype=np.float32,
    )
    weigh = TfidfTransformer(sublinear_tf=True)
    weigh.fit(count.fit_transform(texts[:4000]))

    model = sparsenmf.MiniBatchNMF(N_TOPICS, random_state=0)
    for number, batch in enumerate(batches(texts), 1):
        model.partial_fit(weigh.transform(count.transform(batch)))
        if number % 10 == 0:
            print(f"{model.n_samples_seen_:6,} documents seen", flush=True)

    terms = count.get_feature_names_out()
    print()
    for weights in model.components_:
        print("  " + ", ".join(terms[np.argsort(-weights)[:8]]))

    # The same with everything in memory, to compare ||X - W H||.
    X = weigh.transform(count.transform(texts))
    whole = sparsenmf.NMF(N_TOPICS, random_state=0).fit(X)
    print(f"\nError of the stream's topics: {model.reconstruction_error(X):.2f}")
    print(f"with all {X.shape[0]:,} documents in memory: {whole.reconstruction_err_:.2f}")


if __name__ == "__main__":
    main()
