"""A matrix that lies the wrong way round is recognised by the names of its rows and columns."""

import pytest

from sparsenmf.data.reading import looks_turned

WORDS = [f"{first}{second}" for first in ("sea", "land", "war") for second in "abcdefghij"]

SIDES = {
    "genes and barcodes": (["ACTB", "MT-CO1", "RPL13"], ["ACGTACGTAC-1", "TTTTACGTAC-1"]),
    "ids and cells": (["ENSG00000000003", "ENSG00000000005"], ["cell_1", "cell_2"]),
    "mouse": (["ENSMUSG00000000001.4", "ENSMUSG00000000003"], ["a", "b"]),
    "numbered": (["GENE0", "GENE1"], ["CELL0000-1", "CELL0001-1"]),
    "mutations": (["A[C>A]A", "A[C>A]C", "T[T>G]T"], ["PD1234", "PD1235"]),
    "doublets and indels": (["1:Del:C:0", "A[C>T]G"], ["SP1", "SP2"]),
    "taxa": (["OTU_1", "OTU_2"], ["gut", "soil"]),
    "peaks": (["chr1:100-200", "chr2:5-90"], ["a", "b"]),
    "runs": (["x", "y"], ["SRR123456", "SRR123457"]),
    "patients": (["x", "y"], ["TCGA-02-0001", "TCGA-02-0003"]),
    "words": (WORDS, ["1", "2", "3"]),
    "words and files": (WORDS, ["a.txt", "b.txt"]),
    "words and documents": (WORDS, ["doc1", "doc2"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SIDES)
def test_only_transposed_matrices_are_recognised_as_such(case):
    features, samples = SIDES[case]
    assert looks_turned(samples, features)
    assert looks_turned(features, samples) is None


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (None, None),
        (["a", "b"], None),
        (WORDS, ["berlin", "paris"]),
        (WORDS, None),
        (["1", "2"], ["x", "y"]),
        (["1", "2"], [str(i) for i in range(30)]),
        (["milk", "bread"], [f"customer {i}" for i in range(9)]),
        (["30", "40"], ["user1", "user2"]),
        ([f"w{i}" for i in range(9)], ["Germany", "France"] * 20),
    ],
)
def test_names_that_do_not_tell_cause_no_message(columns, rows):
    assert looks_turned(columns, rows) is None


@pytest.mark.parametrize("title", ["gene", "Gene", "gene_id", "GeneID", "term", "Words", "OTU ID",
                                   "MutationType", "Mutation Types", "feature"])  # fmt: skip
def test_title_of_the_rows_tells(title):
    assert title in looks_turned(["a"], ["b"], title)


@pytest.mark.parametrize("title", ["", "cell", "sample", "doc", "id", "user", "name"])
def test_other_titles_do_not_tell(title):
    assert looks_turned(["a"], ["b"], title) is None
