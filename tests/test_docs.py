"""What README and docstrings show is what happens."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize(
    "name",
    [
        f"sparsenmf.{room}"
        for room in (
            *("_factorize", "memory", "estimators", "minibatch", "files", "texts"),
            *("selection.choosing", "selection.consensus"),
            *("topics.finding", "topics.trends", "topics.coherence"),
        )
    ]
    + ["sparsenmf.sources.store", "sparsenmf.sources.writer"],
)
def test_docstring_examples_give_what_they_show(name):
    if name.endswith(("estimators", "minibatch", "finding")):
        pytest.importorskip("sklearn")
    result = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert result.attempted > 0
    assert result.failed == 0


def test_readme_example_gives_what_it_shows():
    """The first python block, run; its output is the text block after it, but for timings."""
    text = README.read_text(encoding="utf-8")
    code, shown = re.search(r"```python\n(.*?)```\s+```text\n(.*?)```", text, re.DOTALL).groups()
    pytest.importorskip("sklearn")
    printed = []
    exec(code, {"print": lambda *values: printed.append(" ".join(map(str, values)))})
    assert without_times("\n".join(printed)) == without_times(shown)


def without_times(text):
    # Seconds and the last digits of a residual differ between machines.
    text = re.sub(r"in \d+\.\d+ s", "in _ s", text)
    text = re.sub(r"optimality \S+", "optimality _", text)
    return re.sub(r"\d+ iterations", "_ iterations", text).split()


def test_readme_links_point_to_files_that_exist():
    text = README.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", text)
    assert links
    for link in links:
        assert (README.parent / link).exists(), link


def test_readme_pictures_are_small_and_described():
    text = README.read_text(encoding="utf-8")
    pictures = re.findall(r'<img src="([^"]+)" width="700" alt="([^"]+)">', text)
    assert len(pictures) == text.count("<img") == 2
    for path, alternative in pictures:
        data = (README.parent / path).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < 120_000
        assert int.from_bytes(data[16:20], "big") == 1400  # twice the width that is shown
        assert len(alternative) > 50
