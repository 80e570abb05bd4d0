"""
Topics of texts
===============

In a shell::

    python topics.py                         # of the documentation on this machine
    python topics.py news.txt                # of your own texts: a document on each line
    python topics.py news.csv --field text   # or .tsv, .jsonl, or a folder of .txt files

It prints the topics: the heaviest terms of each, and the documents that have most of it. Without
a file it reads the docstrings of Python and of its scientific packages that are installed: real
texts that are on every machine, so that nothing has to be fetched. The command `sparsenmf topics`
does the same for files.

Needs scikit-learn for the weights: pip install "sparsenmf[text]"; with matplotlib it also
draws a map of the topics, topics.png.
"""

# %%
# Prepare
# -------
# Other examples import what follows: they take the same texts.

import argparse
import ast
import importlib.util
import os
import re
import sys
import sysconfig
import time
import warnings
from pathlib import Path

from sparsenmf import find_topics, plots, read_texts
from sparsenmf.topics.tables import format_topics

try:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
except ImportError:
    sys.exit('This example needs scikit-learn: pip install "sparsenmf[text]"')

PACKAGES = ("numpy", "scipy", "sklearn", "numba", "pandas", "matplotlib", "networkx", "statsmodels")

# Tests, other people's code, and tables rather than programs.
SKIPPED_FOLDERS = """test tests testing _testing site-packages dist-packages __pycache__ _lib
_vendor _vendored externals ensurepip encodings idlelib lib2to3 pydoc_data turtledemo"""

DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

# Words that docstrings use whatever they are about, with and without an s.
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

# %%
# A corpus from docstrings
# ------------------------
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
                    warnings.simplefilter("ignore")  # warnings about their invalid escapes
                    tree = ast.parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError):  # for another Python, null bytes
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


# %%
# From texts to topics
# --------------------
# `find_topics` counts words, weighs them by tf-idf and factorizes the matrix of texts x terms,
# which stays sparse. W says how much of each topic is in a text, H how much of each term is in a
# topic.


def read(args):
    """Return titles, texts and the words to leave out: of the files, or of docstrings."""
    if args.files:
        titles, texts = read_texts(args.files, args.field)
        return titles, texts, ENGLISH_STOP_WORDS
    print("Reading the documentation of Python and its scientific packages ...", flush=True)
    titles, texts = read_documentation()
    words = DOCSTRING_WORDS.split()
    return titles, texts, [*ENGLISH_STOP_WORDS, *words, *(word + "s" for word in words)]


def run(args):
    """Read, find topics, print them, and draw a map."""
    started = time.perf_counter()
    titles, texts, stop_words = read(args)
    done_reading = time.perf_counter()
    topics = find_topics(
        texts,
        args.n_topics,
        titles=titles,
        stop_words=stop_words,
        random_state=args.seed,
        progress=args.progress,
    )
    done = time.perf_counter()

    model = topics.model
    print(f"{model.n_samples:,} documents x {model.n_features:,} terms\n")
    print(format_topics(topics.topic_table(args.n_terms)))
    fit = model.time_history[-1]
    weighing = done - done_reading - fit
    print(
        f"Reading took {done_reading - started:.1f} s, tf-idf (and compiling, the first time on a "
        f"machine) {weighing:.1f} s,\nthe factorization {fit:.2f} s."
    )
    print(f"The relative error is {model.relative_error:.4f}.\n")
    print(model)
    if args.report is not None:
        about = "your texts" if args.files else "the documentation of Python"
        topics.report(args.report, title=f"Topics of {about}")
        print(f"\nWritten: {args.report}, a page for your browser.")
    if args.save is not None:
        model.save(args.save)
        print(f"\nSaved: sparsenmf.Factorization.load({str(args.save)!r}) brings it back.")
    draw(model, topics.terms)


# %%
# A map
# -----
# Topics that share terms lie close together; areas are shares of the whole.


def draw(model, terms):
    """Draw the topics in the plane, where matplotlib is installed."""
    try:
        ax = plots.plot_topic_map(model, terms)
    except ImportError as error:
        print(f"\nNo picture: {error}")
    else:
        ax.figure.savefig("topics.png", dpi=150)
        print("\nPicture: topics.png")


# %%
# The command line
# ----------------


def main():
    """Read the command line, run, and say in one line what is wrong with it."""
    parser = argparse.ArgumentParser(description="Find the topics of texts.")
    add = parser.add_argument
    add("files", nargs="*", metavar="FILE", help="texts (docstrings of this machine)")
    add("--field", metavar="NAME", help="column of a .csv or .tsv, or field of a .jsonl file")
    add("--n-topics", type=int, default=20, metavar="N", help="topics to find (20)")
    add("--n-terms", type=int, default=8, metavar="N", help="terms to print of each topic (8)")
    add("--seed", type=int, default=0, metavar="N", help="another seed, another start (0)")
    add("--report", type=Path, metavar="FILE", help="write a page about the topics here, as .html")
    add("--save", type=Path, metavar="FILE", help="write the factorization here, as .npz")
    add("--progress", action="store_true", help="show a progress bar")
    args = parser.parse_args()
    try:
        run(args)
    except (OSError, ValueError) as error:  # sparsenmf's own messages are made to be read
        parser.error(str(error))


if __name__ == "__main__":
    main()
