"""The figures of the page, as inline SVG."""

import html
import math

import numpy as np

WIDTH = 640  # units of both figures; the page scales them
MAP_HEIGHT = 440
MAP_MARGIN = 46
LARGEST = 30  # radius of the largest topic
SMALLEST = 4
CROWD = 30  # topics; of more, the circles are smaller
PUSHES = 100  # rounds of moving circles apart

CHART_HEIGHT = 260
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 14, 44  # room around the chart
POINTS = 400  # at most
TINY = 1e-300  # what is nearer to each other is the same
DOTS = 60  # more iterations are a line without dots

LABEL = 16  # characters of a term beside a circle
CHARACTER, LINE = 7.0, 14.0  # about the size of one


def draw_map(places, topics):
    """Return the topics in the plane: places of shape (n_components, 2)."""
    most = max(topic.share for topic in topics) or 1.0
    radii = np.array([max(LARGEST * math.sqrt(t.share / most), SMALLEST) for t in topics])
    if len(topics) > CROWD:
        radii *= math.sqrt(CROWD / len(topics))
    places = move_apart(fit(places), radii)
    marks, taken = [], [_box(x, y, r) for (x, y), r in zip(places, radii, strict=True)]
    for i in np.argsort(-radii, kind="stable"):  # the small ones lie on top
        (x, y), r, topic = places[i], radii[i], topics[i]
        text = _label((topic.terms or ["(empty)"])[0], x, y, r, taken)
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
    """Return places scaled into the figure, both axes alike."""
    low, high = places.min(axis=0), places.max(axis=0)
    room = np.array([WIDTH, MAP_HEIGHT]) - 2 * MAP_MARGIN
    scale = (room / np.maximum(high - low, 1e-12)).min()
    if not scale < 1e9:  # one topic, or all alike
        scale = 0.0
    return (places - (low + high) / 2) * scale + np.array([WIDTH, MAP_HEIGHT]) / 2


def move_apart(places, radii):
    """Return places at which circles do not overlap, as far as a few rounds bring it about."""
    places = places.copy()
    gap = radii[:, None] + radii + 2
    angle = np.arange(len(radii)) * 2.4  # where those at the same place go
    places += 0.01 * np.column_stack([np.cos(angle), np.sin(angle)])
    low, high = radii[:, None] + 2, np.array([WIDTH, MAP_HEIGHT]) - radii[:, None] - LINE
    for _ in range(PUSHES):
        between = places[:, None] - places
        distance = np.sqrt((between**2).sum(axis=2))
        np.fill_diagonal(distance, np.inf)
        overlap = np.maximum(gap - distance, 0.0)
        if not overlap.any():
            break
        places += 0.5 * (between * (overlap / np.maximum(distance, 1e-9))[..., None]).sum(axis=1)
        places = np.clip(places, low, high)
    return places


def draw_history(seconds, objective):
    """Return the objective against time as a figure."""
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
        f"<figcaption>Objective after each iteration, against seconds since the beginning"
        f"</figcaption></figure>"
    )


def _axis(values, start, end):
    """Return positions of values between two ends of a figure, and (position, label) of ticks."""
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


def _box(x, y, r):
    return x - r, y - r, x + r, y + r


def _label(term, x, y, r, taken):
    """Return a term beside a circle, where there is room for it, and add its box to those taken."""
    term = term if len(term) <= LABEL else f"{term[: LABEL - 1]}…"
    width, gap = (len(term) + 1) * CHARACTER, r + 4
    for kind, at, low, left in (
        ("label", x, y + r + LINE, x - width / 2),
        ("label after", x + gap, y + LINE / 2, x + gap),
        ("label before", x - gap, y + LINE / 2, x - gap - width),
        ("label", x, y - r, x - width / 2),
    ):
        box = left, low - LINE, left + width, low
        inside = box[0] >= 0 and box[1] >= 0 and box[2] <= WIDTH and box[3] <= MAP_HEIGHT
        if inside and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            return f'<text class="{kind}" x="{at:.1f}" y="{low - 3:.1f}">{html.escape(term)}</text>'
    return ""


def _overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
