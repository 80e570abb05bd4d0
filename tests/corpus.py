"""A small corpus of two topics that cannot be mistaken for each other."""

import re

import numpy as np
import scipy.sparse as sp

SEA = [
    "anchor",
    "harbour",
    "island",
    "sailor",
    "storm",
    "tide",
    "vessel",
    "voyage",
    "whale",
    "wind",
]
KITCHEN = [
    "bake",
    "butter",
    "dough",
    "flour",
    "honey",
    "kettle",
    "oven",
    "pepper",
    "spoon",
    "sugar",
]
TERMS = SEA + KITCHEN


def make_texts():
    """Return 80 documents, in turn about the sea and about the kitchen."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice((SEA, KITCHEN)[i % 2], 6, replace=False)) for i in range(80)]


def make_counts():
    """The matrix of the documents x terms."""
    words = [text.split() for text in make_texts()]
    return sp.csr_array([[doc.count(term) for term in TERMS] for doc in words])


def check_separated(topics):
    """Check that the two topics are those of the corpus; return the sea's and the kitchen's.

    A topic is its share, one or two lists of its terms, and a list of its documents.
    """
    assert len(topics) == 2
    sea, kitchen = sorted(topics, key=lambda topic: not set(topic[1]) & set(SEA))
    for (_, *lists, documents), words in ((sea, SEA), (kitchen, KITCHEN)):
        for terms in lists:
            assert set(terms) <= set(words)
            assert len(terms) >= 8
        assert len(documents) == 2
    return sea, kitchen


def read_printed(text):
    """Return the topics that a text shows: share, both lists of terms, and documents of each."""
    block = r"^ *\d+\. +([\d.]+)%  (.*)\n +distinctive: (.*(?:\n {13}[^-\s].*)*)\n((?: +- .*\n)*)"
    return [
        (float(share), *(re.split(r",\s+", listed) for listed in lists), titles_in(documents))
        for share, *lists, documents in re.findall(block, text, re.MULTILINE)
    ]


def titles_in(lines):
    return [line.strip()[2:] for line in lines.splitlines()]
