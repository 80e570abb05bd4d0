"""The figures of a report: the history, and the map of topics."""

import numpy as np

from sparsenmf.topics.report import figures

from ...corpus import TERMS
from .written import make_model, write


def test_history_is_drawn(model, tmp_path):
    chart = write(model, tmp_path, TERMS).by_id("convergence").one("svg")
    points = [p.split(",") for p in chart.one("polyline").attributes["points"].split()]
    x, y = np.array(points, float).T
    assert len(points) == model.n_iter
    # Up to rounding a straight map of the histories.
    for drawn, values in ((x, model.time_history), (-y, model.objective_history)):
        line = np.interp(values, [values.min(), values.max()], [drawn.min(), drawn.max()])
        np.testing.assert_allclose(drawn, line, atol=0.11)


def test_long_history_is_thinned_and_keeps_its_ends(tmp_path):
    n = 10_000
    history = {"objective_history": 1 + 1 / np.arange(1, n + 1), "time_history": np.arange(n) / 9}
    page = write(make_model(np.ones((2, 1)), np.ones((1, 2)), **history), tmp_path, ["a", "b"])
    chart = page.by_id("convergence").one("svg")
    points = chart.one("polyline").attributes["points"].split()
    assert len(points) == figures.POINTS
    assert points[0] == f"{figures.LEFT:.1f},{figures.TOP:.1f}"
    bottom, right = figures.CHART_HEIGHT - figures.BOTTOM, figures.WIDTH - figures.RIGHT
    assert points[-1] == f"{right:.1f},{bottom:.1f}"
    assert chart.all("circle") == []


def test_circles_of_the_map_are_moved_apart_and_stay_inside(rng):
    radii = rng.uniform(4, 20, 40)
    places = figures.separate(figures.fit(rng.normal(size=(40, 2)) ** 3), radii)
    distance = np.linalg.norm(places[:, None] - places, axis=2) + 1e9 * np.eye(40)
    assert (distance - radii[:, None] - radii).min() > -2
    for axis, size in enumerate((figures.WIDTH, figures.MAP_HEIGHT)):
        assert (places[:, axis] - radii).min() > 0
        assert (places[:, axis] + radii).max() < size


def test_alike_topics_lie_together_in_the_map(tmp_path):
    H = np.kron(np.eye(2), np.ones((2, 4))) + 0.1 * np.random.default_rng(0).random((4, 8))
    page = write(make_model(np.ones((4, 4)), H), tmp_path, list("abcdefgh"))
    marks = {
        link.attributes["href"]: link.one("circle") for link in page.one("svg", "map").all("a")
    }
    x = [float(marks[f"#topic-{r}"].attributes["cx"]) for r in (1, 2, 3, 4)]
    assert max(abs(x[0] - x[1]), abs(x[2] - x[3])) < 0.5 * abs(x[0] - x[2])
