"""Files that are no texts are recognised by what they begin with, and named."""

import io
import pickle
import sqlite3
import tarfile
import zipfile

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from sparsenmf import read_texts


def office(folder):
    def make(path):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("[Content_Types].xml", "<Types/>")
            archive.writestr(f"{folder}/document.xml", "<text/>")

    return make


def make_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "one\n")


def make_open_document(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")


def make_tar(path, mode="w"):
    with tarfile.open(path, mode) as archive:
        info = tarfile.TarInfo("notes.txt")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"one\n"))


def make_picture(kind):
    def make(path):
        plt = pytest.importorskip("matplotlib.image")
        pytest.importorskip("PIL")
        plt.imsave(path, np.random.default_rng(0).random((9, 9)), format=kind)

    return make


def make_parquet(path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": ["one"]}), path)


def make_feather(path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import feather

    feather.write_feather(pyarrow.table({"text": ["one"]}), path)


def make_database(path):
    connection = sqlite3.connect(path)
    connection.execute("create table notes (text)")
    connection.close()


def write(data):
    return lambda path: path.write_bytes(data)


BINARY = {
    "PDF": (write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"), "a PDF.*pdftotext"),
    "RTF": (write(rb"{\rtf1\ansi one}"), "an RTF"),
    "docx": (office("word"), "a docx document"),
    "xlsx": (office("xl"), r"an xlsx workbook.*should end in \.xlsx"),
    "pptx": (office("ppt"), "a pptx"),
    "odt": (make_open_document, "OpenDocument"),
    "doc": (write(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)), "an old Office file"),
    "zip": (make_zip, "a zip archive.*unpack it first"),
    "tar": (make_tar, "a tar archive.*unpack it first"),
    "tar.gz": (lambda path: make_tar(path, "w:gz"), "a tar archive"),
    "tar.xz": (lambda path: make_tar(path, "w:xz"), "a tar archive"),
    "png": (make_picture("png"), "a PNG image"),
    "jpeg": (make_picture("jpeg"), "a JPEG image"),
    "gif": (make_picture("gif"), "a GIF image"),
    "tiff": (make_picture("tiff"), "a TIFF image"),
    "webp": (write(b"RIFF\x24\0\0\0WEBPVP8 "), "a WebP image"),
    "bmp": (write(b"BM\x76\x02\0\0\0\0\0\0\x36\0"), "a BMP image"),
    "parquet": (make_parquet, r"a parquet file.*should end in \.parquet"),
    "feather": (make_feather, r"a feather file.*should end in \.feather"),
    "sqlite": (make_database, "an SQLite database"),
    "npy": (lambda path: path.write_bytes(npy()), "a NumPy array.*factorize"),
    "npz": (lambda path: sp.save_npz(path.open("wb"), sp.eye_array(3)), "a NumPy archive"),
    "mtx": (lambda path: scipy.io.mmwrite(path.open("wb"), sp.eye_array(3)), "MatrixMarket"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps([1.0, "one"])), "is not UTF-8|binary"),
    "numbers": (write(np.arange(999.0).tobytes()), "binary file"),
    "program": (write(b"\x7fELF\2\1\1" + bytes(99)), "binary file"),
}


def npy():
    file = io.BytesIO()
    np.save(file, np.eye(3))
    return file.getvalue()


@pytest.mark.parametrize("kind", BINARY)
@pytest.mark.parametrize("options", [{}, {"encoding": "latin-1"}, {"field": "text"}])
def test_a_file_that_is_no_text_is_refused_by_what_it_is(kind, options, tmp_path):
    make, message = BINARY[kind]
    path = tmp_path / "notes.txt"
    make(path)
    if kind == "pickle" and "encoding" in options:
        message = "NUL"  # of which a pickle has some
    with pytest.raises(ValueError, match=message) as caught:
        read_texts(path, **options)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["BMW builds cars", "PAR1 is a name", "RIFFs of guitars: WEBP", "II and MM", "Rare"]
)
def test_texts_that_begin_like_binary_files_are_texts(text, tmp_path):
    (tmp_path / "notes.txt").write_text(text)
    assert read_texts(tmp_path / "notes.txt")[1] == [text]
