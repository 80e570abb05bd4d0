"""Find the topics of a collection of documents.

    python topics.py                  # the documentation of Python and its scientific packages
    python topics.py notes.txt        # a text file: each line is a document
    python topics.py letters/         # a folder: each .txt file in it is a document
    python topics.py counts.npz --vocabulary terms.txt    # a matrix of documents x terms

It weighs the words of each document by tf-idf, factorizes the sparse matrix of
documents x terms into W @ H, and prints the rows of H as topics: their heaviest terms,
and the documents that have most of them.

Needs scikit-learn for the weights: pip install "sparsenmf[text]"
"""

import argparse
import ast
import importlib.util
import os
import re
import sys
import sysconfig
import textwrap
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse as sp

import sparsenmf

try:
    from sklearn.feature_extraction import text as sklearn_text
except ImportError:
    sys.exit('This example needs scikit-learn: pip install "sparsenmf[text]"')

WIDTH = 100  # columns of the output

PACKAGES = ("numpy", "scipy", "sklearn", "numba", "pandas", "matplotlib", "networkx", "statsmodels")

# Tests, other people's code, and tables rather than programs.
SKIPPED_FOLDERS = """test tests testing _testing site-packages dist-packages __pycache__ _lib
_vendor _vendored externals ensurepip encodings idlelib lib2to3 pydoc_data turtledemo"""

DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

# What docstrings say whatever they are about: these words, with and without an s.
DOCSTRING_WORDS = """addition allow api appended arg argument array assumed attribute available
based bool boolean call called calling case check class classes compute considered contain
containing converted corresponding create created current data default defined deprecated described
detail different directly documentation does element equal equivalent error example false float
following function give given guide ignored implementation implicitly including information input
instance instead int integer interface just learn length like list make mean method module
multiplication name named ndarray necessary need new non note numba number numpy object optional
original output pandas parameter pass passed perform possible provide provided python raise raised
refer represent represented result resulting return returned returning running scalar scikit scipy
self set shape single sklearn specific specified start str string substitute support supported taken
transform treated true tuple type underlying use used useful user using valid value way wise zero"""

# The prose of a docstring ends where its first section begins. The lists of parameters
# after it are so much alike that they would be the topics.
SECTION = re.compile(
    r"(?m)^(Parameters|Args|Arguments|Attributes|Methods|Returns|Yields|Raises|Usage|See Also"
    r"|Notes?|Warnings?|References|Examples?):?[ ]*$"
)

# Doctests, directives, fields (:param x:), roles (:class:`x`) and links.
MARKUP = re.compile(
    r"(?m)^[ ]*(>>>|[.][.][ .]|:\w).*$|Read\s+more\s+in\s+the\s+:ref:`[^`]*`|:\w+:(?=`)|https?://\S+"
)


def read_documentation(min_words=15):
    """Return titles and texts: what the docstrings of Python and of PACKAGES say.

    The files are parsed, not imported, so nothing of them runs.
    """
    folders = {"": sysconfig.get_paths()["stdlib"]}
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is not None:
            folders[package] = spec.submodule_search_locations[0]
    corpus = {}  # text -> title, so that a text is there once
    for package, folder in folders.items():
        for path in source_files(folder):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of their invalid escapes
                    tree = ast.parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError):  # of another Python, null bytes
                continue
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            module = ".".join(part for part in parts if part not in ("", "__init__"))
            for title, docstring in docstrings(tree, module):
                prose = MARKUP.sub("", SECTION.split(docstring)[0])
                if len(prose.split()) >= min_words:
                    corpus.setdefault(prose, title)
    return list(corpus.values()), list(corpus)


def source_files(folder):
    """Yield the .py files below a folder in a fixed order."""
    for parent, children, names in os.walk(folder):
        children[:] = sorted(set(children) - set(SKIPPED_FOLDERS.split()))  # where walk goes on
        for name in sorted(names):
            if name.endswith(".py") and not name.startswith(("test_", "conftest")):
                yield Path(parent, name)


def docstrings(node, name):
    """Yield names and docstrings: of a module, class or function, and of what is public in it."""
    yield name, ast.get_docstring(node) or ""
    for child in node.body:
        if isinstance(child, DEFINITIONS) and not re.match(r"_(?!_)", child.name):
            yield from docstrings(child, f"{name}.{child.name}")


def read_texts(path):
    """Return titles and texts of a file with a document per line, or a folder of .txt files."""
    if path.is_dir():
        files = sorted(path.rglob("*.txt"))
        if not files:
            raise ValueError(f"no .txt files in {path}")
        texts = ["\n".join(read_lines(file)) for file in files]
        return [str(file.relative_to(path)) for file in files], texts
    texts = [line for line in read_lines(path) if line.strip()]
    return texts, texts


def read_lines(path):
    """Return the lines of a text file."""
    # "-sig": editors on Windows put a mark at the beginning of the file.
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        return [line.rstrip("\n") for line in file]


def read_matrix(path, vocabulary):
    """Return a matrix of documents x terms, and its terms."""
    try:
        X = sp.csr_array(sp.load_npz(path) if path.suffix == ".npz" else scipy.io.mmread(path))
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a sparse matrix: {error}") from error
    terms = read_lines(vocabulary)
    if len(terms) != X.shape[1]:
        raise ValueError(f"{vocabulary} has {len(terms)} terms, but {path} {X.shape[1]} columns")
    X.eliminate_zeros()
    if X.nnz == 0:
        raise ValueError(f"{path} is all zero")
    return X, terms


