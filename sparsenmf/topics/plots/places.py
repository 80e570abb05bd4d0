"""Places for discs and labels, so that they do not cover each other."""

import numpy as np

DIRECTIONS = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
DISTANCES = (3, 12, 24, 40)  # points between a disc and its label
NEAR = 12  # farther away it takes a line

LINE = {"arrowstyle": "-", "color": "#a0a0a0", "lw": 0.6}

PADDING = 2  # pixels around a label


TOUCH = 0.8  # of the sum of their radii: how near the middles of two discs may come
ROUNDS = 200


def spread(middles, radii):
    """Return the middles of discs moved apart where they cover each other.

    Parameters
    ----------
    middles : ndarray of shape (n, 2)
    radii : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n, 2)
        Those given where no disc covers another.
    """
    middles = middles.copy()
    first, second = np.triu_indices(len(middles), 1)
    least = TOUCH * (radii[first] + radii[second])
    for _ in range(ROUNDS):
        between = middles[first] - middles[second]
        lengths = np.hypot(*between.T)
        close = np.flatnonzero(lengths < least)
        if not len(close):
            break
        # Discs on the same spot go to either side.
        between[close, 0] += np.where(lengths[close] > 0, 0.0, 1e-6)
        steps = ((least - lengths) / np.maximum(lengths, 1e-6))[close, None] * between[close] / 4
        np.add.at(middles, first[close], steps)
        np.subtract.at(middles, second[close], steps)
    return middles


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
        text.remove()
        half = np.array([extent.width, extent.height]) / 2 + PADDING
        obstacles = np.vstack([taken, np.delete(discs, r, axis=0)])
        found = _free_place(middles[r], radii[r], half, obstacles, frame, pixels)
        if found is None:
            continue
        offset, line = found
        middle = middles[r] + offset
        taken = np.vstack([taken, np.hstack([middle - half, middle + half]), np.tile(line, 2)])
        ax.annotate(
            labels[r],
            places[r],
            xytext=offset / pixels,
            textcoords="offset points",
            ha="center",
            va="center",
            size=size,
            arrowprops={**LINE, "shrinkB": radii[r] / pixels} if len(line) else None,
        )


def _free_place(middle, radius, half, obstacles, frame, pixels):
    """Return the offset of the nearest place that is free, and points of its line, or None."""
    for distance in DISTANCES:
        for direction in DIRECTIONS:
            step = np.array(direction, dtype=float)
            reach = (radius + distance * pixels) / np.linalg.norm(step)
            offset = step * (reach + half)
            box = np.hstack([middle + offset - half, middle + offset + half])
            inside = (box[:2] >= frame[:2]).all() and (box[2:] <= frame[2:]).all()
            if inside and not _covers(box, obstacles):
                if distance <= NEAR:
                    return offset, np.empty((0, 2))
                line = middle + np.linspace(0.1, 0.9, 17)[:, None] * offset
                if not any(_covers(np.tile(point, 2), obstacles) for point in line):
                    return offset, line
    return None


def _covers(box, obstacles):
    """Tell whether a box (left, bottom, right, top) overlaps one of others."""
    apart = (box[:2] > obstacles[:, 2:]) | (box[2:] < obstacles[:, :2])
    return not apart.any(axis=1).all()
