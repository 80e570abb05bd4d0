"""The parts of the page that are text: each function returns HTML, and escapes what it is given."""

import html
from dataclasses import dataclass

from ..stopping import REASONS
from .safe import VALUE_WIDTH, show

OPTIONS = (
    "solver",
    "loss",
    "init",
    "alpha_W",
    "alpha_H",
    "l1_ratio",
    "tol",
    "max_iter",
    "max_sweeps",
    "extrapolate",
)
"""What `factorize` takes and a model keeps."""

SOLVERS = {"cd": "coordinate descent", "mu": "multiplicative updates"}

NAME_TERMS = 3


@dataclass
class Topic:
    """What is shown of a topic; the texts are fit to be shown, but not escaped."""

    number: int
    terms: list[str]
    weights: list[float]
    share: float
    count: int
    rows: list[int]
    texts: list[str]
    matches: list[float]
    similar: list[int]

    @property
    def name(self):
        """Its heaviest terms."""
        return ", ".join(self.terms[:NAME_TERMS]) or "(empty)"

    @property
    def name_html(self):
        """The same as HTML, each term with its own direction."""
        return ", ".join(f"<bdi>{html.escape(t)}</bdi>" for t in self.terms[:NAME_TERMS]) or (
            "(empty)"
        )


def lead_of(model):
    """Return one sentence: what was factorized into what."""
    n, m, k = model.n_samples, model.n_features, model.n_components
    return f"{n:,} documents of {m:,} terms in {k:,} topic{'s' * (k != 1)}"


def facts_of(model, found):
    """Return names and values of the overview, not escaped."""
    options, n_iter = model.options, model.n_iter
    solver = options.get("solver", "unknown")
    facts = {
        "Documents": model.n_samples,
        "Terms": model.n_features,
        "Topics": model.n_components,
        "Loss": options.get("loss", "unknown"),
        "Solver": SOLVERS.get(solver, solver) if isinstance(solver, str) else solver,
        "Precision": model.H.dtype,
        "Relative error": f"{model.relative_error:.4f}",
        "Optimality": f"{model.optimality:.1e}",
    }
    if n_iter:
        facts["Objective"] = f"{model.objective:,.6g}"
        facts["Iterations"] = f"{n_iter:,} in {model.time_history[-1]:.2f} s"
    facts["Stopped"] = REASONS.get(model.stop_reason, model.stop_reason)
    if without := model.n_samples - int(found.counts.sum()):
        facts["Without a topic"] = f"{without:,} document{'s' * (without != 1)}"
    return facts


def lay_out_facts(facts):
    """Return the items of a description list."""
    return "\n".join(
        f'<div><dt dir="auto">{show(name, VALUE_WIDTH, True)}</dt>'
        f'<dd dir="auto">{show(_grouped(value), VALUE_WIDTH, True)}</dd></div>'
        for name, value in facts.items()
    )


def _grouped(value):
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value


def lay_out_index(topics):
    """Return the items of the list of topics."""
    most = max(topic.share for topic in topics) or 1.0
    return "\n".join(
        f'<li><a href="#topic-{t.number}"><span class="number">{t.number}</span> '
        f'<span class="name">{t.name_html}</span> {_bar(t.share / most)} '
        f'<span class="value">{t.share:.1%}</span></a></li>'
        for t in topics
    )


def lay_out_topics(topics):
    """Return an article for each topic."""
    return "\n".join(_article(topic, topics) for topic in topics)


def _article(topic, topics):
    number, count = topic.number, topic.count
    facts = [
        f"{topic.share:.1%} of the whole",
        f"the strongest in {count:,} document{'s' * (count != 1)}",
    ]
    if topic.similar:
        links = (
            f'<a href="#topic-{topics[s].number}">{topics[s].number} {topics[s].name_html}</a>'
            for s in topic.similar
        )
        facts.append(f"similar: {'; '.join(links)}")
    documents = "".join(
        f'<li><span class="text" dir="auto">{html.escape(text) or f"document {row}"}</span> '
        f'<span class="value">{f"{row:,} · " if text else ""}{match:.0%}</span></li>'
        for row, text, match in zip(topic.rows, topic.texts, topic.matches, strict=True)
    )
    return (
        f'<article class="topic" id="topic-{number}" data-share="{topic.share:.6g}" '
        f'data-documents="{count}" aria-labelledby="name-{number}">\n'
        f'<h3 id="name-{number}"><span class="number">{number}</span> '
        f'<span class="name">{topic.name_html}</span></h3>\n'
        f'<p class="note">{" · ".join(facts)}</p>\n'
        f'<ol class="terms">{_terms(topic)}</ol>\n'
        f'<ul class="documents">{documents}</ul>\n'
        "</article>"
    )


def _terms(topic):
    most = max(topic.weights, default=1.0)
    return "\n".join(
        f'<li><span class="term" dir="auto">{html.escape(term)}</span> {_bar(weight / most)} '
        f'<span class="value">{weight:.1%}</span></li>'
        for term, weight in zip(topic.terms, topic.weights, strict=True)
    )


def _bar(part):
    return (
        f'<svg class="bar" aria-hidden="true"><rect width="{part:.1%}" height="100%" rx="1"/></svg>'
    )


def lay_out_options(options):
    """Return the rows of a table."""
    return "\n".join(
        f'<tr><th scope="row" dir="auto">{show(name, VALUE_WIDTH, True)}</th>'
        f'<td dir="auto">{show(value, VALUE_WIDTH, True)}</td></tr>'
        for name, value in options.items()
    )


def code_of(model, details):
    """Return the call that fits the model again, as escaped Python."""
    given = {"n_components": model.n_components}
    given |= {name: model.options[name] for name in OPTIONS if name in model.options}
    given |= {name: details[name] for name in ("random_state",) if name in details}
    lines = [f"{name}={show(repr(value), VALUE_WIDTH)}," for name, value in given.items()]
    if model.options.get("init") == "custom":
        lines.append("W=W, H=H,  # the factors that it began with")
    if model.feature_weight is not None:
        lines.append("feature_weight=model.feature_weight,")
    if "random_state" not in given:
        lines.append("random_state=...,  # a model does not keep its seed")
    body = "\n".join(f"    {line}" for line in lines)
    size = f"{model.n_samples:,} x {model.n_features:,}, {model.H.dtype}"
    text = f"import sparsenmf\n\nmodel = sparsenmf.factorize(\n    X,  # {size}\n{body}\n)"
    return html.escape(text)
