"""Maps of topics and documents: places, sizes and labels."""

import numpy as np
import pytest

from sparsenmf import plots, topic_layout, topic_sizes
from sparsenmf.topics.placement import move_apart
from sparsenmf.topics.plots.canvas import colours
from sparsenmf.topics.similarity import topic_order

from ..test_quality import make_model, random_model
from .drawn import close, texts_of

matplotlib = pytest.importorskip("matplotlib")
figure = pytest.importorskip("matplotlib.figure")
FigureCanvasAgg = pytest.importorskip("matplotlib.backends.backend_agg").FigureCanvasAgg


def test_map_has_the_places_and_the_sizes_of_topics(ax):
    ax.figure.set_size_inches(10, 8)
    H = np.array([[1.0, 0, 0, 0.1], [0, 1, 0, 0.1], [0, 0, 1, 0.1], [0.5, 0.5, 0, 0.1]])
    model = make_model(np.diag([1.0, 2, 3, 4]), H)
    plots.plot_topic_map(model, list("abcd"), n_terms=2, ax=ax)
    (discs,) = ax.collections
    order = np.argsort(-topic_sizes(model))
    np.testing.assert_allclose(discs.get_offsets(), topic_layout(H)[order], atol=1e-12)
    areas = discs.get_sizes()
    np.testing.assert_allclose(areas / areas.sum(), topic_sizes(model)[order])
    assert sorted(texts_of(ax)) == sorted(["1", "2", "3", "4", "a, d", "b, d", "c, d", "a, b"])


def boxes_of(ax, wanted):
    canvas = FigureCanvasAgg(ax.figure)  # a plain Figure's own canvas has no renderer
    canvas.draw()
    renderer = canvas.get_renderer()
    return [
        matplotlib.text.Text.get_window_extent(text, renderer).extents
        for text in ax.texts
        if wanted(text.get_text())
    ]


def overlap(a, b):
    return (a[:2] < b[2:]).all() and (b[:2] < a[2:]).all()


def test_labels_of_many_topics_do_not_cover_each_other(many):
    drawn = plots.plot_topic_map(many, [f"word{j}" for j in range(200)])
    assert "8" not in texts_of(drawn)  # a topic that is zero has no place
    numbers = boxes_of(drawn, str.isdigit)
    labels = boxes_of(drawn, lambda text: not text.isdigit())
    assert len(numbers) == 49
    assert len(labels) >= 25
    frame = drawn.get_window_extent().extents
    for i, box in enumerate(labels):
        assert (box[:2] >= frame[:2]).all()
        assert (box[2:] <= frame[2:]).all()
        assert not any(overlap(box, other) for other in labels[:i] + numbers)
    middles = [(box[:2] + box[2:]) / 2 for box in numbers]
    radii = np.sqrt(drawn.collections[0].get_sizes() / np.pi) * drawn.figure.dpi / 72
    inside = np.array(middles)
    assert (inside.min(axis=0) - radii.min() >= frame[:2]).all()
    assert (inside.max(axis=0) + radii.min() <= frame[2:]).all()
    close(drawn)


def test_discs_are_moved_apart_only_where_they_cover_each_other(rng):
    apart = np.array([[0.0, 0], [10, 0], [0, 10]])
    np.testing.assert_array_equal(move_apart(apart, np.array([3.0, 4, 5]), 0.8), apart)
    crowd = np.vstack([rng.normal(size=(12, 2)), np.zeros((2, 2))])
    radii = rng.uniform(0.5, 2, 14)
    moved = move_apart(crowd, radii, 0.8)
    first, second = np.triu_indices(14, 1)
    distances = np.linalg.norm(moved[first] - moved[second], axis=1)
    assert (distances >= 0.7 * (radii[first] + radii[second])).all()
    np.testing.assert_allclose(moved.mean(axis=0), crowd.mean(axis=0), atol=1e-6)


def test_documents_lie_at_the_mean_of_their_topics(ax):
    model = random_model(5, n=30)
    plots.plot_documents(model, ax=ax)
    points, anchors = (np.asarray(part.get_offsets()) for part in ax.collections)
    np.testing.assert_allclose(np.linalg.norm(anchors, axis=1), 1)
    angles = np.arctan2(anchors[:, 1], anchors[:, 0]) % (2 * np.pi)
    assert np.argsort(angles.round(9)).tolist() == topic_order(model.H).tolist()
    mass = model.W * model.H.sum(axis=1)
    mass = mass[mass.any(axis=1)]
    expected = [(row[:, None] * anchors).sum(axis=0) / row.sum() for row in mass]
    np.testing.assert_allclose(points, expected, atol=1e-12)
    palette = [matplotlib.colors.to_rgb(colour) for colour in colours(4)]
    found = ax.collections[0].get_facecolors()[:, :3]
    np.testing.assert_allclose(found, [palette[row.argmax()] for row in mass])
    assert texts_of(ax) == ["1", "2", "3", "4"]


def test_sample_of_documents_is_bounded_and_seeded(many, ax):
    def points(**options):
        other = figure.Figure().subplots()
        plots.plot_documents(many, ax=other, max_documents=40, **options)
        return np.asarray(other.collections[0].get_offsets())

    assert len(points()) == 40
    np.testing.assert_array_equal(points(), points(random_state=np.random.default_rng(0)))
    assert not np.array_equal(points(), points(random_state=1))
    plots.plot_documents(many, ax=ax, max_documents=10**6)
    assert len(ax.collections[0].get_offsets()) == 300
