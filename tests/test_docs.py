"""What README and docstrings show is what happens."""

import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sparsenmf

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


MODULES = {f"sparsenmf.{home}" for home in sparsenmf._HOMES.values()} - {"sparsenmf.data.store"}


@pytest.mark.parametrize(
    "name", sorted(MODULES | {"sparsenmf.data.store.reader", "sparsenmf.data.store.writer"})
)
def test_docstring_examples_give_what_they_show(name):
    if name.endswith(("estimators", "minibatch", "finding", "function")):
        pytest.importorskip("sklearn")
    result = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", sorted(sparsenmf._HOMES))
def test_every_public_name_has_an_example(name):
    pytest.importorskip("sklearn")
    assert "Examples\n" in inspect.getdoc(getattr(sparsenmf, name))


def test_readme_is_read_to_its_end():
    before_licence = README.read_text(encoding="utf-8").split("\nLicence:")
    assert len(before_licence) == 2
    assert len(before_licence[0].split()) <= 700


def own_files(text):
    """Return the paths of the files of this repository that a page links to, by full address."""
    repository = re.search('Source = "(.*)"', (ROOT / "pyproject.toml").read_text())[1]
    raw = repository.replace("https://github.com/", "https://raw.githubusercontent.com/")
    return re.findall(f'(?:{repository}/blob|{raw})/main/([^)"#]+)', text)


def test_readme_links_work_on_a_package_index_too():
    """Where the page stands alone, so that every address is a full one."""
    text = README.read_text(encoding="utf-8")
    addresses = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    assert len(addresses) == len(own_files(text)) > 5
    for path in own_files(text):
        assert (ROOT / path).is_file(), path


PAGES = ["docs/good-to-know.md", "docs/formats.md", "asv_bench/README.md", "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", PAGES)
def test_links_point_to_files_that_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?://)([^)#]+)\)", text):
        assert ((ROOT / page).parent / link).exists(), link


def test_readme_pictures_are_small_and_described():
    text = README.read_text(encoding="utf-8")
    pictures = re.findall(r'<img src="[^"]+/main/([^"]+)" width="700" alt="([^"]+)">', text)
    assert len(pictures) == text.count("<img") == 3
    for path, alternative in pictures:
        data = (ROOT / path).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < 200_000
        assert int.from_bytes(data[16:20], "big") >= 1200  # more than the width that is shown
        assert len(alternative) > 50


def test_numbers_of_the_pages_are_those_that_were_measured():
    """`tables.py` makes the tables of both READMEs from the saved results."""
    script = ROOT / "asv_bench" / "tables.py"
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
