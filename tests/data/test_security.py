"""What SECURITY.md promises: nothing that is read is run, and nothing is trusted unchecked."""

import ast
import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import Checkpoint, Factorization, factorize, open_csr, read_matrix, write_csr

from ..grouped import grouped
from ..problems import small_model

PACKAGE = Path(sparsenmf.__file__).parent

FORBIDDEN = {
    "eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads", "pickle.Unpickler",
    "marshal.loads", "marshal.load", "joblib.load", "dill.loads", "cloudpickle.loads", "yaml.load",
    "torch.load", "shelve.open", "os.system", "os.popen", "subprocess.run", "subprocess.Popen",
    "tempfile.mktemp", "np.fromregex",
}  # fmt: skip

ALLOWED = {
    ("kernels/compile/cache.py", "pickle.loads"),
    ("kernels/compile/twins.py", "compile"),
    ("kernels/compile/twins.py", "exec"),
    ("models/warmup.py", "subprocess.Popen"),
}
"""Compiled kernels, from a folder and files that nobody else can write to; loops over blocks,
whose only variable parts are the names of a kernel's own parameters; and a Python that compiles
kernels by a constant text."""


def calls():
    """Yield the file, name and node of each call in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield str(path.relative_to(PACKAGE)), ast.unparse(node.func), node


def test_nothing_that_is_read_is_run():
    found = {(path, name) for path, name, _ in calls() if name in FORBIDDEN}
    assert found == ALLOWED


def test_no_call_allows_pickles():
    count = 0
    for path, name, node in calls():
        for keyword in node.keywords:
            if keyword.arg == "allow_pickle":
                count += 1
                assert ast.unparse(keyword.value) == "False", (path, name)
        if name.endswith(".read_array"):
            assert "allow_pickle" in {keyword.arg for keyword in node.keywords}, path
    assert count >= 3


class Payload:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_the_payload_would_create_a_file(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "mark"))).close()
    assert (tmp_path / "mark").exists()


def payload_array(folder):
    file = io.BytesIO()
    array = np.array([[Payload(folder / "mark")]], dtype=object)
    np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def replace(path, member, content):
    """Write an archive anew with one member changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in {**members, member: content}.items():
            archive.writestr(name, value)


def test_pickles_are_refused_without_being_loaded(tmp_path):
    code = payload_array(tmp_path)
    small_model().save(tmp_path / "model.npz")
    replace(tmp_path / "model.npz", "W.npy", code)
    sp.save_npz(tmp_path / "X.npz", sp.csr_array(np.eye(4)))
    replace(tmp_path / "X.npz", "data.npy", code)
    (tmp_path / "X.npy").write_bytes(code)
    X = np.eye(6)
    factorize(X, 2, max_iter=2, checkpoint=tmp_path / "state")
    replace(tmp_path / "state", "Ht.npy", code)
    write_csr(tmp_path / "store", X)
    (tmp_path / "store" / "shard-00000" / "data.npy").write_bytes(code)
    for call in (
        lambda: Factorization.load(tmp_path / "model.npz"),
        lambda: read_matrix(tmp_path / "X.npz"),
        lambda: read_matrix(tmp_path / "X.npy"),
        lambda: write_csr(tmp_path / "new", tmp_path / "X.npz"),
        lambda: write_csr(tmp_path / "new", tmp_path / "X.npy"),
        lambda: factorize(X, 2, max_iter=3, checkpoint=Checkpoint(tmp_path / "state", resume=True)),
        lambda: open_csr(tmp_path / "store"),
    ):
        with pytest.raises(ValueError, match=str(tmp_path)):
            call()
    assert not (tmp_path / "mark").exists()


def npy_header(shape, dtype="<f8"):
    file = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(file, header)
    return file.getvalue()


