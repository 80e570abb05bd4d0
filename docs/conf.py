"""How Sphinx builds the manual.

    python -m sphinx -W docs docs/_build/html                      # half a minute
    python -m sphinx -W -D plot_gallery=0 docs docs/_build/html    # without running examples

Nothing is fetched, neither when it is built nor when it is read: no other projects' indexes, no
fonts, and formulas are MathML, which browsers draw without a script.
"""

import re
import shutil
import sys
from pathlib import Path

import docutils.nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from matplotlib import pyplot
from sphinx.util import logging
from sphinx_gallery.scrapers import figure_rst

import sparsenmf

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # sphinx-gallery finds a function of this file by its name

import figures  # noqa: E402  (this folder has to be on the path first)

project = "sparsenmf"
author = "The sparsenmf developers"
copyright = f"2026, {author}"
release = version = sparsenmf.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_examples", "**/README.md"]
templates_path = ["_templates"]

# Pages.
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

# Docstrings. `name` is a link where it is a public name, and code where it is a parameter.
default_role = "py:obj"
autosummary_generate = True
autodoc_typehints = "none"  # numpydoc says the types
numpydoc_show_class_members = False  # the template of classes lists them
# These are names of the package, loaded when asked for, and no modules: autodoc looks for modules.
for _name in ("files", "plots", "typing"):
    sys.modules[f"sparsenmf.{_name}"] = getattr(sparsenmf, _name)

# Appearance.
html_theme = "furo"
html_title = f"sparsenmf {release}"
html_copy_source = False
html_math_renderer = "mathml"

# Figures of the guide are what the code of their pages saves.
figures.make()

# Examples draw into the folder they lie in: they are run where that does no harm.
_examples = HERE / "_examples"
shutil.rmtree(_examples, ignore_errors=True)
shutil.copytree(
    HERE.parent / "examples", _examples, ignore=shutil.ignore_patterns("README.md", "__pycache__")
)
(_examples / "GALLERY_HEADER.rst").write_text(
    "Examples\n========\n\n"
    "Each takes seconds and fetches nothing. Run them as they are, or cell by cell in an editor.\n"
)
sphinx_gallery_conf = {
    "examples_dirs": "_examples",
    "gallery_dirs": "examples",
    # Those that take a second or two are run by default, and all that can be for what is published.
    "filename_pattern": r"[\\/](counts|own_loop|recommender|single_cell|spectrogram)\.py$",
    "image_scrapers": "conf.take_pictures",
    "ignore_pattern": r"pictures[\\/]",
    "within_subsection_order": "FileNameSortKey",
    "reference_url": {"sparsenmf": None},
    "backreferences_dir": "_backreferences",
    "doc_module": ("sparsenmf",),
    "show_memory": False,
    "write_computation_times": False,
    "download_all_examples": False,
    "remove_config_comments": True,
}


def take_pictures(block, block_vars, gallery_conf):
    """Show the pictures that a cell of an example has saved in its folder."""
    folder = Path(block_vars["src_file"]).parent
    names = []
    for picture in sorted(folder.glob("*.png")):
        names.append(next(block_vars["image_path_iterator"]))
        shutil.move(picture, names[-1])
    pyplot.close("all")
    return figure_rst(names, gallery_conf["src_dir"])


def draw_formula(writer, node):
    """Write a formula as MathML; one that docutils cannot convert is a warning."""
    block = isinstance(node, docutils.nodes.math_block)
    try:
        formula = tex2mathml(node.astext(), as_block=block)
    except MathError as error:
        logging.getLogger(__name__).warning("%s in %s", error, node.astext(), location=node)
        formula = ""
    writer.body.append(f'<div style="padding: 0.5em 0">{formula}</div>' if block else formula)
    raise docutils.nodes.SkipNode


def complete_links(app, path, page, content):
    """Let links of a file that a page includes lead where they lead from its own folder."""
    root = "https://github.com/sparsenmf/sparsenmf/blob/main/"
    relative = r"\]\((?!https?:|#)(docs/)?"
    content[0] = re.sub(relative, lambda link: "](" + ("" if link[1] else root), content[0])


def skip_foreign(app, what, name, member, skip, options):
    """Leave out what a class has from scikit-learn, whose manual explains it."""
    home = getattr(member, "__module__", None) or ""
    return True if what == "class" and home.partition(".")[0] == "sklearn" else None


def setup(app):
    """Register what is above."""
    app.add_html_math_renderer("mathml", (draw_formula, None), (draw_formula, None))
    app.connect("include-read", complete_links)
    app.connect("autodoc-skip-member", skip_foreign)
