"""Coverage-guided fuzzing of what reads files: bytes that reach new branches are kept and varied.

    python -m tests.tools.fuzz.guided KIND SECONDS

with a kind of `READERS`; needs `pip install atheris` (Linux or macOS). It complements the cases
of this package, which know the formats: this one knows nothing, but sees our branches. It stops
at the first input that is neither read nor refused by an error which names the file.
"""

import importlib
import sys
import tempfile
from pathlib import Path

from .cases import attempt, check_canonical
from .files import check_nothing_ran, matrix_bytes, model_bytes
from .worker import limit_memory

READERS = {
    "model": (".nmf", "Factorization"),
    "npz": (".npz", "read_matrix"),
    "npy": (".npy", "read_matrix"),
    "market": (".mtx", "read_matrix"),
    "lines": (".txt", "read_texts"),
    "records": (".jsonl", "read_texts"),
    "table": (".csv", "read_texts"),
}
"""By kind: the suffix of its files and the public name that reads them."""

TEXTS = {
    "lines": b"one text\nanother\n",
    "records": b'{"text": "one", "year": 1}\n{"text": "two"}\n',
    "table": b'text,year\n"one, or\ntwo",1\nthree,2\n',
}

WATCHED = ("data", "models.factorization", "topics")
"""Rooms and modules whose branches are seen: not the kernels, which numba reads."""


def read_function(kind):
    """Return the function of a path that reads a kind of files."""
    found = getattr(importlib.import_module("sparsenmf"), READERS[kind][1])
    options = {"field": "text"} if kind in ("records", "table") else {}
    return found.load if kind == "model" else lambda path: found(path, **options)


def instrumented(kind, atheris):
    """Return the same, of modules whose branches are seen."""
    watched = [f"sparsenmf.{module}" for module in WATCHED]
    for loaded in [name for name in sys.modules if name.split(".")[0] == "sparsenmf"]:
        del sys.modules[loaded]
    with atheris.instrument_imports(include=watched):
        return read_function(kind)


def seed(kind, folder):
    """Return the bytes of a file that is read as it should be."""
    suffix = READERS[kind][0]
    if kind == "model":
        return model_bytes(folder)
    return TEXTS[kind] if kind in TEXTS else matrix_bytes(folder / f"X{suffix}", "csr")


def main(kind, seconds):
    """Fuzz a reader for so many seconds."""
    import atheris

    read = instrumented(kind, atheris)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus, path = folder / "corpus", folder / f"input{READERS[kind][0]}"
        corpus.mkdir()
        (corpus / "seed").write_bytes(seed(kind, folder))

        def try_bytes(content):
            path.write_bytes(content)
            done, found = attempt(lambda: read(path), str(path), absurd=True)
            check_nothing_ran(folder)
            if done and hasattr(found, "indptr"):
                check_canonical(found)

        limit_memory()
        limits = [f"-max_total_time={seconds}", "-timeout=30", "-rss_limit_mb=0", "-max_len=4096"]
        atheris.Setup([sys.argv[0], *limits, str(corpus)], try_bytes)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
