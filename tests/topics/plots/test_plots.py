"""Pictures: their content and their axes, and that drawing changes nothing else."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from sparsenmf import factorize, plots, select_n_components, topic_sizes
from sparsenmf.topics.plots.canvas import colours
from sparsenmf.topics.similarity import match_components, unit_rows

from ...corpus import TERMS, make_counts
from ..test_quality import make_model, random_model
from .drawn import close, texts_of

matplotlib = pytest.importorskip("matplotlib")
figure = pytest.importorskip("matplotlib.figure")
FigureCanvasAgg = pytest.importorskip("matplotlib.backends.backend_agg").FigureCanvasAgg


LONG = [f"term {j} ${'x' * (j % 90)}_" for j in range(200)]


def drawers(model, vocabulary):
    """All pictures of a model."""
    return {
        "plot_top_terms": lambda **ax: plots.plot_top_terms(model, vocabulary, **ax),
        "plot_term_heatmap": lambda **ax: plots.plot_term_heatmap(model, vocabulary, **ax),
        "plot_topic_sizes": lambda **ax: plots.plot_topic_sizes(model, vocabulary, **ax),
        "plot_topic_map": lambda **ax: plots.plot_topic_map(model, vocabulary, **ax),
        "plot_documents": lambda **ax: plots.plot_documents(model, vocabulary, **ax),
        "plot_comparison": lambda **ax: plots.plot_comparison(model, model, vocabulary, **ax),
        "plot_objective": lambda **ax: plots.plot_objective(model, **ax),
    }


@pytest.mark.parametrize("name", drawers(None, None))
def test_picture_is_drawn_on_the_axes_given_and_nothing_is_set(name, model, ax):
    settings = dict(matplotlib.rcParams)
    before = model.W.copy(), model.H.copy()
    draw = drawers(model, TERMS)[name]
    ax.set_position((0.2, 0.2, 0.6, 0.6))
    assert draw(ax=ax) is ax
    assert ax in ax.figure.axes
    if len(ax.figure.axes) == 1:  # the scale of a heat map takes some of the room
        assert ax.get_position().bounds == pytest.approx((0.2, 0.2, 0.6, 0.6))
    ax.figure.canvas.draw()
    alone = draw()
    assert alone is not ax
    assert alone.figure is not ax.figure
    assert dict(matplotlib.rcParams) == settings
    np.testing.assert_array_equal(model.W, before[0])
    np.testing.assert_array_equal(model.H, before[1])
    close(alone)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", drawers(None, None))
def test_odd_models_are_drawn_without_a_warning(name, many):
    one = make_model(np.ones((5, 1)), np.ones((1, 200)))
    single = make_model([[1.0], [0.0]], np.eye(200)[:1])
    for odd in (many, one, single):
        drawn = drawers(odd, LONG)[name]()
        drawn.figure.canvas.draw()
        close(drawn)


def test_every_picture_has_a_test():
    assert set(drawers(None, None)) | {"plot_selection"} == set(plots.__all__)


def test_pyplot_is_not_imported(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from tests.topics.plots.test_plots import drawers, make_model, TERMS\n"
        "model = make_model(np.ones((9, 2)), np.arange(40.0).reshape(2, 20))\n"
        "axes = [draw() for draw in drawers(model, TERMS).values()]\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        f"axes[0].figure.savefig({str(tmp_path / 'picture.png')!r})\n"
        "import matplotlib\n"
        "matplotlib.use('Agg')\n"
        "from matplotlib import pyplot\n"
        "assert not pyplot.get_fignums()\n"
        "ax = drawers(model, TERMS)['plot_top_terms']()\n"
        "assert ax.figure is pyplot.gcf() and pyplot.get_fignums() == [ax.figure.number]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_notebook_sees_a_figure_of_pyplots():
    code = (
        "import sys, unittest.mock as mock, numpy as np\n"
        "from tests.topics.plots.test_plots import make_model, plots\n"
        "import matplotlib\n"
        "matplotlib.use('Agg')\n"
        "sys.modules['IPython'] = mock.MagicMock(version_info=(9, 0))\n"
        "ax = plots.plot_topic_sizes(make_model(np.ones((9, 2)), np.ones((2, 20))))\n"
        "assert sys.modules['matplotlib.pyplot'].get_fignums() == [ax.figure.number]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_missing_matplotlib_is_named(monkeypatch, model):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for draw in drawers(model, TERMS).values():
        with pytest.raises(ImportError, match=r'pip install "sparsenmf\[plot\]"'):
            draw()


def test_bars_are_the_weights_of_the_top_terms(model, ax):
    plots.plot_top_terms(model, TERMS, [3, 1], n_terms=4, ax=ax)
    assert len(ax.patches) == 8
    shown = texts_of(ax)
    for panel, r in enumerate((2, 0)):
        terms = model.top_terms(TERMS, 4)[r]
        weights = np.array([model.H[r, TERMS.index(term)] for term in terms])
        bars = ax.patches[4 * panel : 4 * panel + 4]
        widths = np.array([bar.get_width() for bar in bars])
        np.testing.assert_allclose(widths / widths[0], weights / weights[0], rtol=1e-6)
        assert [bar.get_x() for bar in bars] == [panel] * 4
        start = shown.index(str(r + 1))
        assert shown[start + 1] == f"{topic_sizes(model)[r]:.1%}"
        assert shown[start + 2 : start + 6] == terms
    low, high = ax.get_ylim()
    assert low > high  # the first term is on top


def test_panels_are_in_rows_and_an_empty_topic_says_so(many, ax):
    plots.plot_top_terms(many, LONG, ax=ax)
    shown = texts_of(ax)
    assert len(ax.patches) == 7 * 8
    assert [text for text in shown if text.isdigit()] == list("12345678")
    assert shown[shown.index("8") + 1] == "empty"
    assert max(map(len, shown)) <= 33
    rows = {bar.get_y() for bar in ax.patches}
    assert len(rows) == 16


def test_heat_map_is_h_of_the_top_terms(model, ax):
    plots.plot_term_heatmap(model, TERMS, n_terms=3, ax=ax)
    terms = [label.get_text() for label in ax.get_yticklabels()]
    assert terms == list(dict.fromkeys(itertools.chain(*model.top_terms(TERMS, 3))))
    columns = [TERMS.index(term) for term in terms]
    expected = (model.H / model.H.max(axis=1, keepdims=True))[:, columns].T
    np.testing.assert_allclose(ax.images[0].get_array(), expected, rtol=1e-6)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "3"]


COMMON = make_model(np.eye(2), [[9.0, 4, 2, 0, 0], [9, 0, 0, 1, 3]])
"""Both topics begin with the same term."""


def test_pictures_show_distinctive_terms(ax):
    terms = ["the", "cat", "mouse", "sea", "wind"]
    plots.plot_top_terms(COMMON, terms, n_terms=2, by="distinctive", ax=ax)
    shown = [text for text in texts_of(ax) if text in terms]
    assert shown == ["cat", "mouse", "wind", "sea"]
    lengths = [bar.get_width() for bar in ax.patches]
    np.testing.assert_allclose(lengths, 0.9 * np.array([1, 2 / 4, 1, 1 / 3]))
    ax = plots.plot_term_heatmap(COMMON, terms, n_terms=1, by="distinctive")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["cat", "wind"]
    np.testing.assert_allclose(ax.images[0].get_array(), np.eye(2))
    close(ax)
    # 0 is the lift, 1 the weight
    ax = plots.plot_term_heatmap(COMMON, terms, n_terms=1, by=1.0)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["the"]
    close(ax)
    for draw in (plots.plot_top_terms, plots.plot_term_heatmap):
        with pytest.raises(ValueError, match="by must be"):
            draw(COMMON, terms, by="rare")


def test_topics_are_labelled_by_what_tells_them_apart():
    terms = ["the", "cat", "mouse", "sea", "wind"]
    for draw in (plots.plot_topic_map, plots.plot_documents):
        ax = draw(COMMON, terms, n_terms=1)
        assert {"cat", "wind"} <= {text.split("  ")[-1] for text in texts_of(ax)}
        close(ax)
    ax = plots.plot_topic_sizes(COMMON, terms, n_terms=1)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1  cat", "2  wind"]
    close(ax)


def test_heat_map_of_many_topics_has_few_rows(many, ax):
    plots.plot_term_heatmap(many, LONG, ax=ax)
    assert len(ax.get_yticklabels()) <= 60
    assert not ax.images[0].get_array()[:, 7].any()
    with pytest.raises(ValueError, match="H is zero"):
        plots.plot_term_heatmap(make_model(np.ones((3, 2)), np.zeros((2, 4))), list("abcd"))


@pytest.mark.parametrize("by", ["total", "documents", "terms"])
def test_sizes_are_the_lengths_of_bars(by, ax):
    model = random_model(3)
    plots.plot_topic_sizes(model, list("abcdefghi"), by=by, ax=ax)
    sizes = topic_sizes(model, by)
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], sizes)
    assert texts_of(ax) == [f"{size:.1%}" for size in sizes]
    assert ax.get_yticklabels()[1].get_text().startswith("2  ")
    assert ax.get_xlim()[1] > sizes.max()
    assert by in ax.get_xlabel() or by == "total"


@pytest.mark.parametrize(("k", "other_k"), [(4, 4), (3, 5), (5, 3)])
def test_comparison_puts_partners_beside_each_other(k, other_k, rng):
    model, other = (
        make_model(rng.random((6, n)), rng.gamma(0.3, size=(n, 30))) for n in (k, other_k)
    )
    drawn = figure.Figure().subplots()
    plots.plot_comparison(model, other, ax=drawn)
    columns = [int(label.get_text()) - 1 for label in drawn.get_xticklabels()]
    assert sorted(columns) == list(range(other_k))
    cosines = unit_rows(model.H) @ unit_rows(other.H).T
    shown = np.asarray(drawn.images[0].get_array())
    np.testing.assert_allclose(shown, cosines[:, columns])
    if k <= other_k:
        order, pairs = match_components(model.H, other.H)
        assert columns[:k] == order.tolist()
        assert f"{pairs.mean():.2f}" in drawn.get_title()
        np.testing.assert_allclose(np.diag(shown), pairs)
    else:
        partner, _ = match_components(other.H, model.H)
        assert np.all(np.diff(partner[columns]) > 0)


def test_objective_is_the_history(model, ax):
    other = factorize(make_counts(), 3, random_state=1)
    plots.plot_objective([model, other], ["one", "two"], ax=ax)
    lines = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == ["one", "two"]
    for line, fit in zip(lines, (model, other), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), fit.time_history)
        np.testing.assert_array_equal(line.get_ydata(), fit.objective_history)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("seconds", "objective")


def test_selection_is_drawn_by_the_same_function(ax):
    found = select_n_components(make_counts(), [1, 2, 3], random_state=0, max_iter=5)
    assert found.plot(ax) is ax
    assert ax.lines[0].get_xdata().tolist() == found.table["n_components"].tolist()
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), found.table["mean"])
    assert texts_of(ax) == [f"{found.n_components} components"]
    other = figure.Figure().subplots()
    plots.plot_selection(found, ax=other)
    assert len(other.lines) == len(ax.lines)


def test_colours_are_as_many_as_topics():
    for n in (1, 10, 11, 200):
        found = {matplotlib.colors.to_hex(colour) for colour in colours(n)}
        assert len(found) == n


MODEL = random_model(1)
NINE = list("abcdefghi")


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: plots.plot_top_terms(MODEL, ["a"]), ValueError, "vocabulary has 1 terms"),
        (lambda: plots.plot_top_terms(MODEL, NINE, [0]), ValueError, "topics must be at least 1"),
        (lambda: plots.plot_top_terms(MODEL, NINE, [5]), ValueError, "numbers from 1 to 4"),
        (lambda: plots.plot_top_terms(MODEL, NINE, []), ValueError, "numbers from 1 to 4"),
        (lambda: plots.plot_top_terms(MODEL, NINE, 3), TypeError, "topics must be a list"),
        (lambda: plots.plot_term_heatmap(MODEL, NINE, n_terms=0), ValueError, "n_terms must be"),
        (lambda: plots.plot_topic_sizes(MODEL, by="mass"), ValueError, "by must be one of"),
        (lambda: plots.plot_topic_map(MODEL, ["a"]), ValueError, "vocabulary has 1 terms"),
        (lambda: plots.plot_documents(MODEL, max_documents=0), ValueError, "max_documents must"),
        (lambda: plots.plot_comparison(MODEL, random_model(1, m=5)), ValueError, "9 and 5 feat"),
        (lambda: plots.plot_objective([]), TypeError, "models must be a Factorization"),
        (lambda: plots.plot_objective([3]), TypeError, "models must be a Factorization"),
        (
            lambda: plots.plot_objective(MODEL, ["a", "b"]),
            ValueError,
            "labels has 2 names, but there are 1 models",
        ),
        (
            lambda: plots.plot_topic_map(make_model(np.ones((2, 2)), np.zeros((2, 2)))),
            ValueError,
            "H is zero: there are no topics",
        ),
    ],
)
def test_bad_arguments_are_refused(draw, error, message):
    with pytest.raises(error, match=message):
        draw()
