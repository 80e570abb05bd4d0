"""Make the pictures of the README from the examples.

    python examples/pictures/make.py             # all of them
    python examples/pictures/make.py report      # or some

Runs the examples in a temporary folder, and puts what they draw on white cards with round
corners, which can be read on a light page and on a dark one. 1400 pixels wide, shown at 700.
The picture of the report is what Chromium (or Chrome) shows at 1200 pixels; without a browser
it is left out.
"""

import io
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
WIDTH = 1400  # pixels

PICTURES = {"spectrogram": "draw", "choosing_k": "draw_corpora"}

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PAGE = 1200, 1420  # pixels of the report that are shown
CHROME = 200  # pixels of a window that its frame may take


def on_a_card(figure):
    """Put a figure on a white card with round corners and a thin edge."""
    from matplotlib.patches import FancyBboxPatch

    width, height = figure.get_size_inches()
    figure.get_layout_engine().set(rect=(0.012, 0.02, 0.976, 0.96))
    figure.patch.set_alpha(0)
    for ax in figure.axes:
        ax.patch.set_alpha(0)
    card = FancyBboxPatch(
        (0.02, 0.02), width - 0.04, height - 0.04, boxstyle="round,pad=0,rounding_size=0.12",
        transform=figure.dpi_scale_trans, facecolor="white", edgecolor="#d0d7de", linewidth=0.8,
        zorder=-1,
    )  # fmt: skip
    figure.add_artist(card)
    return figure


def save(figure, path):
    """Write a PNG with a palette of 256 colours: half as large as one without."""
    from PIL import Image  # which matplotlib needs, too

    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=WIDTH / figure.get_size_inches()[0])
    drawn = Image.open(buffer)
    opacity = drawn.getchannel("A")
    colours = Image.new("RGB", drawn.size, "white")
    colours.paste(drawn, mask=opacity)
    image = colours.quantize(255, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    used = len(image.getcolors())
    palette = image.getpalette()[: 3 * used]
    image.putpalette([*palette, 255, 255, 255])  # one more, for what is outside of the card
    image.paste(used, mask=opacity.point(lambda value: 255 * (value < 128)))
    image.save(path, optimize=True, transparency=bytes([255] * used + [0]))


def draw_report(path):
    """Write the report of the example `topics.py`, and what a browser shows of its beginning."""
    from PIL import Image

    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"There is no {path.name}: it takes Chromium or Chrome.")
        return
    sys.argv[1:] = ["--report", "report.html"]
    runpy.run_path(str(HERE.parent / "topics.py"), run_name="__main__")
    width, height = PAGE
    command = [
        browser, "--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-lcd-text",
        "--screenshot=report.png", f"--window-size={width},{height + CHROME}",
        Path("report.html").resolve().as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=120, stderr=subprocess.DEVNULL)
    page = Image.open("report.png").convert("RGB").crop((0, 0, width, height))
    # A palette that is close to all colours of the letters' edges.
    page.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        path, optimize=True
    )


def main():
    """Run each example and save its picture here."""
    wanted = sys.argv[1:] or [*PICTURES, "report"]
    sys.path.insert(0, str(HERE.parent))  # examples import one another
    sys.argv = sys.argv[:1]
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)  # examples draw into the current folder
        try:
            for name in wanted:
                if name == "report":
                    draw_report(HERE / "report.png")
                    continue
                figure = runpy.run_path(str(HERE.parent / f"{name}.py"))[PICTURES[name]]()
                save(on_a_card(figure), HERE / f"{name}.png")
        finally:
            os.chdir(before)


if __name__ == "__main__":
    main()
