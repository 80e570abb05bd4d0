"""Positions for circles and labels in a picture, so that they do not cover each other."""

import numpy as np

ROUNDS = 200


def move_apart(centres, radii, touch=1.0, gap=0.0, bounds=(-np.inf, np.inf)):
    """Return the centres of circles, moved apart until the circles do not overlap.

    Parameters
    ----------
    centres : ndarray of shape (n, 2)
    radii : ndarray of shape (n,)
    touch : float
        The distance of two circles must be at least this fraction of the sum of their radii.
    gap : float
        Added to this distance.
    bounds : pair of float or ndarray of shape (n, 2)
        The smallest and the largest coordinates of the centres.

    Returns
    -------
    ndarray of shape (n, 2)
        The centres given, if no circles overlap. In a crowd, circles may still overlap after
        `ROUNDS` rounds.
    """
    centres = np.clip(centres, *bounds)
    first, second = np.triu_indices(len(centres), 1)
    least = touch * (radii[first] + radii[second]) + gap
    for _ in range(ROUNDS):
        between = centres[first] - centres[second]
        distances = np.hypot(*between.T)
        close = np.flatnonzero(distances < least)
        if not len(close):
            break
        # Circles at the same position move to opposite sides, in a direction for each pair.
        same = close[distances[close] == 0]
        angles = 2.4 * same  # radians, near the golden angle
        between[same] = 1e-6 * np.column_stack([np.cos(angles), np.sin(angles)])
        overlap = (least - distances)[close] / np.maximum(distances[close], 1e-6)
        steps = overlap[:, None] * between[close] / 4
        np.add.at(centres, first[close], steps)
        np.subtract.at(centres, second[close], steps)
        centres = np.clip(centres, *bounds)
    return centres


def overlaps(boxes, obstacles):
    """Return which boxes overlap one of the obstacles; all have (left, low, right, high)."""
    apart = (boxes[:, None, :2] >= obstacles[:, 2:]) | (boxes[:, None, 2:] <= obstacles[:, :2])
    return ~apart.any(axis=2).all(axis=1)


def free_boxes(boxes, obstacles, frame):
    """Return which boxes lie inside the frame and overlap no obstacle."""
    inside = (boxes[:, :2] >= frame[:2]).all(axis=1) & (boxes[:, 2:] <= frame[2:]).all(axis=1)
    return inside & ~overlaps(boxes, obstacles)
