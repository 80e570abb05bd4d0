"""Files whose lines end as on Windows are read as any others."""

from pathlib import Path

import numpy as np
import pytest

import sparsenmf

from .reading.files import FILES

LINES = sorted(name for name in FILES if name.endswith((".mtx", ".csv", ".CSV", ".tsv", ".txt",
               ".svmlight", ".libsvm", ".ldac", ".dat")))  # fmt: skip


def end_lines(path, end):
    content = path.read_bytes().replace(b"\r\n", b"\n")
    path.write_bytes(content.replace(b"\n", end))


@pytest.mark.parametrize("name", [*LINES, "v2"])
def test_matrices_whose_lines_end_as_on_windows_are_the_same(name, tmp_path):
    found = []
    for end in (b"\n", b"\r\n"):
        path = tmp_path / f"lines of {len(end)}" / name
        path.parent.mkdir()
        FILES[name][0](path)
        for file in filter(Path.is_file, path.parent.rglob("*")):
            end_lines(file, end)
        found.append(sparsenmf.read_matrix(path))
        store = sparsenmf.write_csr(path.parent / "store", path)
        assert store.nnz == getattr(found[-1], "X", found[-1]).nnz
    one, other = (getattr(X, "X", X) for X in found)
    assert np.array_equal(one.toarray(), other.toarray())
    for names in ("feature_names", "sample_names"):
        one, other = (getattr(X, names, None) for X in found)
        assert (one is None and other is None) or list(one) == list(other)


TEXTS = {
    "a.txt": "größe\n\nthe cat\nlast",
    "a.csv": 'title,text\none,"the cat\nsat"\ntwo,größe\n',
    "a.tsv": "title\ttext\none\tthe cat\ntwo\tgröße\n",
    "a.jsonl": '{"title": "one", "text": "größe"}\n{"title": "two", "text": "cat"}\n',
    "words.txt": "größe\ncat\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_whose_lines_end_as_on_windows_are_the_same(name, tmp_path):
    found = []
    for end in (b"\n", b"\r\n"):
        path = tmp_path / name
        path.write_bytes(TEXTS[name].encode().replace(b"\n", end))
        if name == "words.txt":
            found.append(sparsenmf.read_vocabulary(path))
            continue
        fields = {} if name == "a.txt" else {"field": "text", "title_field": "title"}
        titles, texts = sparsenmf.read_texts(path, **fields)
        found.append((titles, [" ".join(text.split()) for text in texts]))
    assert found[0] == found[1]
    assert "\r" not in str(found)
