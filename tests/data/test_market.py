"""MatrixMarket files: each number is read as it is written, or the file is refused."""

import gzip

import numpy as np
import pytest

from sparsenmf import read_matrix, write_csr

HEAD = "%%MatrixMarket matrix coordinate {} general\n% a remark\n3 3 2\n"

NO_NUMBERS = {
    "decimal comma": "1,5",
    "thousands": "1,000",
    "points": "1.234.5",
    "apostrophe": "1'000",
    "underscore": "1_000",
    "Fortran": "1.0D+02",
    "hexadecimal": "0x10",
    "unit": "1.5kg",
    "two exponents": "1e5e5",
    "fraction in an exponent": "1e2.5",
    "sum": "1-2",
    "no exponent": "1.5e-",
    "second number": "1 2",
    "remark": "3 % three",
    "digits of another writing": "\u0663",
    "wide comma": "1\uff0c5",
    "comma alone": ",",
    "percent": "50%",
}

NUMBERS = {"1.5": 1.5, "  2  ": 2, ".5": 0.5, "3.": 3, "1e2": 100, "1.5E-01": 0.15, "7\r": 7}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("field", ["real", "integer"])
@pytest.mark.parametrize("case", NO_NUMBERS)
def test_malformed_numbers_are_refused(case, field, compressed, tmp_path):
    """scipy's reader takes the first digits of such a word as the number."""
    path = tmp_path / ("X.mtx.gz" if compressed else "X.mtx")
    for body in (f"1 1 {NO_NUMBERS[case]}\n2 2 2\n", f"2 2 2\n1 1 {NO_NUMBERS[case]}"):
        content = (HEAD.format(field) + body).encode()
        path.write_bytes(gzip.compress(content) if compressed else content)
        with pytest.raises(ValueError, match=r"its line .1 1 .* is not an entry"):
            read_matrix(path)
        with pytest.raises(ValueError, match=r"its line .1 1 .* is not an entry"):
            write_csr(tmp_path / "store", path)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("number", NUMBERS)
def test_every_way_to_write_a_number_is_read(number, tmp_path):
    (tmp_path / "X.mtx").write_text(HEAD.format("real") + f"\n1 1 {number}\n \n\t2 2\t4\n")
    expected = [[NUMBERS[number], 0, 0], [0, 4, 0], [0, 0, 0]]
    np.testing.assert_allclose(read_matrix(tmp_path / "X.mtx").toarray(), expected)
    store = write_csr(tmp_path / "store", tmp_path / "X.mtx")
    np.testing.assert_allclose(store.rows(0, 3).toarray(), expected)


def test_lines_of_other_kinds_of_matrices_are_looked_at_too(tmp_path):
    for head, body in (
        ("coordinate pattern general\n3 3 1", "1 1 5"),
        ("coordinate integer general\n3 3 1", "1 1 1.5"),
        ("coordinate real symmetric\n3 3 1", "2 1 1,5"),
        ("array real general\n2 1", "1,5\n2"),
        ("array real general\n2 1", "1 2\n2"),
        ("coordinate real general\n3 3 1", "1 1"),
        ("coordinate real general\n3,0 3 1", "1 1 1"),
    ):
        (tmp_path / "X.mtx").write_text(f"%%MatrixMarket matrix {head}\n{body}\n")
        with pytest.raises(
            ValueError, match=r"X\.mtx is not a matrix that can be used: its line|no"
        ):
            read_matrix(tmp_path / "X.mtx")
