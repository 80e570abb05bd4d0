"""Tables that pandas has written, with an index or without, in each format."""

import numpy as np
import pytest

from sparsenmf import read_matrix

pd = pytest.importorskip("pandas")

COUNTS = np.random.default_rng(0).poisson(1, (6, 4)).astype(float)

WRITE = {".csv": "to_csv", ".xlsx": "to_excel", ".parquet": "to_parquet", ".feather": "to_feather"}


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize("index", [None, range(5, 11), [9, 3, 4, 5, 7, 1], list("abcdef")])
def test_the_index_of_a_frame_is_no_feature(index, suffix, tmp_path):
    """An index without a name is "Unnamed: 0" to those who read a workbook."""
    path = tmp_path / f"X{suffix}"
    getattr(pd.DataFrame(COUNTS, index, list("wxyz")), WRITE[suffix])(path)
    found = read_matrix(path)
    np.testing.assert_array_equal(found.toarray(), COUNTS)
    assert found.feature_names.tolist() == list("wxyz")
    if isinstance(index, list):
        assert found.sample_names.tolist() == index


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize("start", [0, 1, 5])
@pytest.mark.parametrize("title", ["doc", "Cells", "row_number", "idx", "user"])
def test_a_numbered_index_with_a_name_is_no_feature(title, start, suffix, tmp_path, recwarn):
    path, index = tmp_path / f"X{suffix}", pd.RangeIndex(start, start + 6, name=title)
    frame = pd.DataFrame(COUNTS, index, list("wxyz"))
    written = frame if suffix in (".csv", ".xlsx") else frame.reset_index()
    getattr(written, WRITE[suffix])(path)
    found = read_matrix(path)
    np.testing.assert_array_equal(found.toarray(), COUNTS)
    assert found.feature_names.tolist() == list("wxyz")
    assert found.sample_names is None if start == 0 else found.sample_names.tolist() == list(index)
    assert not [w for w in recwarn.list if issubclass(w.category, UserWarning)]


@pytest.mark.parametrize("suffix", WRITE)
@pytest.mark.parametrize("title", ["day", "wxyz"])
def test_a_first_column_that_counts_up_may_be_a_feature(title, suffix, tmp_path):
    path = tmp_path / f"X{suffix}"
    frame = pd.DataFrame(np.c_[range(1, 7), COUNTS].astype(int), columns=[title, *"wxyz"])
    getattr(frame, WRITE[suffix])(path, **({"index": False} if suffix in (".csv", ".xlsx") else {}))
    with pytest.warns(UserWarning, match=f"{title}', has the numbers from 1 to 6, and is taken"):
        found = read_matrix(path)
    assert found.feature_names.tolist() == [title, *"wxyz"]


@pytest.mark.parametrize(
    "first", [[0, 1, 2, 3, 3, 4], [5, 4, 3, 2, 1, 0], [0.5, 1.5, 2.5, 3.5, 4.5]]
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_other_numbers_are_a_feature_in_silence(first, suffix, tmp_path, recwarn):
    path = tmp_path / f"X{suffix}"
    frame = pd.DataFrame({"doc": first, "x": np.ones(len(first)), "y": 2})
    getattr(frame, WRITE[suffix])(path, index=False)
    assert read_matrix(path).feature_names.tolist() == ["doc", "x", "y"]
    assert not recwarn.list


def test_a_few_rows_do_not_count_up(tmp_path, recwarn):
    (tmp_path / "X.csv").write_text("user,b\n1,2\n2,1\n3,5\n4,0\n", encoding="utf-8")
    assert read_matrix(tmp_path / "X.csv").feature_names.tolist() == ["user", "b"]
    assert not recwarn.list


def test_numbers_without_a_header_are_said(tmp_path):
    np.savetxt(tmp_path / "X.csv", np.c_[range(6), COUNTS], "%d", ",")
    with pytest.warns(UserWarning, match="first column, without a name, has the numbers from 0 to"):
        assert read_matrix(tmp_path / "X.csv").shape == (6, 5)
