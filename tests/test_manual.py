"""The manual is whole, and asks for nothing from elsewhere when it is built or read."""

import re
import subprocess
import sys

import pytest

from .children import ROOT

DOCS = ROOT / "docs"
PAGES = [path for path in DOCS.rglob("*.md") if "_build" not in path.parts]
GENERATED = {"examples/index"}  # by sphinx-gallery


def test_contents_list_every_page():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = index.split("```{toctree}")[1].split("```")[0].split("\n\n")[1].split()
    assert {path.stem for path in DOCS.glob("*.md")} - {"index"} <= set(listed)
    assert "guide/index" in listed
    assert set(listed) >= GENERATED


def formulas(text):
    """Return the formulas of a page."""
    text = re.sub(r"^(`{3,}).*?^\1|`[^`\n]+`", "", text, flags=re.MULTILINE | re.DOTALL)
    return [a or b for a, b in re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", text, re.DOTALL)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_formulas_can_be_drawn_without_a_script(path):
    mathml = pytest.importorskip("docutils.utils.math.latex2mathml")
    for formula in formulas(path.read_text(encoding="utf-8")):
        assert "<math" in mathml.tex2mathml(formula)


def test_formulas_are_found():
    assert formulas("$a$ and `$b$`\n\n$$\nc\n$$\n```bash\n$d $e\n```\n") == ["a", "\nc\n"]
    assert len(formulas((DOCS / "how-it-works.md").read_text(encoding="utf-8"))) > 50


def test_everyone_who_builds_it_takes_a_warning_for_an_error():
    for path in (".ci/run", ".github/workflows/docs.yml"):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(r"python -m sphinx (-q )?-W --keep-going", text), path


@pytest.mark.long
def test_it_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    for package in ("furo", "myst_parser", "numpydoc", "sphinx", "sphinx_gallery"):
        pytest.importorskip(package, reason="needs the extra docs")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-D", "plot_gallery=0"]
    built = subprocess.run(
        [*command, DOCS, tmp_path], capture_output=True, text=True, encoding="utf-8", timeout=600
    )
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 60
    loaded = re.compile(r"<(?:script|img|iframe)[^>]+src=.https?:|<link[^>]+stylesheet[^>]+https?:")
    for page in pages:
        assert not loaded.search(page.read_text(encoding="utf-8")), page.name
    text = (tmp_path / "how-it-works.html").read_text(encoding="utf-8")
    assert text.count("<math") > 50
    assert "$" not in re.sub(r"<(script|pre).*?</\1>", "", text, flags=re.DOTALL)
