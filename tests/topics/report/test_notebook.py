"""Results in an executed notebook: tables and the progress bar."""

import re
import subprocess
import sys

import numpy as np
import pytest

from sparsenmf import CoordinateDescent, Factorization, consensus, factorize, select_n_components
from sparsenmf.solvers.stopping import REASONS
from sparsenmf.topics.finding import Topics
from sparsenmf.topics.report.notebook import MOST_ROWS, N_TERMS, Bar, lay_out, show_model

from ...corpus import TERMS, make_counts
from ...pages import HOSTILE, parse_text

ALLOWED = {"#document", "div", "b", "table", "thead", "tbody", "tr", "th", "td", "bdi"}


@pytest.fixture(scope="module")
def model():
    return factorize(make_counts(), 3, random_state=0)


def rows_of(shown):
    return [[cell.text for cell in row.all("td")] for row in shown.one("tbody").all("tr")]


def made_of(W, H, options=None):
    return Factorization(
        W=np.asarray(W, float),
        H=np.asarray(H, float),
        objective_history=np.array([3.0, 2.0]),
        time_history=np.array([0.1, 0.25]),
        stop_reason="max_iter",
        optimality=1e-5,
        x_norm=4.0,
        error=2.0,
        options={"solver": "mu", "loss": "frobenius"} if options is None else options,
    )


def test_a_table_has_the_topics_and_how_the_fit_ended(model):
    topics = Topics(model, np.array(TERMS), None, None)
    masses = model.W.sum(axis=0, dtype=float) * model.H.sum(axis=1, dtype=float)
    shown = parse_text(topics._repr_html_())
    assert shown.one("b").text == "Factorization of 80 x 20 into 3 components"
    assert [head.text for head in shown.all("th")] == [
        *("topic", "size", "share", "top terms", "most distinctive"),
    ]
    for r, row in enumerate(rows_of(shown)):
        orders = ("weight", "distinctive")
        terms = [", ".join(model.top_terms(TERMS, N_TERMS, by=by)[r]) for by in orders]
        assert row == [f"topic_{r + 1}", "", f"{masses[r] / masses.sum():.1%}", *terms]
    bars = re.findall(r"width:([\d.]+)%", topics._repr_html_())
    np.testing.assert_allclose(np.array(bars, float), 100 * masses / masses[0], atol=0.051)
    ending = shown.all("div")[-1].text
    assert ending == (
        f"loss frobenius, coordinate descent, float32; objective {model.objective:,.6g}, relative "
        f"error {model.relative_error:.4f}; {model.n_iter} iterations in "
        f"{model.time_history[-1]:.2f} s; stopped: {REASONS[model.stop_reason]}"
    )
    plain = parse_text(model._repr_html_())  # a model has no names of its terms
    assert rows_of(plain) == [row[:-2] for row in rows_of(shown)]


def test_an_unknown_stop_reason_is_shown():
    ending = parse_text(show_model(made_of(np.ones((2, 1)), np.ones((1, 2))))).all("div")[-1].text
    assert ending.endswith("2 iterations in 0.25 s; stopped: the iteration limit was reached")
    assert "multiplicative updates" in ending


def test_long_tables_are_cut():
    shown = parse_text(show_model(made_of(np.ones((5, 100)), np.ones((100, 3))), ["a", "b", "c"]))
    assert len(rows_of(shown)) == MOST_ROWS
    assert "... and 70 more" in shown.text
    assert len(show_model(made_of(np.ones((5, 500)), np.ones((500, 3))), ["x" * 500] * 3)) < 40_000
    whole = show_model(made_of(np.ones((5, MOST_ROWS)), np.ones((MOST_ROWS, 3))))
    assert "more" not in parse_text(whole).text


def test_hostile_texts_stay_text():
    k = len(HOSTILE)
    model = made_of(np.eye(k), np.eye(k), {"loss": HOSTILE[0], "solver": HOSTILE[-3]})
    shown = parse_text(show_model(model, HOSTILE))
    assert {element.tag for element in shown} <= ALLOWED
    assert not any(name != "style" for element in shown for name in element.attributes)
    for row, text in zip(rows_of(shown), HOSTILE, strict=True):
        beginning = " ".join(text.split())[:20]
        beginning = re.sub("[\0-\x1f\x7f-\x9f\ud800-\udfff\ufdd0\uffff]", "\ufffd", beginning)
        assert row[-1].startswith(beginning or "(blank)")
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", show_model(model, HOSTILE))


def test_odd_models_have_a_table():
    for W, H in ((np.zeros((5, 3)), np.zeros((3, 4))), (np.ones((1, 1)), np.ones((1, 1)))):
        shown = parse_text(show_model(made_of(W, H, {}), list("abcd")[: H.shape[1]]))
        assert len(rows_of(shown)) == len(H)
    assert rows_of(shown)[0][-1] == "a"
    empty = parse_text(show_model(made_of(np.ones((2, 1)), np.zeros((1, 2))), ["a", "b"]))
    assert rows_of(empty)[0][-1] == "(empty)"
    assert "width:50.0%" in lay_out("", {"a": [Bar(0.5)]}, "")


