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
