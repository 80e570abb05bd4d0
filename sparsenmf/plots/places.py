"""Places for labels, beside what they name and over nothing else."""

import numpy as np

DIRECTIONS = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
DISTANCES = (3, 12, 24, 40)  # points between a disc and its label
PADDING = 2  # pixels around a label


def place_labels(ax, places, radii, labels, order, size=8):
    """Write labels beside discs where they cover neither each other nor other discs.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With its limits and its size set.
    places : ndarray of shape (n, 2)
        Middles of the discs, in data coordinates.
    radii : ndarray of shape (n,)
        In points.
    labels : list of n str
    order : iterable of int
        Who chooses first. A label that finds no place is left out.
    size : int
        Of the letters.
    """
    pixels = ax.figure.dpi / 72
    middles, radii = ax.transData.transform(places), radii * pixels
    frame = ax.get_window_extent().extents
    discs = np.hstack([middles - radii[:, None], middles + radii[:, None]])
    taken = np.empty((0, 4))
    for r in order:
        text = ax.text(0, 0, labels[r], size=size, ha="center", va="center")
        extent = text.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2 + PADDING
        obstacles = np.vstack([taken, np.delete(discs, r, axis=0)])
        offset = _free_place(middles[r], radii[r], half, obstacles, frame, pixels)
        text.remove()
        if offset is None:
            continue
        middle = middles[r] + offset
        taken = np.vstack([taken, np.hstack([middle - half, middle + half])])
        far = np.linalg.norm(offset / (half + radii[r])) > 1.6
        ax.annotate(
            labels[r],
            places[r],
            xytext=offset / pixels,
            textcoords="offset points",
            ha="center",
            va="center",
            size=size,
            arrowprops={"arrowstyle": "-", "color": "#a0a0a0", "lw": 0.6} if far else None,
        )


def _free_place(middle, radius, half, obstacles, frame, pixels):
    """Return the offset, in pixels, of the nearest place that is free, or None."""
    for distance in DISTANCES:
        for direction in DIRECTIONS:
            step = np.array(direction, dtype=float)
            reach = (radius + distance * pixels) / np.linalg.norm(step)
            offset = step * (reach + half)
            low, high = middle + offset - half, middle + offset + half
            inside = (low >= frame[:2]).all() and (high <= frame[2:]).all()
            apart = (low >= obstacles[:, 2:]) | (high <= obstacles[:, :2])
            if inside and apart.any(axis=1).all():
                return offset
    return None
