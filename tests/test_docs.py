"""What README and docstrings show is what happens."""

import doctest
import importlib
import inspect
import operator
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sparsenmf

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
LISTED = re.findall(r"^   ([\w.]+)$", API, re.MULTILINE)

RETURNED = {
    "selection.selected.Selection",
    "selection.forecast.SelectionForecast",
    "selection.consensus.Consensus",
    "models.memory.MemoryEstimate",
    "data.store.reader.CsrStore",
    "distributed.DistributedFactorization",
    "typing.IterationState",
}
"""Nobody makes these: the function that returns one has the example."""

NEEDED = {"plots": "matplotlib", "distributed": "dask.distributed"}


def resolve(name):
    """Return what a name of the API stands for; skip where a package for it is missing."""
    home, _, last = name.rpartition(".")
    pytest.importorskip(NEEDED.get(home, "sklearn"))
    if home in ("", "files", "plots", "typing", "distributed"):
        return getattr(operator.attrgetter(home)(sparsenmf) if home else sparsenmf, last)
    return getattr(importlib.import_module(f"sparsenmf.{home}"), last)


@pytest.mark.parametrize("name", LISTED)
def test_each_name_of_the_api_has_an_example_that_gives_what_it_shows(name, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    value = resolve(name)
    assert inspect.getdoc(value)
    if name in RETURNED:
        return
    assert "Examples\n" in inspect.getdoc(value)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    # With its methods, inherited ones too, whose docstrings the page of a class shows.
    owners = [c for c in getattr(value, "__mro__", [value]) if c.__module__.startswith("sparsenmf")]
    for owner in owners:
        names = dict(vars(sys.modules[owner.__module__]))
        for test in doctest.DocTestFinder().find(owner, name, globs=names):
            runner.run(test)
    assert runner.failures == 0
    assert runner.tries > 0


def test_the_api_lists_every_public_name_once():
    from sparsenmf import files, plots

    public = {*sparsenmf.__all__, *(f"plots.{name}" for name in plots.__all__)}
    public |= {f"files.{name}" for name in vars(files) if name.startswith("write_")}
    public |= {"distributed.factorize", "distributed.DistributedFactorization"}
    assert len(LISTED) == len(set(LISTED))
    assert public - set(LISTED) == set()
    assert set(LISTED) - public == RETURNED - public | {"models.run.Run"}


def test_readme_is_read_to_its_end():
    before_licence = README.read_text(encoding="utf-8").split("\nLicence:")
    assert len(before_licence) == 2
    assert len(before_licence[0].split()) <= 700


def own_files(text):
    """Return the paths of the files of this repository that a page links to, by full address."""
    repository = re.search('Source = "(.*)"', (ROOT / "pyproject.toml").read_text())[1]
    raw = repository.replace("https://github.com/", "https://raw.githubusercontent.com/")
    return re.findall(f'(?:{repository}/blob|{raw})/main/([^)"#]+)', text)


def test_readme_links_also_work_on_a_package_index():
    """Where the page stands alone, so that every address is a full one."""
    text = README.read_text(encoding="utf-8")
    addresses = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    assert len(addresses) == len(own_files(text)) > 5
    for path in own_files(text):
        assert (ROOT / path).is_file(), path


PAGES = ["asv_bench/README.md", "CONTRIBUTING.md"]


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
    """`tables.py` makes the tables of README and of the manual from the saved results."""
    script = ROOT / "asv_bench" / "tables.py"
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
