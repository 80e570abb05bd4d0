"""The guide: its pages hold together, and what its tables say of names and defaults is so.

Their code is run by test_code_blocks.py.
"""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import sparsenmf
from sparsenmf.models.factorization import REASONS

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guide"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(GUIDE.glob("*.md"))}
PROSE = {name: re.sub(r"^```.*?^```", "", text, flags=re.M | re.S) for name, text in PAGES.items()}


def anchors(text):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def table(name, heading):
    """Return the cells of the first table below a heading, without its head."""
    part = PAGES[name].split(f"{heading}\n", 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", part, re.MULTILINE)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_contents_list_every_page():
    listed = re.search(r"```\{toctree\}\n(?::.*\n)*\n(.*?)```", PAGES["index"], re.DOTALL)[
        1
    ].split()
    assert sorted(listed) == sorted(PAGES.keys() - {"index"})


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    for link, anchor in re.findall(r"\]\((?!https?:|../_figures/)([^)#]*)#?([^)]*)\)", PROSE[name]):
        path = (GUIDE / link).resolve() if link else GUIDE / f"{name}.md"
        assert path.is_file(), link
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), (link, anchor)


@pytest.mark.parametrize("name", PAGES)
def test_links_into_the_repository_lead_to_files(name):
    for path in re.findall(r"sparsenmf/sparsenmf/blob/main/([^)#]+)", PAGES[name]):
        assert (ROOT / path).is_file(), path


def test_pages_are_short():
    for name, text in PROSE.items():
        assert len(text.split()) < 1500, name
    assert all(len(line) <= 250 for text in PROSE.values() for line in text.splitlines())


def test_figures_are_made_by_the_code_of_their_pages(tmp_path):
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("figures", ROOT / "docs" / "figures.py")
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    shown = {name for text in PAGES.values() for name in figures.SHOWN.findall(text)}
    assert len(shown) >= 2
    assert sum(text.count("](../_figures/") for text in PAGES.values()) == len(shown)
    code = 'from pathlib import Path\nPath("a.png").write_text("drawn")'
    page = f"```python\n{code}\n```\n![A](../_figures/a.png)"
    (tmp_path / "guide").mkdir()
    (tmp_path / "guide" / "page.md").write_text(page)
    figures.make(tmp_path)
    assert (tmp_path / "_figures" / "a.png").read_text() == "drawn"
    for text in PAGES.values():
        for name in figures.SHOWN.findall(text):
            assert f'savefig("{name}")' in text


def test_table_of_differences_has_the_defaults_of_both():
    decomposition = pytest.importorskip("sklearn.decomposition")
    rows = {row[0]: row[1:] for row in table("migrating", "## What differs")}
    for name, row, parameter in [
        ("NMF", "`tol`", "tol"),
        ("NMF", "`shuffle`", "shuffle"),
        ("MiniBatchNMF", "`MiniBatchNMF`'s `forget_factor`", "forget_factor"),
    ]:
        for package, said in zip((decomposition, sparsenmf), rows[row], strict=True):
            default = inspect.signature(getattr(package, name)).parameters[parameter].default
            if isinstance(default, float):
                assert float(re.match(r"[\d.e-]+", said)[0]) == default, (name, parameter)


def test_reasons_to_stop_are_all_explained():
    rows = table("reading-a-result", "## What does optimality say?")
    told = {reason for row in rows for reason in re.findall(r'"(\w+)"', row[0])}
    assert told == set(REASONS)


def test_extras_are_all_named():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read pyproject.toml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].keys() - {
        "bench", "docs", "lint", "peers", "release", "test",
    }  # fmt: skip
    part = PAGES["faq"].split("## Do I have to install everything?")[1]
    assert extras <= set(re.findall(r"`(\w+)`", part))


def test_commands_are_all_in_the_table():
    pytest.importorskip("click")
    from sparsenmf.cli import group

    rows = table("getting-started", "## From the command line")
    assert {row[0].strip("`").split()[1] for row in rows} == set(group.commands)


def test_all_functions_that_draw_are_shown():
    pytest.importorskip("matplotlib")
    assert set(sparsenmf.plots.__all__) <= set(re.findall(r"plots\.(\w+)", PAGES["pictures"])) | {
        "plot_selection"  # by the method of what it draws
    }
    assert "select_n_components(...).plot()" in PAGES["pictures"]


NAMES = re.compile(r"`(?:sparsenmf\.)?(\w+)(?:\(.*?\))?`")


@pytest.mark.parametrize("name", PAGES)
def test_classes_in_the_text_are_public(name):
    """A name in CamelCase, called or not, is one of the package's, or of a package it names."""
    foreign = {"SPARSENMF_CACHE", "AnnData", "LdaModel", "LatentDirichletAllocation"}
    for found in NAMES.findall(PROSE[name]):
        if re.fullmatch(r"(?:[A-Z][a-z]+|[A-Z]{3,})[A-Za-z]*", found) and "_" not in found:
            assert hasattr(sparsenmf, found) or found in foreign, found
