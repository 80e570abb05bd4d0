"""A sample, a feature and a value on each line: what is not there is unknown, or zero."""

import numpy as np
import pytest

from sparsenmf import factorize, read_matrix

RATED = "has ratings: what is not in it is unknown"

FILES = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,30,4.0,964982703\n2,5,0,1\n2,30,3.5,9\n",
    "names.csv": "movie,user,stars\n30,1,4\n5,2,0\n30,2,3.5\n",
    "ratings.dat": "1::30::4::978300760\n2::5::0::978302109\n2::30::3.5::978301968\n",
    "u.data": "1\t30\t4\t881250949\n2\t5\t0\t891717742\n2\t30\t3.5\t878887116\n",
    "quoted.csv": '"user_id";"item_id";"rating"\n"1";"30";"4"\n"2";"5";"0"\n"2";"30";"3.5"\n',
}


@pytest.mark.parametrize("name", FILES)
def test_ratings_are_read_and_said_to_be_ratings(name, tmp_path):
    (tmp_path / name).write_text(FILES[name])
    with pytest.warns(UserWarning, match=RATED):
        found = read_matrix(tmp_path / name)
    known = read_matrix(tmp_path / name, missing="unknown")
    for X in (found, known):
        assert X.nnz == 3  # with the zero, which somebody gave
        np.testing.assert_array_equal(X.toarray(), [[0, 4], [0, 3.5]])
        assert X.feature_names.tolist() == ["5", "30"]
        assert X.sample_names.tolist() == [1, 2]
    assert read_matrix(tmp_path / name, missing="zero").nnz == 2
    model = factorize(known, 1, missing="unknown", random_state=0)
    assert model.predict([1], [0]) < 0.1


COUNTS = {
    "header": "doc,word,count\nb,sea,2\na,cat,1\nb,cat,4\nb,sea,3\n",
    "other order": "n\tterm\tdocument\n2\tsea\tb\n1\tcat\ta\n4\tcat\tb\n3\tsea\tb\n",
}


@pytest.mark.parametrize("case", COUNTS)
def test_counts_are_added_up(case, tmp_path):
    (tmp_path / "X.csv").write_text(COUNTS[case])
    found = read_matrix(tmp_path / "X.csv")
    np.testing.assert_array_equal(found.toarray(), [[5, 4], [0, 1]])
    assert found.feature_names.tolist() == ["sea", "cat"]
    assert found.sample_names.tolist() == ["b", "a"]


def test_two_ratings_of_a_pair_are_refused(tmp_path):
    path = tmp_path / "X.csv"
    path.write_text("user,item,rating\n1,7,5\n2,7,1\n1,7,4\n")
    with pytest.raises(ValueError, match=r"1 and 7 have two ratings: keep one .*--missing zero"):
        read_matrix(path)
    assert read_matrix(path, missing="zero").toarray().tolist() == [[9], [1]]


def test_without_a_header_missing_must_be_given(tmp_path):
    path = tmp_path / "X.csv"
    path.write_text("b,7,5\na,7,1\nb,8,2\n")
    with pytest.raises(ValueError, match=r"say whether .* zero .*--missing zero.* unknown"):
        read_matrix(path, format="triplets")
    for missing in ("zero", "unknown"):
        found = read_matrix(path, format="triplets", missing=missing)
        assert found.toarray().tolist() == [[5, 2], [1, 0]]


def test_pairs_without_values_count_one(tmp_path):
    path = tmp_path / "X.csv"
    path.write_text("user,item\nb,x\na,x\nb,y\nb,y\n")
    found = read_matrix(path, format="triplets")
    assert found.toarray().tolist() == [[1, 2], [1, 0]]
    assert found.sample_names.tolist() == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,item,rating\n1,7,5\n1,8,good\n", "line 3 has 'good' in column 3, not a number"),
        ("user,item,rating\n1,7,5\n1,8\n", "line 3 has 2 fields"),
        ("user,item,rating\n1,7,5\n1,a,b,8\n", "line 3 has 4 fields instead of 3"),
        ("user,item,rating\n", "no rows"),
        ("user,item,rating\n1,7,-5\n", "negative value"),
    ],
)
def test_malformed_ratings_are_refused_with_their_line(text, message, tmp_path):
    (tmp_path / "X.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_matrix(tmp_path / "X.csv", missing="unknown")


def test_table_with_columns_named_like_those_of_ratings_is_a_table(tmp_path):
    words = ["user", "item", "rating", *(f"w{i}" for i in range(20))]
    lines = [",".join(["", *words]), *(",".join([f"d{i}", *["1"] * 23]) for i in range(3))]
    (tmp_path / "X.csv").write_text("\n".join(lines) + "\n")
    assert read_matrix(tmp_path / "X.csv").shape == (3, 23)


def test_frames_of_ratings(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"user": [2, 1, 2], "item": ["b", "a", "a"], "rating": [0, 4, 3.5]})
    frame.to_parquet(tmp_path / "X.parquet")
    found = read_matrix(tmp_path / "X.parquet", missing="unknown")
    assert found.nnz == 3
    assert found.toarray().tolist() == [[4, 0], [3.5, 0]]
    assert found.sample_names.tolist() == [1, 2]
