"""Whether a matrix looks turned: its rows are features, its columns samples."""

from __future__ import annotations

import re

from .delimited import FEATURES, SAMPLES

BARCODE = r"[ACGT]{8,}([-_.].*)?"

SAMPLE_NAME = re.compile(
    rf"{BARCODE}|.*[_:#]{BARCODE}|(GSM|SRR|ERR|DRR|TCGA[-.])\w.*"
    r"|(doc|document|text|sample|cell|patient|donor|user|subject|customer|mouse)[ _.-]?\d+(-\d+)?"
    r"|.*\.(txt|md|html?|pdf)",
    re.IGNORECASE,
)
"""Names that only samples have: cells, sequencing runs, files, numbered documents or people."""

FEATURE_NAME = re.compile(
    r"ENS[A-Z]*[GTP]\d{6,}(\.\d+)?|(RP[LS]|MT-|Rp[ls]|mt-)[A-Za-z0-9]+|(OTU|ASV)[_ ]?\d+"
    r"|[ACGT]?\w*\[[ACGT]>[ACGT]\][ACGT]\w*|chr[\dXYM]+[:_-]\d+-\d+"
    r"|(?i:gene|feature|term|word|item|movie|product|protein|species|taxon)[ _.-]?\d+"
)
"""Names that only features have: genes, taxa, classes of mutations, peaks, numbered terms."""

WORD, NUMBER = re.compile(r"[^\W\d_]{2,}"), re.compile(r"[A-Za-z]?\d+")

VOCABULARY = 20  # lower-case words, from which on they are taken for terms

FEATURE_TITLES = {*FEATURES, "genename", "genesymbol", "symbol", "otuid",
                  "probe", "probeid", "mutationtype", "protein", "peak",
                  "taxon", "species", "otu", "asv"}  # fmt: skip
"""What the first column is called where rows are features."""

LOOKED_AT = 1000  # names

ENOUGH = 0.5  # share of names of a kind, above which all are taken to be of it


def looks_turned(feature_names, sample_names, row_title=""):
    """Return why a matrix seems to have features as rows, or None if it does not.

    Parameters
    ----------
    feature_names, sample_names : sequence or None
        Names of the columns and of the rows.
    row_title : str
        What the file calls its rows.

    Returns
    -------
    str or None
        A part of a sentence.
    """
    title = re.sub("[^a-z]", "", row_title.lower()).removesuffix("s")
    if title in FEATURE_TITLES and title not in SAMPLES:
        return f"the first column is called {row_title!r}"
    columns, rows = _listed(feature_names), _listed(sample_names)
    if _share(columns, SAMPLE_NAME) > ENOUGH > _share(rows, SAMPLE_NAME):
        return f"the names of the columns are those of samples ({', '.join(columns[:2])}, ...)"
    # Few genes have names of a kind; but samples have none of them, and cells none at all.
    if _share(rows, FEATURE_NAME) > max(0.01, 5 * _share(columns, FEATURE_NAME)):
        return f"the names of the rows are those of features ({_first(rows, FEATURE_NAME)}, ...)"
    words = [name for name in rows if WORD.fullmatch(name) and name == name.lower()]
    if len(words) > max(VOCABULARY, 0.9 * len(rows)) and _share(columns, NUMBER) > 0.9:
        return f"the names of the rows are words ({', '.join(rows[:2])}, ...)"
    return None


def _listed(names):
    return [] if names is None else [str(name) for name in names[:LOOKED_AT]]


def _share(names, pattern):
    return sum(bool(pattern.fullmatch(name)) for name in names) / max(1, len(names))


def _first(names, pattern):
    return next(name for name in names if pattern.fullmatch(name))
