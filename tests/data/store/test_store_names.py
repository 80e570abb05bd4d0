"""Names in stores: written with the rows, checked when rows are added, and used by what follows."""

import json
import pickle
import shutil

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import NamedMatrix, factorize, open_csr, write_csr

pd = pytest.importorskip("pandas")

N, M = 30, 8
GENES = [f"gene {j} µ" for j in range(M)]
CELLS = [f"cell-{i}" for i in range(N)]


def matrix():
    X = sp.random_array((N, M), density=0.4, rng=3, format="csr", dtype=np.float32)
    X.data = np.ceil(9 * X.data)
    return X


def named(start=0, stop=N, features=GENES, samples=CELLS):
    samples = None if samples is None else samples[start:stop]
    return NamedMatrix(matrix()[start:stop], feature_names=features, sample_names=samples)


def frame(start=0, stop=N):
    return pd.DataFrame(matrix()[start:stop].toarray(), CELLS[start:stop], GENES)


def annotated(start=0, stop=N):
    adata = pytest.importorskip("anndata").AnnData(matrix()[start:stop])
    adata.var_names, adata.obs_names = GENES, CELLS[start:stop]
    return adata


def check(store):
    assert store.feature_names.tolist() == GENES
    assert store.sample_names.tolist() == CELLS
    np.testing.assert_array_equal(store.rows(0, N).toarray(), matrix().toarray())
    store.verify()


@pytest.mark.parametrize("make", [named, frame, annotated])
@pytest.mark.parametrize("shard_nnz", [10, 2**26])
def test_names_are_written_with_the_rows(make, shard_nnz, tmp_path):
    check(write_csr(tmp_path / "whole", make(), shard_nnz=shard_nnz))
    check(open_csr(tmp_path / "whole", verify=True))
    blocks = (make(start, start + 10) for start in range(0, N, 10))
    check(write_csr(tmp_path / "blocks", blocks, shard_nnz=shard_nnz))
    write_csr(tmp_path / "grown", make(0, 13), shard_nnz=shard_nnz)
    check(write_csr(tmp_path / "grown", make(13, N), append=True, shard_nnz=shard_nnz))
    check(write_csr(tmp_path / "copy", open_csr(tmp_path / "grown")))
    check(write_csr(tmp_path / "copy of a path", tmp_path / "blocks"))
    check(pickle.loads(pickle.dumps(open_csr(tmp_path / "grown"))))


def test_the_names_of_the_columns_are_there_once(tmp_path):
    for stop in (10, 20, 30):
        write_csr(tmp_path / "store", named(stop - 10, stop), append=True, shard_nnz=10)
    assert len(list(tmp_path.rglob("feature_names.npy"))) == 1
    assert (
        len(list(tmp_path.rglob("sample_names.npy"))) == open_csr(tmp_path / "store").n_shards > 3
    )


def test_files_of_names_are_plain_arrays(tmp_path):
    write_csr(tmp_path / "store", named())
    found = np.load(tmp_path / "store" / "shard-00000" / "feature_names.npy")
    assert found.tolist() == GENES


def test_a_store_without_names_has_none_and_no_file_of_them(tmp_path):
    store = write_csr(tmp_path / "store", matrix())
    assert store.feature_names is store.sample_names is None
    assert not list(tmp_path.rglob("*_names.npy"))


def test_a_model_of_a_store_has_its_names(tmp_path):
    model = factorize(write_csr(tmp_path / "store", named(), shard_nnz=10), 2, random_state=0)
    assert model.feature_names.tolist() == GENES
    assert model.sample_names.tolist() == CELLS
    assert set(model.top_terms(n=2)[0]) <= set(GENES)


@pytest.mark.parametrize("append", [False, True])
def test_rows_with_other_names_are_refused(append, tmp_path):
    others = [*GENES[:3], GENES[4], GENES[3], *GENES[5:]]
    write_csr(tmp_path / "store", named(0, 10))
    before = open_csr(tmp_path / "store").checksum()
    message = "column 3 is 'gene 4 µ' instead of 'gene 3 µ'"
    blocks, options = [named(10, 20, others)], {"append": True}
    if not append:
        blocks, options = [named(0, 10), *blocks], {"overwrite": True}
    with pytest.raises(ValueError, match=message):
        write_csr(tmp_path / "store", blocks, **options)
    store = open_csr(tmp_path / "store", verify=True)
    assert (store.checksum(), store.shape) == (before, (10, M))
    assert len(list((tmp_path / "store").glob("shard-*"))) == 1