def test_showing_a_result_does_not_read_its_W_from_disk(tmp_path):
    solver = CoordinateDescent(low_memory=True, W_path=tmp_path / "W.npy")
    model = factorize(make_counts(), 2, solver=solver, random_state=0)
    shown = parse_text(model._repr_html_())
    assert [head.text for head in shown.all("th")] == ["topic"]
    assert "iterations" in shown.text


def test_selections_and_consensus_have_tables():
    pytest.importorskip("sklearn")
    selection = select_n_components(make_counts(), [1, 2, 3], random_state=0, max_iter=20)
    shown = parse_text(selection._repr_html_())
    table = selection.table
    assert [row[0] for row in rows_of(shown)] == [str(k) for k in table["n_components"]]
    assert [row[1] for row in rows_of(shown)] == [f"{mean:.5f}" for mean in table["mean"]]
    (recommended,) = [row[0] for row in rows_of(shown) if row[-1] == "recommended"]
    assert int(recommended) == selection.n_components
    found = consensus(make_counts(), 2, n_restarts=4, random_state=0)
    shown = parse_text(found._repr_html_())
    assert shown.one("b").text == repr(found).split("\n")[0]
    assert [row[3] for row in rows_of(shown)] == [f"{mean:.2f}" for mean in found.stability]


def test_estimators_keep_the_html_of_scikit_learn():
    base = pytest.importorskip("sklearn.base")
    from sparsenmf import NMF, MiniBatchNMF

    for kind in (NMF, MiniBatchNMF):
        assert "sk-global" in kind(3)._repr_html_() or "sk-container" in kind(3)._repr_html_()
        assert "_repr_html_" not in vars(kind)
        assert issubclass(kind, base.BaseEstimator)


def test_a_table_loads_no_optional_package():
    code = (
        "import sys, numpy as np, sparsenmf\n"
        "model = sparsenmf.factorize(np.eye(5), 2)\n"
        "assert '<table' in model._repr_html_()\n"
        "loaded = {'sklearn', 'matplotlib', 'pandas', 'IPython', 'tqdm'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


CELLS = [
    "import sparsenmf, scipy.sparse as sp\nX = sp.random_array((300, 200), density=0.1, rng=0)",
    "model = sparsenmf.factorize(X, 5, random_state=0, progress=True)",
    "model",
    "texts = ['the cat sat', 'a cat and a mouse', 'stocks fell', 'stocks rose today']\n"
    "sparsenmf.find_topics(texts, 2, min_df=1, random_state=0)",
]


def execute(first):
    """Run a notebook whose first cell is given; return it."""
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    cells = [nbformat.v4.new_code_cell(source) for source in [first, *CELLS]]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    for cell in cells:
        assert not any("Warning" in output.get("text", "") for output in cell.outputs)
    return notebook


def check_tables(notebook):
    fitted, found = (notebook.cells[place].outputs for place in (-2, -1))
    shown = parse_text(fitted[0]["data"]["text/html"])
    assert [row[0] for row in rows_of(shown)] == [f"topic_{r}" for r in range(1, 6)]
    shown = parse_text(found[0]["data"]["text/html"])
    assert {row[-1].split(",")[0] for row in rows_of(shown)} == {"cat", "stocks"}


def test_a_notebook_without_ipywidgets_has_a_bar_of_text():
    notebook = execute("import sys; sys.modules['ipywidgets'] = None")
    check_tables(notebook)
    outputs = notebook.cells[2].outputs
    assert {output["name"] for output in outputs} == {"stderr"}
    last = "".join(output["text"] for output in outputs).split("\r")[-1]
    assert re.match(r"factorize: 100%\|█+\| (\d+)/\1 .*relative error 0\.\d{5}\] *\n$", last)


def test_a_notebook_with_ipywidgets_has_a_bar_that_is_full_at_the_end():
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    notebook = execute("import ipywidgets")
    check_tables(notebook)
    outputs = notebook.cells[2].outputs  # with lines that say what is done
    (output,) = [output for output in outputs if output["output_type"] == "display_data"]
    assert "application/vnd.jupyter.widget-view+json" in output["data"]
    widgets = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    states = [widget["state"] for widget in widgets.values()]
    (bar,) = [state for state in states if state["_model_name"] == "FloatProgressModel"]
    assert bar["value"] == bar["max"] > 1
    assert bar["bar_style"] == "success"
    texts = [state["value"] for state in states if state["_model_name"] == "HTMLModel"]
    assert any(re.search(r"relative\serror\s0\.\d{5}", text) for text in texts)