SHAPES = [(10**15, 3), (2**62, 2**62), (10**9, 2), (-1, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_sizes_in_a_header_are_not_allocated_unchecked(shape, tmp_path, monkeypatch):
    content = npy_header(shape) + bytes(48)
    small_model().save(tmp_path / "model.npz")
    replace(tmp_path / "model.npz", "W.npy", content)
    sp.save_npz(tmp_path / "X.npz", sp.csr_array(np.eye(4)))
    replace(tmp_path / "X.npz", "data.npy", npy_header(shape[:1]) + bytes(48))
    (tmp_path / "X.npy").write_bytes(content)
    size = f"{shape[0]} {shape[1]}"
    (tmp_path / "X.mtx").write_text(f"%%MatrixMarket matrix array real general\n{size}\n1\n")

    def refuse(*_, **__):
        raise AssertionError("the array is being read")

    monkeypatch.setattr(np.lib.format, "read_array", refuse)
    monkeypatch.setattr("scipy.io.mmread", refuse)
    monkeypatch.setattr("scipy.sparse.load_npz", refuse)
    with pytest.raises(ValueError, match=r"model.npz"):
        Factorization.load(tmp_path / "model.npz")
    for name in ("X.npz", "X.npy", "X.mtx"):
        with pytest.raises(ValueError, match=name):
            read_matrix(tmp_path / name)


@pytest.mark.parametrize("suffix", [".mtx", ".mtx.gz"])
def test_entries_that_cannot_be_there_are_not_allocated(suffix, tmp_path, monkeypatch):
    import gzip

    text = b"%%MatrixMarket matrix coordinate real general\n9 9 900000000000\n1 1 1\n"
    path = tmp_path / f"X{suffix}"
    path.write_bytes(gzip.compress(text) if suffix == ".mtx.gz" else text)
    monkeypatch.setattr("scipy.io.mmread", None)
    with pytest.raises(ValueError, match="more than it can have"):
        read_matrix(path)


def test_rows_that_do_not_fit_on_the_disk_are_not_begun(tmp_path):
    text = "%%MatrixMarket matrix coordinate real general\n900000000000000 9 1\n1 1 1\n"
    (tmp_path / "X.mtx").write_text(text)
    with pytest.raises(OSError, match="rows do not fit on the disk"):
        write_csr(tmp_path / "store", tmp_path / "X.mtx")
    assert os.listdir(tmp_path) == ["X.mtx"]


def test_a_line_without_an_end_is_not_gathered(tmp_path, monkeypatch):
    monkeypatch.setattr("sparsenmf.data.market.PORTION", 2**12)
    head = b"%%MatrixMarket matrix coordinate real general\n9 9 1\n"
    (tmp_path / "X.mtx").write_bytes(head + b"1" * 2**16)
    with pytest.raises(ValueError, match="a line of more than 4,096"):
        write_csr(tmp_path / "store", tmp_path / "X.mtx")


def test_compressed_models_are_refused(tmp_path):
    """A small file cannot become a large one in memory."""
    path = tmp_path / "model.npz"
    small_model().save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, value in members.items():
                archive.writestr(name, value)
        with pytest.raises(ValueError, match="compressed in a way that is not read"):
            Factorization.load(path)


def test_a_member_that_lies_about_its_size_is_refused(tmp_path, monkeypatch):
    """It lies both in the directory of the archive and in its own header."""
    path, size = tmp_path / "model.npz", 2**31
    small_model().save(path)
    header = npy_header(((size - 128) // 16, 2))
    assert len(header) == 128
    replace(path, "W.npy", header + b"\1" * 77)
    content, number = path.read_bytes(), (128 + 77).to_bytes(4, "little") * 2
    where = content.rindex(number)  # in the directory at the end
    lie = size.to_bytes(4, "little") * 2
    path.write_bytes(content[:where] + lie + content[where + 8 :])
    assert zipfile.ZipFile(path).getinfo("W.npy").file_size == size
    monkeypatch.setattr(np.lib.format, "read_array", None)
    with pytest.raises(ValueError, match=r"model.npz is not a whole .* cannot be of 2147483648"):
        Factorization.load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("W", np.full((3, 2), np.nan)),
        ("W", np.full((3, 2), -1.0)),
        ("H", np.full((2, 4), np.inf)),
        ("objective_history", np.ones(0)),
        ("time_history", np.array(["1"])),
        ("options", {"alpha_W": -1.0}),
        ("options", {"loss": "gauss"}),
        ("options", {"loss": float("inf")}),
        ("options", {"missing": 3}),
        ("options", [1]),
        ("stop_reason", 3),
        ("x_norm", "large"),
    ],
)
def test_models_are_checked_in_full(field, value, tmp_path):
    model = small_model()
    setattr(model, field, value)
    model.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match=r"model.npz is not a whole saved Factorization"):
        Factorization.load(tmp_path / "model.npz")


@pytest.mark.parametrize(
    "array", [np.ones(0), np.ones((0, 2)), np.ones((3, 3)), np.ones((3, 2)) * 1j]
)
def test_checkpoints_without_a_history_are_refused(array, tmp_path):
    X, options = np.eye(6), {"max_iter": 2, "checkpoint": tmp_path / "state", "random_state": 0}
    factorize(X, 2, **options)
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    replace(tmp_path / "state", "history.npy", file.getvalue())
    with pytest.raises(ValueError, match=r"state .*history (has shape|is of)"):
        factorize(X, 2, **grouped({**options, "resume": True}))
