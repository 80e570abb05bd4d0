"""The text of the report as HTML: every function escapes what it is given, unless it says so."""

import html
import re
from dataclasses import dataclass

from ...data.texts import shorten
from ...solvers.stopping import REASONS

TERM_WIDTH = 80
TITLE_WIDTH = 200
VALUE_WIDTH = 300

# Control characters, surrogates and noncharacters, which an HTML page must not contain.
UNPRINTABLE = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

SOLVERS = {"cd": "coordinate descent", "mu": "multiplicative updates"}

NAME_TERMS = 3


def show(value, width, escape=False):
    """Return a value as one line of at most this width, escaped for HTML if so asked."""
    text = UNPRINTABLE.sub("\ufffd", shorten(str(value), width))
    return html.escape(text) if escape else text


def show_lines(text):
    """Return a text of several lines, escaped for HTML."""
    return html.escape(UNPRINTABLE.sub("\ufffd", text))


@dataclass
class Topic:
    """What the report shows of a topic; its texts are printable, but not escaped."""

    number: int
    terms: list[str]
    distinctive: list[str]
    shows_both: bool
    weights: list[float]
    share: float
    count: int
    rows: list[int]
    titles: list[str]
    texts: list[str]
    matches: list[float]
    similar: list[int]

    @property
    def name(self):
        """The most distinctive terms, or, if one kind of top terms is shown, the first of them."""
        return ", ".join(self.distinctive[:NAME_TERMS]) or "(empty)"

    @property
    def name_html(self):
        """The name as HTML, in which each term has its own writing direction."""
        return ", ".join(f"<bdi>{html.escape(t)}</bdi>" for t in self.distinctive[:NAME_TERMS]) or (
            "(empty)"
        )


def counted(number, noun):
    """Return a number with its noun, such as "1 topic" or "2,000 topics"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def facts_of(model, summary):
    """Return the names and values of the overview, not escaped."""
    options, n_iter = model.options, model.n_iter
    facts = {
        "Documents": model.n_samples,
        "Terms": model.n_features,
        "Topics": model.n_components,
        "Loss": options.get("loss", "unknown"),
        "Solver": solver_of(model),
        "Precision": model.H.dtype,
        "Relative error": f"{model.relative_error:.4f}",
        "Optimality": f"{model.optimality:.1e}",
    }
    if n_iter:
        facts["Objective"] = f"{model.objective:,.6g}"
        facts["Iterations"] = f"{n_iter:,} in {model.time_history[-1]:.2f} s"
    facts["Stopped"] = reason_of(model)
    if without := model.n_samples - int(summary.counts.sum()):
        facts["Without a topic"] = counted(without, "document")
    return facts


def solver_of(model):
    """Return the name of the solver in words."""
    solver = model.options.get("solver", "unknown")
    return SOLVERS.get(solver, solver) if isinstance(solver, str) else solver


def reason_of(model):
    """Return the reason why the run stopped, in words."""
    return REASONS.get(model.stop_reason, model.stop_reason)


def lay_out_facts(facts):
    """Return the items of the description list of facts."""
    return "\n".join(
        f'<div><dt dir="auto">{show(name, VALUE_WIDTH, True)}</dt>'
        f'<dd dir="auto">{show(_grouped(value), VALUE_WIDTH, True)}</dd></div>'
        for name, value in facts.items()
    )


def _grouped(value):
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value


def lay_out_index(topics):
    """Return the items of the index of topics."""
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
        f"{topic.share:.1%} of the total",
        f"strongest topic of {counted(count, 'document')}",
    ]
    if topic.similar:
        links = (
            f'<a href="#topic-{topics[s].number}">{topics[s].number} {topics[s].name_html}</a>'
            for s in topic.similar
        )
        facts.append(f"similar: {'; '.join(links)}")
    found = zip(topic.rows, topic.titles, topic.texts, topic.matches, strict=True)
    documents = "".join(_document(*shown) for shown in found)
    return (
        f'<article class="topic" id="topic-{number}" data-share="{topic.share:.6g}" '
        f'data-documents="{count}" aria-labelledby="name-{number}">\n'
        f'<h3 id="name-{number}"><span class="number">{number}</span> '
        f'<span class="name">{topic.name_html}</span></h3>\n'
        f'<p class="note">{" · ".join(facts)}</p>\n'
        f'<div><ol class="terms">{_terms(topic)}</ol>{_distinctive(topic)}</div>\n'
        f'<ul class="documents">{documents}</ul>\n'
        "</article>"
    )


def _document(row, title, text, match):
    """Return the list item of a typical document; title or text may be empty."""
    number = f"{row:,} · " if title or text else ""
    parts = {"title": title, "text": text if title or text else f"document {row}"}
    spans = (
        f'<span class="{kind}" dir="auto">{html.escape(part)}</span>'
        for kind, part in parts.items()
        if part
    )
    return f'<li><div>{" ".join(spans)}</div> <span class="value">{number}{match:.0%}</span></li>'


def _terms(topic):
    most = max(topic.weights, default=1.0)
    return "\n".join(
        f'<li><span class="term" dir="auto">{html.escape(term)}</span> {_bar(weight / most)} '
        f'<span class="value">{weight:.1%}</span></li>'
        for term, weight in zip(topic.terms, topic.weights, strict=True)
    )


def _distinctive(topic):
    """Return the list of the most distinctive terms, if it stands beside another one."""
    if not (topic.shows_both and topic.distinctive):
        return ""
    terms = "\n".join(
        f'<li><span class="term" dir="auto">{html.escape(term)}</span></li>'
        for term in topic.distinctive
    )
    return f'<p class="note">Most distinctive</p>\n<ol class="distinctive">{terms}</ol>'


def _bar(part):
    return (
        f'<svg class="bar" aria-hidden="true"><rect width="{part:.1%}" height="100%" rx="1"/></svg>'
    )


def lay_out_options(options):
    """Return the rows of the table of options."""
    return "\n".join(
        f'<tr><th scope="row" dir="auto">{show(name, VALUE_WIDTH, True)}</th>'
        f'<td dir="auto">{show(value, VALUE_WIDTH, True)}</td></tr>'
        for name, value in options.items()
    )
