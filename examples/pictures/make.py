"""Make the pictures of the README from the examples.

    python examples/pictures/make.py

Runs the two examples in a temporary folder, and puts what they draw on white cards with round
corners, which can be read on a light page and on a dark one. 1400 pixels wide, shown at 700.
"""

import io
import os
import runpy
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
WIDTH = 1400  # pixels

PICTURES = {"spectrogram": "draw", "choosing_k": "draw_corpora"}


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


def main():
    """Run each example and save its picture here."""
    sys.path.insert(0, str(HERE.parent))  # examples import one another
    sys.argv = sys.argv[:1]
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)  # examples draw into the current folder
        try:
            for name, function in PICTURES.items():
                figure = runpy.run_path(str(HERE.parent / f"{name}.py"))[function]()
                save(on_a_card(figure), HERE / f"{name}.png")
        finally:
            os.chdir(before)


if __name__ == "__main__":
    main()
