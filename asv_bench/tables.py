"""Make the tables and the figure of README.md and docs/speed.md from results of `compare.py`.

    python asv_bench/tables.py            # write them
    python asv_bench/tables.py --check    # exit with 1 if a table differs from its results

`measured/speed.json` becomes the table and the figure of README.md; each file in `measured/`
becomes a table of docs/speed.md, between the two comments that name its place.
"""

import argparse
import json
import re
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
MANUAL = HERE.parent / "docs" / "speed.md"
MEASURED = HERE / "measured"
FIGURE = HERE.parent / "examples" / "pictures" / "speed.png"
SHOWN = ("20newsgroups", 50)  # matrix and number of components of the figure

NAMES = {
    "20newsgroups": "20 Newsgroups",
    "tdt2_top30": "TDT2",
    "associated_press": "Associated Press",
    "texts": "One-line texts",
}
TITLES = {
    "speed": "A random start, single precision, two threads",
    "nndsvd": "From an NNDSVD start",
    "default": "Default calls, each with its own start (scikit-learn: nndsvda)",
    "double": "Double precision",
    "one_thread": "One thread",
    "counts": "Counts, the Kullback-Leibler loss (scikit-learn: multiplicative updates)",
}


def ratio(record, ours):
    """Return how many times longer a peer took; 0 if ours never got there."""
    if ours["seconds"] is None:
        return 0.0
    return (record["seconds"] or float("inf")) / ours["seconds"]


def grouped(records):
    """Return {(data, k): {start: {peer: record}}}, in the order of the run."""
    groups = {}
    for record in records:
        starts = groups.setdefault((record["data"], record["k"]), {})
        starts.setdefault(record["start"], {})[record["peer"]] = record
    return groups


def cell(starts, peer):
    """Return the median of the ratios of a peer's time to ours."""
    median = statistics.median(ratio(by[peer], by["sparsenmf"]) for by in starts.values())
    return f"{float(f'{median:.2g}'):g}x"


def seconds(starts):
    """Return the median of our seconds."""
    own = [by["sparsenmf"]["seconds"] or float("inf") for by in starts.values()]
    return f"{statistics.median(own):.2g} s"


def size(record):
    """Return a matrix's shape and number of nonzeros in words."""
    n, m = record["shape"]
    return f"{n:,} x {m:,}, {record['nnz'] / 1e6:.1f} million"


def speed_table(results):
    """Return README's table: a row for each matrix, a column for each number of components."""
    groups = grouped(results["records"])
    numbers = sorted({k for _, k in groups})
    first = {data: next(iter(starts.values()))["sparsenmf"] for (data, _), starts in groups.items()}
    lines = [
        "| tf-idf matrix, nonzeros | " + " | ".join(f"{k} components" for k in numbers) + " |",
        "| --- |" + " ---: |" * len(numbers),
    ]
    for data, record in first.items():
        cells = [
            f"{seconds(groups[data, k])}, **{cell(groups[data, k], 'scikit-learn')}**"
            for k in numbers
        ]
        lines.append(f"| {NAMES.get(data, data)}, {size(record)} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", origin(results["run"])])


def comparison_table(results):
    """Return one run's table: a row for each matrix and number of components."""
    records = results["records"]
    peers = list(dict.fromkeys(r["peer"] for r in records if r["peer"] != "sparsenmf"))
    lines = [
        "| matrix | components | starts that got there | sparsenmf | "
        + " | ".join(peers)
        + " | objective at the end, beside scikit-learn's |",
        "| --- | ---: | ---: | ---: |" + " ---: |" * len(peers) + " ---: |",
    ]
    for (data, k), starts in grouped(records).items():
        ours = [by["sparsenmf"] for by in starts.values()]
        there = sum(record["seconds"] is not None for record in ours)
        final = statistics.median(record["final_relative_to_reference"] for record in ours)
        cells = [
            *(NAMES.get(data, data), str(k), f"{there} of {len(ours)}", seconds(starts)),
            *(cell(starts, peer) for peer in peers),
            f"{100 * (final - 1):+.2f}%",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", origin(results["run"])])


def origin(run):
    """Return when, where and how the results of a run were measured."""
    machine, versions = run["machine"], run["versions"]
    packages = ", ".join(f"{name} {versions[name]}" for name in sorted(versions))
    packages = packages.replace("sparsenmf " + versions["sparsenmf"], f"commit {run['commit']}")
    return (
        f"`{run['command']}`\n({run['date']}; {machine['processor']}, {machine['cores']} cores; "
        f"Python {machine['python']}, {packages})"
    )


def replaced(text, name, table):
    """Return a page with the table between the comments that name its place."""
    begin, end = f"<!-- {name}: made by asv_bench/tables.py -->", f"<!-- end of {name} -->"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    found, count = re.subn(pattern, lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"there must be one place for {name}, between {begin} and {end}")
    return found


def pages():
    """Return {path: text} as the two pages should be."""
    runs = {path.stem: json.loads(path.read_text()) for path in MEASURED.glob("*.json")}
    tables = [
        f"### {title}\n\n{comparison_table(runs[name])}"
        for name, title in TITLES.items()
        if name in runs
    ]
    unknown = runs.keys() - TITLES
    if unknown:
        raise SystemExit(f"no title for {', '.join(sorted(unknown))}: add one to TITLES")
    return {
        README: replaced(README.read_text(encoding="utf-8"), "speed", speed_table(runs["speed"])),
        MANUAL: replaced(MANUAL.read_text(encoding="utf-8"), "comparisons", "\n\n".join(tables)),
    }


def draw(results):
    """Return a figure of the loss against time, of the first start."""
    from matplotlib import pyplot

    data, k = SHOWN
    starts = grouped(results["records"])[SHOWN]
    figure, axis = pyplot.subplots(figsize=(7, 3), layout="constrained")
    for peer, record in next(iter(starts.values())).items():
        n_iter = [int(n) for n in record["curve"]]
        moments = [n * record["seconds"] / record["iterations"] for n in n_iter]
        axis.plot(moments, list(record["curve"].values()), ".-", label=peer)
        axis.annotate(
            f"{record['seconds']:.2g} s",
            (moments[-1], record["curve"][str(n_iter[-1])]),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
        )
    axis.set(xscale="log", xlabel="seconds", ylabel=r"$\|X - WH\|^2\ /\ \|X\|^2$")
    axis.set_title(f"{NAMES[data]}, {k} components, from the same start")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    return figure


def main():
    """Write the tables and the figure, or compare the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 if stale")
    check = parser.parse_args().check
    stale = [path for path, text in pages().items() if path.read_text(encoding="utf-8") != text]
    if check:
        sys.exit("stale: " + ", ".join(map(str, stale)) if stale else 0)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    sys.path.insert(0, str(FIGURE.parent))
    from make import on_a_card, save

    save(on_a_card(draw(json.loads((MEASURED / "speed.json").read_text()))), FIGURE)


if __name__ == "__main__":
    main()
