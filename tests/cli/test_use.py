"""`sparsenmf transform`, `info` and `warmup`."""

from pathlib import Path

import numpy as np
import pytest

import sparsenmf
from sparsenmf import factorize
from sparsenmf.data.files import read_matrix

from ..corpus import TERMS, make_counts
from .commands import run, succeed


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".tsv", ".parquet"])
def test_transform_writes_the_weights(suffix, here):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    model = factorize(make_counts(), 3, random_state=0)
    model.save("model.npz")
    assert succeed("transform", "model.npz", "X.npz", "--output", f"W{suffix}") == ""
    expected = model.transform(make_counts())
    if suffix in (".npy", ".npz"):
        found = read_matrix(f"W{suffix}").toarray()
    elif suffix == ".parquet":
        found = pd.read_parquet("W.parquet").to_numpy()
    else:
        separator = "\t" if suffix == ".tsv" else ","
        found = pd.read_csv(f"W{suffix}", sep=separator).to_numpy(np.float32)
    np.testing.assert_array_equal(found, expected)


def test_info_of_a_matrix(here):
    stdout = succeed("info", "X.npz", "-k", 5)
    forecast = sparsenmf.estimate_memory(read_matrix("X.npz"), 5)
    assert "80 x 20, 480 nonzeros (30.000%)" in stdout
    assert "float32" in stdout
    assert f"5 components takes {forecast}" in stdout


def test_info_of_a_model(here):
    model = factorize(make_counts(), 2, random_state=0)
    model.save("model.npz")
    assert succeed("info", "model.npz") == f"{model!r}\n"
    stdout = succeed("info", "model.npz", "--vocabulary", "terms.txt", "--terms", 3)
    lists = zip(model.top_terms(TERMS, 3), model.top_terms(TERMS, 3, by="distinctive"), strict=True)
    heads = [
        line
        for r, (terms, distinctive) in enumerate(lists, 1)
        for line in (f"{r}. {', '.join(terms)}", f"distinctive: {', '.join(distinctive)}")
    ]
    assert [line.strip() for line in stdout.splitlines()[3:]] == heads


@pytest.mark.parametrize("folder", [Path("somewhere"), None])
def test_warmup_prints_the_folder_or_says_that_there_is_none(folder, monkeypatch):
    monkeypatch.setattr("sparsenmf.models.warmup.warmup", lambda *names, progress: folder)
    result = run("warmup")
    if folder is None:
        assert result.exit_code == 1
        assert "not stored" in result.stderr
        assert result.stdout == ""
    else:
        assert (result.exit_code, result.stdout) == (0, "somewhere\n")
