"""Make the figures of the guide: each is what the code of its page saves.

    python docs/figures.py      # into docs/guide/figures, which is not committed

A page that shows ``figures/NAME.png`` has a block of Python that saves NAME.png. Building the
manual calls `make` first.
"""

import contextlib
import io
import os
import re
import shutil
import tempfile
from pathlib import Path

GUIDE = Path(__file__).resolve().parent / "guide"
SHOWN = re.compile(r"!\[[^]]+\]\(figures/([\w-]+\.png)\)")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def make(guide=GUIDE):
    """Run each page that shows figures, and put what it saves into its folder ``figures``."""
    figures = guide / "figures"
    figures.mkdir(exist_ok=True)
    before = Path.cwd()
    for page in sorted(guide.glob("*.md")):
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