def weigh_texts(texts, min_df, stop_words):
    """Return the tf-idf matrix of documents x terms, and the terms."""
    if len(texts) < 2 * min_df:
        raise ValueError(f"{len(texts)} documents are too few for --min-df {min_df}")
    vectorizer = sklearn_text.TfidfVectorizer(
        stop_words=[*sklearn_text.ENGLISH_STOP_WORDS, *stop_words],
        token_pattern=r"\b[^\W\d_]{3,}\b",  # words of three letters or more
        min_df=min_df,
        max_df=0.5,  # words of every other document say nothing about one of them
        sublinear_tf=True,
        dtype=np.float32,
    )
    return vectorizer.fit_transform(texts), vectorizer.get_feature_names_out()


def weigh_counts(X):
    """Return tf-idf weights if X holds counts, else X as it is."""
    if (X.data > 0).all() and (X.data % 1 == 0).all():
        return sklearn_text.TfidfTransformer(sublinear_tf=True).fit_transform(X.astype(np.float32))
    return X


def print_topics(model, terms, titles, n_terms):
    """Print each topic's share, heaviest terms and most typical documents."""
    # The sum of W[i, r] * H[r]: unlike W itself, it can be compared between topics.
    mass = model.W * model.H.sum(axis=1)
    shares = mass.sum(axis=0) / mass.sum()
    # Typical of a topic is a document that has much of it, and little of the others.
    typical = model.W * mass / np.maximum(mass.sum(axis=1, keepdims=True), 1e-30)
    for r, top_terms in enumerate(model.top_terms(terms, n_terms)):
        head = f"{r + 1:3d}. {shares[r]:6.1%}  "
        indent = " " * len(head)
        lines = textwrap.wrap(", ".join(top_terms), WIDTH - len(head))
        print(head + f"\n{indent}".join(lines))
        for i in np.argsort(-typical[:, r], kind="stable")[:2]:
            if typical[i, r] > 0:
                print(indent + shorten(f"- {titles[i]}", WIDTH - len(indent)))
        print()


def shorten(text, width):
    """Return the text on one line of at most this width."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."


def run(args):
    """Read, weigh, factorize and print."""
    is_matrix = args.path is not None and args.path.suffix in (".npz", ".mtx")
    if is_matrix and args.vocabulary is None:
        raise ValueError(f"{args.path} needs a --vocabulary, a file with one term per line")
    if args.vocabulary is not None and not is_matrix:
        raise ValueError("--vocabulary is for a .npz or .mtx matrix only")
    times = [time.perf_counter()]
    if is_matrix:
        X, terms = read_matrix(args.path, args.vocabulary)
        titles = [f"row {i}" for i in range(X.shape[0])]
    elif args.path is not None:
        titles, texts = read_texts(args.path)
    else:
        print("Reading the documentation of Python and its scientific packages ...", flush=True)
        titles, texts = read_documentation()
    times.append(time.perf_counter())
    if is_matrix:
        X = weigh_counts(X)
    else:
        words = DOCSTRING_WORDS.split() if args.path is None else []
        stop_words = words + [word + "s" for word in words]
        X, terms = weigh_texts(texts, args.min_df, stop_words)
    n, m = X.shape
    print(f"{n:,} documents x {m:,} terms, {X.nnz:,} entries ({X.nnz / n / m:.2%})\n", flush=True)
    times.append(time.perf_counter())
    model = sparsenmf.factorize(X, args.n_topics, random_state=args.seed, progress=args.progress)
    times.append(time.perf_counter())

    print_topics(model, terms, titles, args.n_terms)
    read, weigh, fit = np.diff(times)
    print(f"Reading took {read:.1f} s, tf-idf {weigh:.1f} s, the factorization {fit:.1f} s")
    print("(the first time on a machine that includes compiling it).")
    print(f"The relative error is {model.relative_error:.4f}.\n")
    print(model)
    if args.save is not None:
        model.save(args.save)
        print(f"\nSaved: sparsenmf.Factorization.load({str(args.save)!r}) brings it back.")


def main():
    """Read the command line, run, and say in one line what is wrong with the input."""
    parser = argparse.ArgumentParser(description="Find the topics of a collection of documents.")
    add = parser.add_argument
    sources = "text file with a document per line, folder of .txt files, or .npz or .mtx matrix "
    sources += "of documents x terms (default: the docstrings on this machine)"
    add("path", nargs="?", type=Path, help=sources)
    add("--vocabulary", type=Path, metavar="FILE", help="terms of a matrix, one per line")
    add("--n-topics", type=int, default=20, metavar="N", help="topics to find (20)")
    add("--n-terms", type=int, default=8, metavar="N", help="terms to print of each topic (8)")
    add("--min-df", type=int, default=5, metavar="N", help="drop words of fewer documents (5)")
    add("--seed", type=int, default=0, metavar="N", help="another seed, another start (0)")
    add("--save", type=Path, metavar="FILE", help="write the factorization here, as .npz")
    add("--progress", action="store_true", help="show a progress bar")
    args = parser.parse_args()
    sys.stdout.reconfigure(errors="replace")  # titles may have what the terminal has not
    try:
        run(args)
    except (OSError, ValueError) as error:  # sparsenmf's own messages are made to be read
        parser.error(str(error))


if __name__ == "__main__":
    main()
