"""How Sphinx builds the manual.

    python -m sphinx -W docs docs/_build/html                      # all of it
    python -m sphinx -W -D plot_gallery=0 docs docs/_build/html    # without running the examples

Nothing is fetched, neither when it is built nor when it is read: no other projects' indexes, no
fonts, and formulas are MathML, which browsers draw without a script.
"""

import os
import shutil
import sys
from pathlib import Path

import docutils.nodes
from docutils.utils.math.latex2mathml import tex2mathml

import sparsenmf

HERE = Path(__file__).resolve().parent

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
html_theme_options = {
    "source_repository": "https://github.com/sparsenmf/sparsenmf/",
    "source_branch": "main",
    "source_directory": "docs/",
}
html_math_renderer = "mathml"

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
    # Those that take longest, or look at what is installed, are shown and not run.
    "filename_pattern": r"[\\/](?!choosing_k|on_a_cluster|larger_than_memory|topics)\w+\.py$",
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
os.environ["SPARSENMF_NUM_THREADS"] = "1"  # the output does not depend on it; it is a busy machine


def draw_inline(writer, node):
    """Write a formula within a line as MathML."""
    writer.body.append(tex2mathml(node.astext()))
    raise docutils.nodes.SkipNode


def draw_block(writer, node):
    """Write a formula on lines of its own as MathML."""
    writer.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise docutils.nodes.SkipNode


def skip_foreign(app, what, name, member, skip, options):
    """Leave out what a class has from scikit-learn, whose manual explains it."""
    home = getattr(member, "__module__", None) or ""
    return True if what == "class" and home.partition(".")[0] == "sklearn" else None


def setup(app):
    """Register what is above."""
    app.add_html_math_renderer("mathml", (draw_inline, None), (draw_block, None))
    app.connect("autodoc-skip-member", skip_foreign)
