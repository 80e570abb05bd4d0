"""What is on axes, and their end."""

import sys


def texts_of(ax):
    return [text.get_text() for text in ax.texts]


def close(ax):
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(ax.figure)