def test_rows_without_names_are_taken_as_they_are(tmp_path):
    write_csr(tmp_path / "store", named(0, 10))
    store = write_csr(tmp_path / "store", matrix()[10:], append=True)
    assert store.feature_names.tolist() == GENES
    assert store.sample_names.tolist() == [*CELLS[:10], *[""] * 20]
    write_csr(tmp_path / "other", matrix()[:10])
    store = write_csr(tmp_path / "other", named(10, N), append=True)
    assert store.feature_names.tolist() == GENES
    assert store.sample_names.tolist() == [*[""] * 10, *CELLS[10:]]


def test_numbers_of_rows_stay_numbers(tmp_path):
    numbers = list(range(100, 100 + N))
    store = write_csr(tmp_path / "store", named(samples=numbers), shard_nnz=10)
    assert store.sample_names.tolist() == numbers
    store = write_csr(tmp_path / "store", named(), append=True)
    assert store.sample_names.tolist() == [*map(str, numbers), *CELLS]


def test_overwriting_replaces_the_names(tmp_path):
    write_csr(tmp_path / "store", named())
    other = [f"x{j}" for j in range(M)]
    store = write_csr(tmp_path / "store", named(features=other, samples=None), overwrite=True)
    assert store.feature_names.tolist() == other
    assert store.sample_names is None
    store = write_csr(tmp_path / "store", matrix(), overwrite=True)
    assert store.feature_names is None
    assert not list(tmp_path.rglob("*_names.npy"))


def test_the_same_numbers_have_the_same_checksum_whatever_they_are_called(tmp_path):
    stores = [write_csr(tmp_path / str(i), X) for i, X in enumerate((named(), matrix()))]
    assert stores[0].checksum() == stores[1].checksum()


@pytest.mark.parametrize("name", ["feature_names", "sample_names"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "written to"])
def test_damaged_names_are_found(name, damage, tmp_path):
    store = write_csr(tmp_path / "store", named())
    path = tmp_path / "store" / "shard-00000" / f"{name}.npy"
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        content[-1] ^= 255
        path.write_bytes(content[:-4] if damage == "cut" else content)
    if damage == "written to":
        with pytest.raises(ValueError, match="has been written to or replaced"):
            getattr(store, name)
        with pytest.raises(ValueError, match=f"{name}.npy is damaged: its names are not text"):
            getattr(open_csr(tmp_path / "store"), name)
    with pytest.raises(ValueError, match=f"{name}.npy .*damaged"):
        open_csr(tmp_path / "store", verify=True)


@pytest.mark.parametrize("kind", ["|O", "<f8", "nonsense", None])
def test_a_record_with_names_of_another_kind_is_refused(kind, tmp_path):
    from sparsenmf.data.store.layout import _checksum

    write_csr(tmp_path / "store", named())
    path = tmp_path / "store" / "shape.json"
    record = json.loads(path.read_text())
    record.pop("crc32")
    record["shards"][0]["files"]["feature_names.npy"]["dtype"] = kind
    path.write_text(json.dumps({**record, "crc32": _checksum(record)}))
    with pytest.raises(ValueError, match="is not a store's record"):
        open_csr(tmp_path / "store")


def test_leftovers_of_a_killed_writer_are_removed(tmp_path):
    folder = tmp_path / "store"
    write_csr(folder, named())
    shutil.copytree(folder / "shard-00000", folder / "shard-00007")
    write_csr(folder, named(), append=True)
    assert sorted(path.name for path in folder.glob("shard-*")) == ["shard-00000", "shard-00001"]
    shutil.copytree(folder / "shard-00000", folder / "shard-00007")
    (folder / "shard-00007" / "indices.npy").unlink()  # no writer makes names before these
    with pytest.raises(FileExistsError, match="is not a shard of a store"):
        write_csr(folder, named(), append=True)


@pytest.mark.parametrize("empty", [
    lambda: named(5, 5), lambda: frame(5, 5), lambda: annotated(5, 5), lambda: np.ones((0, M)),
])  # fmt: skip
def test_a_block_of_no_rows_is_skipped(empty, tmp_path):
    blocks = [empty(), named(0, 10), empty(), named(10, N), empty()]
    check(write_csr(tmp_path / "store", blocks))
    check(write_csr(tmp_path / "store", empty(), append=True))
    check(write_csr(tmp_path / "store", [empty(), empty()], append=True))
    with pytest.raises(ValueError, match="chunks has no rows"):
        write_csr(tmp_path / "other", [empty(), empty()])
    assert not (tmp_path / "other").exists()


def test_nested_lists_are_a_matrix_as_everywhere(tmp_path):
    store = write_csr(tmp_path / "store", [[1, 2, 0], [0, 3, 1]])
    np.testing.assert_array_equal(store.rows(0, 2).toarray(), [[1, 2, 0], [0, 3, 1]])
