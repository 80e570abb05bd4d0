"""Damaged and cut files: one line that names the file, what is wrong, and what to do."""

import bz2
import gzip
import io
import lzma
import zipfile

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from sparsenmf import (
    Checkpoint,
    Factorization,
    factorize,
    find_topics,
    read_matrix,
    read_vocabulary,
)
from sparsenmf.data.damage import describe_damage
from sparsenmf.data.texts import read_texts
from sparsenmf.topics.finding import Topics

COUNTS = np.random.default_rng(0).poisson(1, (60, 40)).astype(float)
TEXTS = [f"the cat {i} sat" for i in range(300)]


def frame(write):
    """Return the bytes of a frame of counts, in a format of pandas."""

    def make(folder):
        pd = pytest.importorskip("pandas")
        getattr(pd.DataFrame(COUNTS).add_prefix("g"), f"to_{write}")(file := io.BytesIO())
        return file.getvalue()

    return make


def h5ad(folder):
    anndata = pytest.importorskip("anndata")
    anndata.AnnData(sp.csr_matrix(COUNTS)).write_h5ad(folder / "whole.h5ad")
    return (folder / "whole.h5ad").read_bytes()


def npz(folder):
    sp.save_npz(file := io.BytesIO(), sp.csr_array(COUNTS))
    return file.getvalue()


def npy(folder):
    np.save(file := io.BytesIO(), COUNTS)
    return file.getvalue()


def mtx(folder):
    scipy.io.mmwrite(file := io.BytesIO(), sp.coo_array(COUNTS))
    return file.getvalue()


def zipped(folder):
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.mtx", mtx(folder))
    return file.getvalue()


def table(write):
    def make(folder):
        pd = pytest.importorskip("pandas")
        getattr(pd.DataFrame({"text": TEXTS}), f"to_{write}")(file := io.BytesIO())
        return file.getvalue()

    return make


def lines(folder):
    return "\n".join(TEXTS).encode()


def saved(folder):
    factorize(COUNTS, 2, max_iter=2).save(folder / "whole")
    return (folder / "whole").read_bytes()


def saved_texts(folder):
    pytest.importorskip("sklearn")
    found = find_topics(TEXTS, n_topics=1, min_df=1, max_df=1.0, max_iter=2)
    found.save(folder / "whole")
    return (folder / "whole").read_bytes()


def checkpoint(folder):
    factorize(COUNTS, 2, max_iter=2, checkpoint=Checkpoint(folder / "whole", every=1))
    return (folder / "whole").read_bytes()


def resume(path):
    return factorize(COUNTS, 2, max_iter=3, checkpoint=Checkpoint(path, resume=True))


FILES = {
    "X.npz": (npz, read_matrix),
    "X.npz.gz": (lambda folder: gzip.compress(npz(folder)), read_matrix),
    "X.npy": (npy, read_matrix),
    "X.mtx": (mtx, read_matrix),
    "X.mtx.gz": (lambda folder: gzip.compress(mtx(folder)), read_matrix),
    "X.mtx.xz": (lambda folder: lzma.compress(mtx(folder)), read_matrix),
    "X.mtx.bz2": (lambda folder: bz2.compress(mtx(folder)), read_matrix),
    "X.zip": (zipped, read_matrix),
    "X.parquet": (frame("parquet"), read_matrix),
    "X.feather": (frame("feather"), read_matrix),
    "X.xlsx": (frame("excel"), read_matrix),
    "X.h5ad": (h5ad, read_matrix),
    "X.h5ad.gz": (lambda folder: gzip.compress(h5ad(folder)), read_matrix),
    "t.parquet": (table("parquet"), lambda path: read_texts([path], "text")),
    "t.feather": (table("feather"), lambda path: read_texts([path], "text")),
    "t.xlsx": (table("excel"), lambda path: read_texts([path], "text")),
    "t.txt.gz": (lambda folder: gzip.compress(lines(folder)), lambda path: read_texts([path])),
    "t.txt.xz": (lambda folder: lzma.compress(lines(folder)), lambda path: read_texts([path])),
    "t.zip": (zipped, lambda path: read_texts([path])),
    "terms.txt.gz": (lambda folder: gzip.compress(lines(folder)), read_vocabulary),
    "model.npz": (saved, Factorization.load),
    "topics.npz": (saved_texts, Topics.load),
    "state": (checkpoint, resume),
}

CHECKED = (".gz", ".xz", ".bz2", ".npz", ".xlsx", "state")
"""Files with a checksum of all that is in them, so that any damage shows."""

ADVICE = ("copy or download it again", "take another copy of it, or save it again")


def refuse(path, read):
    """Read a file that is not whole; return the error's message."""
    with pytest.raises(ValueError, match=r"damaged|cut off|empty") as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path} ")
    assert message.count(str(path)) == 1
    assert message.isprintable(), "one line, without what a terminal cannot show"
    assert any(advice in message for advice in ADVICE)
    return message


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_is_refused(name, tmp_path):
    make, read = FILES[name]
    whole, path = make(tmp_path), tmp_path / name
    for length in (len(whole) // 20, len(whole) // 2, len(whole) * 9 // 10, len(whole) - 40):
        path.write_bytes(whole[:length])
        refuse(path, read)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(CHECKED)])
def test_a_file_with_a_changed_part_is_refused(name, tmp_path):
    make, read = FILES[name]
    whole, path = bytearray(make(tmp_path)), tmp_path / name
    for place in (len(whole) * 4 // 10, len(whole) * 6 // 10):
        damaged = whole.copy()
        damaged[place : place + 12] = bytes(255 - byte for byte in whole[place : place + 12])
        path.write_bytes(damaged)
        refuse(path, read)


@pytest.mark.parametrize("name", [*FILES][:12])
def test_a_whole_file_is_read_or_told_how(name, tmp_path):
    make, read = FILES[name]
    (tmp_path / name).write_bytes(make(tmp_path))
    if name == "X.zip":
        with pytest.raises(ValueError, match=r"it is a zip archive: type first: unzip .*X\.zip"):
            read(tmp_path / name)
    else:
        np.testing.assert_array_equal(read(tmp_path / name).toarray(), COUNTS)


@pytest.mark.parametrize("name", ["X.npz", "X.npy", "X.parquet", "X.xlsx", "X.h5ad", "X.zip"])
def test_an_empty_file_is_named_as_such(name, tmp_path):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=f"{name} .*: it is empty: copy or download it again"):
        read_matrix(tmp_path / name)


def test_what_is_no_damage_is_said_in_its_own_words():
    def raised(error):
        try:
            raise error
        except type(error) as caught:
            return describe_damage(caught)

    assert raised(FileNotFoundError(2, "No such file", "beside.tsv")).endswith("'beside.tsv'")
    assert raised(MemoryError("no room")) == "no room"
    assert raised(EOFError("Ran out")) == "it is cut off (Ran out): copy or download it again"
    assert "damaged, cut off or of another format (name)" in raised(KeyError("name"))
    assert len(raised(RuntimeError("x\n\x00" * 999))) < 250
