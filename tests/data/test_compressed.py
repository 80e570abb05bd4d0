"""Compressed files are read as what they hold; damaged ones are named."""

import bz2
import gzip
import lzma

import pytest

from sparsenmf.data.compressed import open_plain, plain_suffix

TEXT = b"one text\nanother\n" * 1000


def zstd(data):
    return pytest.importorskip("zstandard").compress(data)


COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd}


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("named", [True, False])
def test_what_a_compressed_file_holds_is_read_whatever_its_name(suffix, named, tmp_path):
    path = tmp_path / ("notes.txt" + (suffix if named else ""))
    path.write_bytes(COMPRESS[suffix](TEXT))
    with open_plain(path) as file:
        assert file.read() == TEXT


@pytest.mark.parametrize("suffix", COMPRESS)
def test_files_in_several_parts_are_read_whole(suffix, tmp_path):
    path = tmp_path / f"notes.txt{suffix}"
    path.write_bytes(2 * COMPRESS[suffix](TEXT))
    with open_plain(path) as file:
        assert file.read() == 2 * TEXT


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_file_that_ends_too_early_is_named(suffix, tmp_path):
    path = tmp_path / f"notes.txt{suffix}"
    path.write_bytes(COMPRESS[suffix](TEXT)[:-12])
    with pytest.raises(ValueError, match=r"notes\.txt\S* is a damaged"), open_plain(path) as file:
        file.read()


def test_a_plain_file_is_read_as_it_is(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(TEXT)
    with open_plain(path) as file:
        assert file.read() == TEXT


def test_the_suffix_is_that_of_what_a_file_holds():
    assert plain_suffix("a/X.MTX.gz") == ".mtx"
    assert plain_suffix("X.csv") == ".csv"
    assert plain_suffix("X.zst") == ""
