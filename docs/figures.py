"""Make the figures of the guide: each is what the code of its page saves.

    python docs/figures.py      # into docs/_figures, which is not committed

A page that shows ``../_figures/NAME.png`` has a block of Python that saves NAME.png. Building the
manual calls `make` first.
"""

import contextlib
import io
import os
import re
import shutil
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHOWN = re.compile(r"!\[[^]]+\]\(\.\./_figures/([\w-]+\.png)\)")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def make(docs=HERE):
    """Run each page of the guide that shows figures, and put what it saves into ``_figures``."""
    figures = docs / "_figures"
    figures.mkdir(exist_ok=True)
    before = Path.cwd()
    for page in sorted((docs / "guide").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        names = SHOWN.findall(text)
        if not names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile("".join(PYTHON.findall(text)), str(page), "exec"), {})
                for name in names:
                    shutil.copyfile(name, figures / name)
            finally:
                os.chdir(before)  # Windows removes no folder that a process is in


if __name__ == "__main__":
    make()
