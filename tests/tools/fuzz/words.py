"""Texts, tables and command lines that nobody would write."""

import contextlib
import json
import os

from sparsenmf import read_texts, read_vocabulary

from .cases import attempt, case, check, often, pick
from .damage import damage
from .files import small_matrix, write_matrix

PIECES = (
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b'"',
    b"'",
    b",",
    b"\t",
    b";",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"\\",
    b"\\ud800",
    b"\\u0000",
    b"a" * 5000,
    b"body",
    b"id",
    b" ",
    "鯨".encode(),
    "\u2028".encode(),
    "\x85".encode(),
    b"\x1c",
    b"null",
    b"1e999",
    b"9" * 5000,
    b"[" * 3000,
    b'{"body":',
    b'"text"',
    b"NaN",
    b"\x1b[31m",
    b"=cmd()",
    "\U0001f40b".encode(),
)

NAMES = ("a.txt", "a.csv", "a.tsv", "a.jsonl", "a")


def words(rng):
    """Return bytes that are nearly a text."""
    n = int(rng.integers(0, 40))
    return b"".join(pick(rng, PIECES) for _ in range(n))


def table(rng, name):
    """Return the bytes of a proper file with fields."""
    rows = [{"id": i, "body": f'text {i}, "so" to say\nand on'} for i in range(5)]
    if name.endswith(("csv", "tsv")):
        mark = "\t" if name.endswith("tsv") else ","
        lines = [mark.join(["id", "body"]), *(f'{i}{mark}"text {i}, ""so""\non"' for i in range(5))]
        return "\n".join(lines).encode()
    return "\n".join(map(json.dumps, rows)).encode()


@case
def texts(rng, folder):
    """`read_texts` and `read_vocabulary`: strings that can be written and printed."""
    name = pick(rng, NAMES)
    content = words(rng) if often(rng, 0.5) else damage(rng, table(rng, name))
    path = folder / name
    path.write_bytes(content)
    field, title = pick(rng, (None, "body", "id", "", "\0")), pick(rng, (None, "id", "nothing"))
    done, found = attempt(lambda: read_texts(path, field, title), str(path))
    named, vocabulary = attempt(lambda: read_vocabulary(path), str(path))
    check(not named or all(isinstance(term, str) for term in vocabulary), vocabulary)
    if not done:
        return "refused"
    titles, bodies = found
    check(len(titles) == len(bodies), titles)
    for text in (*titles, *bodies):
        text.encode()
        check("\0" not in text, text)
    check(all("\n" not in title and len(title) <= 100 for title in titles), titles)
    return "right"


VALUES = (
    "",
    "0",
    "-1",
    "2",
    "99",
    "1e99",
    "nan",
    "inf",
    "9" * 400,
    "x",
    "\udcff",
    "é",
    "a\nb",
    "--",
    "-",
    "/",
    "/dev/null",
    "nowhere/x.csv",
    "X.npz",
    "X.mtx",
    "terms.txt",
    "notes.txt",
    "out.csv",
    "out.npy",
    "out.npz",
    "frobenius",
    "kullback-leibler",
    "1.5",
    "text",
    "json",
    "none",
    "0.5",
    "store",
    "out.html",
    ".",
)

FLAGS = (
    "-k",
    "--topics",
    "--components",
    "--loss",
    "--tol",
    "--max-iter",
    "--seed",
    "--threads",
    "--vocabulary",
    "--terms",
    "--documents",
    "--save",
    "--report",
    "--topic-table",
    "--document-table",
    "--min-df",
    "--max-df",
    "--stop-words",
    "--ngrams",
    "--max-terms",
    "--field",
    "--output",
    "--format",
    "--verify",
    "--append",
    "--overwrite",
    "--dtype",
    "--counts",
    "--all-topics",
    "--help",
    "--init",
    "--missing",
)


@case
def command(rng, folder):
    """The command: exit code 0, 1 or 2, and never a traceback."""
    from click.testing import CliRunner

    from sparsenmf.cli import group

    write_matrix(folder / "X.npz", small_matrix(), "csr")
    write_matrix(folder / "X.mtx", small_matrix(), "coordinate")
    (folder / "notes.txt").write_text("the cat sat\nstocks fell again\nthe cat fell\n" * 4)
    (folder / "terms.txt").write_bytes(words(rng) if often(rng, 0.5) else b"a\nb\nc\nd\ne\nf\ng\n")
    if often(rng, 0.3):
        path = folder / pick(rng, ("X.npz", "X.mtx", "notes.txt"))
        path.write_bytes(damage(rng, path.read_bytes()))
    words_ = [pick(rng, ("topics", "factorize", "transform", "info", "store", ""))]
    words_ += [pick(rng, ("X.npz", "X.mtx", "notes.txt", "-"))]
    for _ in range(pick(rng, (0, 0, 1, 1, 2, 4))):
        words_ += [pick(rng, FLAGS)] if often(rng, 0.4) else [pick(rng, FLAGS), pick(rng, VALUES)]
    words_ += [pick(rng, VALUES)] if often(rng, 0.4) else []
    words_ += ["--max-iter", "2", "--min-df", "1"] if words_[0] == "topics" else []
    words_ += ["-k", "2", "--max-iter", "2"] if words_[0] == "factorize" else []
    words_ += ["store"] if words_[0] == "store" and often(rng, 0.8) else []
    with working_in(folder):
        result = CliRunner().invoke(group, words_, input=words(rng) if often(rng, 0.5) else b"")
    check(result.exit_code in (0, 1, 2), words_, result.exit_code, result.exception)
    error = result.exception
    check(error is None or isinstance(error, SystemExit), words_, repr(error))
    if result.exit_code == 1:
        check(
            result.stderr.startswith("Error: ") or "\nError: " in result.stderr,
            words_,
            result.stderr,
        )
    return "right" if result.exit_code == 0 else "refused"


@contextlib.contextmanager
def working_in(folder):
    """As `contextlib.chdir`, which Python has had since 3.11."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
