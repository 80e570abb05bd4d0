"""The figures of the report, as inline SVG."""

import html
import math

import numpy as np

from ..placement import free_boxes, move_apart

WIDTH = 640  # of both figures, in units that the page scales
MAP_HEIGHT = 440
MAP_MARGIN = 46
LARGEST = 30  # radius of the largest topic
SMALLEST = 4
CROWD = 30  # circles are smaller if there are more topics

CHART_HEIGHT = 260
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 14, 44  # margins of the chart
POINTS = 400  # most iterations that are drawn
TINY = 1e-300  # a smaller range of values counts as none
DOTS = 60  # a line of more iterations has no dots

LABEL = 16  # most characters of a term beside a circle
CHARACTER, LINE = 7.0, 14.0  # approximate width of a character and height of a line


def draw_map(places, topics):
    """Return the map of the topics: circles at the places, of shape (n_components, 2)."""
    most = max(topic.share for topic in topics) or 1.0
    radii = np.array([max(LARGEST * math.sqrt(t.share / most), SMALLEST) for t in topics])
    if len(topics) > CROWD:
        radii *= math.sqrt(CROWD / len(topics))
    places = separate(fit(places), radii)
    marks, taken = [], np.hstack([places - radii[:, None], places + radii[:, None]])
    for i in np.argsort(-radii, kind="stable"):  # small circles are drawn over large ones
        (x, y), r, topic = places[i], radii[i], topics[i]
        text, taken = _label((topic.distinctive or ["(empty)"])[0], x, y, r, taken)
        if r >= 2 + CHARACTER / 2 * len(str(topic.number)):
            text += f'<text class="number" x="{x:.1f}" y="{y:.1f}" dy=".35em">{topic.number}</text>'
        marks.append(
            f'<a href="#topic-{topic.number}" tabindex="-1">'
            f"<title>{topic.number} {html.escape(topic.name)}, {topic.share:.1%}</title>"
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}"/>{text}</a>'
        )
    return (
        f'<svg class="map" viewBox="0 0 {WIDTH} {MAP_HEIGHT}" role="img" '
        f'aria-label="Map of the topics; the list after it has the same links">\n'
        + "\n".join(marks)
        + "\n</svg>"
    )


def fit(places):
    """Return places scaled to fill the figure, with the same scale on both axes."""
    low, high = places.min(axis=0), places.max(axis=0)
    room = np.array([WIDTH, MAP_HEIGHT]) - 2 * MAP_MARGIN
    scale = (room / np.maximum(high - low, 1e-12)).min()
    if not scale < 1e9:  # one topic, or all at the same place
        scale = 0.0
    return (places - (low + high) / 2) * scale + np.array([WIDTH, MAP_HEIGHT]) / 2


def separate(places, radii):
    """Return the places of circles, moved apart inside the figure."""
    margin = radii[:, None] + 2
    upper = np.array([WIDTH, MAP_HEIGHT]) - radii[:, None] - LINE
    return move_apart(places, radii, gap=2, bounds=(margin, upper))


def draw_history(seconds, objective):
    """Return a chart of the objective against time."""
    finite = np.isfinite(seconds) & np.isfinite(objective)
    seconds, objective = seconds[finite], objective[finite]
    if not len(objective):
        return '<p class="note">The model has no history.</p>'
    kept = np.unique(np.linspace(0, len(objective) - 1, POINTS).round().astype(int))
    x, x_ticks = _axis(seconds[kept], LEFT, WIDTH - RIGHT)
    y, y_ticks = _axis(objective[kept], CHART_HEIGHT - BOTTOM, TOP)
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    bottom, right = CHART_HEIGHT - BOTTOM, WIDTH - RIGHT
    marks = [
        f'<line x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<text class="y" x="{LEFT - 8}" y="{at:.1f}" dy=".35em">{label}</text>'
        for at, label in y_ticks
    ]
    marks += [
        f'<text class="x" x="{at:.1f}" y="{bottom + 18}">{label}</text>' for at, label in x_ticks
    ]
    dots = ""
    if len(kept) <= DOTS:
        points = zip(x, y, strict=True)
        dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5"/>' for a, b in points)
    return (
        f'<figure><svg class="chart" viewBox="0 0 {WIDTH} {CHART_HEIGHT}" role="img" '
        f'aria-label="The objective fell from {objective[0]:.6g} to {objective[-1]:.6g} '
        f'in {seconds[-1]:.3g} seconds">\n'
        + "\n".join(marks)
        + f'\n<polyline points="{path}"/>{dots}'
        f'<text class="end" x="{right}" y="{CHART_HEIGHT - 6}">seconds</text></svg>\n'
        f"<figcaption>Objective after each iteration, against the seconds since the start"
        f"</figcaption></figure>"
    )


def _axis(values, start, end):
    """Return the positions of values on an axis, and the (position, label) of its ticks."""
    low, high = float(values.min()), float(values.max())
    if not high - low > TINY:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    scale = (end - start) / (high - low)
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(s for s in (1, 2, 5, 10) if (high - low) / (s * step) <= 5)
    ticks = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    labels = [f"{tick:,.{places}f}" if 1e-4 <= step < 1e9 else f"{tick:.6g}" for tick in ticks]
    at = start + (ticks - low) * scale
    return start + (values - low) * scale, list(zip(at.tolist(), labels, strict=True))


def _label(term, x, y, r, taken):
    """Return a term beside a circle as SVG, and the boxes that are taken then.

    The term is left out if there is no room for it.
    """
    term = term if len(term) <= LABEL else f"{term[: LABEL - 1]}…"
    width, gap = (len(term) + 1) * CHARACTER, r + 4
    positions = [  # class, x of the anchor, lower edge, left edge
        ("label", x, y + r + LINE, x - width / 2),
        ("label after", x + gap, y + LINE / 2, x + gap),
        ("label before", x - gap, y + LINE / 2, x - gap - width),
        ("label", x, y - r, x - width / 2),
    ]
    boxes = np.array([(left, low - LINE, left + width, low) for *_, low, left in positions])
    free = free_boxes(boxes, taken, np.array([0, 0, WIDTH, MAP_HEIGHT]))
    if not free.any():
        return "", taken
    kind, anchor, low, _ = positions[free.argmax()]
    text = f'<text class="{kind}" x="{anchor:.1f}" y="{low - 3:.1f}">{html.escape(term)}</text>'
    return text, np.vstack([taken, boxes[free.argmax()]])
