"""Every code block of README and of the manual runs, and prints what is shown below it."""

import re

import pytest

from .children import ROOT
from .code_blocks import Page

pytest.importorskip("sklearn")
pytest.importorskip("click")

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_block_runs_and_prints_what_is_shown(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    Page(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()).run()


def test_python_of_what_the_manual_includes_runs():
    """Commands there are for developers: they install, and run tests for minutes."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    text = re.sub(r"^```bash\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert Page(text, "CONTRIBUTING.md").run() >= 1


def run(text):
    return Page(text, "page").run()


def test_blocks_share_names_and_what_they_print_is_compared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = """
<!-- prepare
x = 2
-->
```python
y = x + 1
print(y, "in 0.12 s")
```

```text
3 in 4.56 s
```

1. A list

   ```python
   >>> y + 1
   4
   ```

```bash
pip install "sparsenmf[text,plot]"
sparsenmf --help   # ours
echo one | cat
```

```text
Usage: sparsenmf ...
one
```
<!-- not run: it needs a cluster of yours -->
```python
1 / 0
```
"""
    assert run(page) == 3


WRONG = {
    "another output": "```python\nprint(1)\n```\n```text\n2\n```\n",
    "an error": "```python\nprint(1)\n1 / 0\n```\n",
    "a doctest": "```python\n>>> 1 + 1\n3\n```\n",
    "in a list": "- x\n\n  ```python\n  1 / 0\n  ```\n",
    "a command": "```bash\nsparsenmf nothing\n```\n",
    "a pipe": "```bash\nfalse | cat\n```\n",
    "its output": "```bash\necho one; echo two\n```\n\n```text\none\n```\n",
    "an extra": '```bash\npip install "sparsenmf[nothing]"\n```\n',
    "no language": "```\nx\n```\n",
    "an unknown language": "```pycon\nx\n```\n",
    "hidden in a directive": "```{eval-rst}\n.. code-block:: python\n\n   x\n```\n",
    "a directive that is not known": "```{code-block} python\nx\n```\n",
    "tildes": "~~~python\n1\n~~~\n",
    "no end": "```python\nx = 1\n",
    "a reason that belongs to nothing": "<!-- not run: it is not there -->\ntext\n",
    "a preparation within a line": "text <!-- prepare\nx\n-->\n```python\nx\n```\n",
    "no reason": "<!-- not run: no -->\n```python\nx\n```\n",
    "the preparation": "<!-- prepare\n1 / 0\n-->\n",
}


@pytest.mark.parametrize("page", WRONG.values(), ids=WRONG)
def test_what_is_wrong_in_a_page_is_noticed(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((AssertionError, NameError, ZeroDivisionError)):
        run(page)


def test_an_error_names_its_page_and_line():
    try:
        run("one\n\n```python\nx = 1\n1 / 0\n```\n")
    except ZeroDivisionError as error:
        places = error.__traceback__
        while places.tb_next:
            places = places.tb_next
        assert (places.tb_frame.f_code.co_filename, places.tb_lineno) == ("page", 5)
    else:
        pytest.fail("it ran")
