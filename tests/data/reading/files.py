"""Files of every format, all of which hold the same matrix."""

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

GENES = [*(f"G{i}" for i in range(10)), "MT-CO1", "RPL13"]

CELLS = [f"{'ACGT'[i % 4] * 8}{'ACGT'[i // 4 % 4] * 8}-{i}" for i in range(30)]


def make_counts():
    rng = np.random.default_rng(0)
    X = rng.poisson(3 * rng.gamma(0.3, 1, (30, 3)) @ rng.gamma(0.3, 1, (3, 12)))
    X[:, -1], X[-1] = 1, 2  # no row and no column is empty
    X[0, 0] = 0
    return X


X = make_counts()


def table(delimiter=",", rows=None, columns=None, values=X, corner="", end="\n"):
    """The text of a table, as pandas writes it."""
    head = [] if columns is None else [delimiter.join([*([corner] * (rows is not None)), *columns])]
    body = [
        delimiter.join([*([] if rows is None else [rows[i]]), *map(str, row)])
        for i, row in enumerate(values)
    ]
    return (end.join([*head, *body]) + end).encode()


def pairs(head, first):
    """Return a line for each row: what `head` makes of its places, then place:value pairs."""
    lines = []
    for row in X:
        places = np.flatnonzero(row)
        words = [f"{place + first}:{row[place]}" for place in places[::-1]]
        lines.append(" ".join([head(places), *words]))
    return ("\n".join(lines) + "\n").encode()


def bag(path):
    rows, columns = np.nonzero(X)
    lines = [*map(str, (*X.shape, len(rows)))]
    lines += [f"{i + 1} {j + 1} {X[i, j]}" for i, j in zip(rows, columns, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    path.with_name("vocab.kos.txt").write_text("\n".join(GENES) + "\n")


def triplets(path, header, delimiter=",", end=""):
    """Write triplets whose names are texts, ordered by column, so that rows come out of order."""
    rows, columns = np.nonzero(X)
    lines = [delimiter.join(header)] if header else []
    lines += [
        delimiter.join([CELLS[i], GENES[j], str(X[i, j])]) + end
        for i, j in sorted(zip(rows, columns, strict=True), key=lambda pair: pair[::-1])
    ]
    path.write_text("\n".join(lines) + "\n")


def write_10x(folder, prefix="", version=3, turned=True, end=""):
    folder.mkdir(parents=True, exist_ok=True)
    opened = gzip.open if end == ".gz" else open
    with opened(folder / f"{prefix}matrix.mtx{end}", "wb") as file:
        scipy.io.mmwrite(file, sp.coo_array(X.T if turned else X))
    kind = "\tGene Expression" if version == 3 else ""
    name = "features" if version == 3 else "genes"
    with opened(folder / f"{prefix}{name}.tsv{end}", "wt") as file:
        file.writelines(f"ENSG{i:011d}\t{gene}{kind}\n" for i, gene in enumerate(GENES))
    with opened(folder / f"{prefix}barcodes.tsv{end}", "wt") as file:
        file.writelines(f"{cell}\n" for cell in CELLS)


def write_10x_h5(path, version=3, kinds=None):
    h5py = pytest.importorskip("h5py")
    turned = sp.csc_array(X.T)
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix" if version == 3 else "GRCh38")
        group["barcodes"] = np.array(CELLS, "S")
        group["data"], group["shape"] = turned.data.astype("i4"), np.array(turned.shape, "i4")
        group["indices"], group["indptr"] = turned.indices.astype("i8"), turned.indptr.astype("i8")
        ids = np.array([f"ENSG{i:011d}" for i in range(len(GENES))], "S")
        if version == 2:
            group["genes"], group["gene_names"] = ids, np.array(GENES, "S")
            return
        features = group.create_group("features")
        features["id"], features["name"] = ids, np.array(GENES, "S")
        features["feature_type"] = np.array(kinds or ["Gene Expression"] * len(GENES), "S")


def frame():
    return pytest.importorskip("pandas").DataFrame(X, index=CELLS, columns=GENES)


def write_h5ad(path):
    anndata = pytest.importorskip("anndata")
    pd = pytest.importorskip("pandas")
    tables = {"obs": pd.DataFrame(index=CELLS), "var": pd.DataFrame(index=GENES)}
    anndata.AnnData(sp.csr_matrix(X.astype("f4")), **tables).write_h5ad(path)


def write_parquet(path):
    pytest.importorskip("pyarrow")
    frame().to_parquet(path)


def write_feather(path):
    pytest.importorskip("pyarrow")
    frame().reset_index().to_feather(path)


def write_xlsx(path):
    pytest.importorskip("openpyxl")
    frame().to_excel(path)


def counted(places):
    return str(len(places))


TRIPLET = ["cell", "gene", "count"]

# name: (how it is written, whether it has names of features, and of samples)
FILES = {
    "X.npz": (lambda path: sp.save_npz(path, sp.csr_array(X)), False, False),
    "X.npy": (lambda path: np.save(path, X), False, False),
    "X.mtx": (lambda path: scipy.io.mmwrite(path, sp.coo_array(X)), False, False),
    "X.h5ad": (write_h5ad, True, True),
    "v3.h5": (write_10x_h5, True, True),
    "v2.h5": (lambda path: write_10x_h5(path, 2), True, True),
    "v3": (lambda path: write_10x(path, end=".gz"), True, True),
    "v2": (lambda path: write_10x(path, version=2), True, True),
    "csv.csv": (lambda path: path.write_bytes(table(",", CELLS, GENES)), True, True),
    "upper.CSV": (lambda path: path.write_bytes(table(";", CELLS, GENES)), True, True),
    "tabs.tsv": (lambda path: path.write_bytes(table("\t", CELLS, GENES, corner="id")), True, True),
    "dos.tab": (lambda path: path.write_bytes(table("\t", CELLS, GENES, end="\r\n")), True, True),
    "no_rows.csv": (lambda path: path.write_bytes(table(",", None, GENES)), True, False),
    "no_header.csv": (lambda path: path.write_bytes(table(",", CELLS)), False, True),
    "savetxt.txt": (lambda path: np.savetxt(path, X), False, False),
    "doc_word.csv": (lambda path: triplets(path, TRIPLET), True, True),
    "doc_word.tsv": (lambda path: triplets(path, TRIPLET, "\t"), True, True),
    "one.svmlight": (lambda path: path.write_bytes(pairs(lambda _: "-1 qid:3", 1)), False, False),
    "zero.libsvm": (lambda path: path.write_bytes(pairs(lambda _: "+1", 0)), False, False),
    "unsaid.txt": (lambda path: path.write_bytes(pairs(lambda _: "0.5", 1)), False, False),
    "blei.ldac": (lambda path: path.write_bytes(pairs(counted, 0)), False, False),
    "blei.dat": (lambda path: path.write_bytes(pairs(counted, 0)), False, False),
    "docword.kos.txt": (bag, True, False),
    "X.parquet": (write_parquet, True, True),
    "X.feather": (write_feather, True, True),
    "X.xlsx": (write_xlsx, True, True),
}  # fmt: skip


def compress(path, kind):
    """Replace a file by its compressed form, and return the path of that."""
    if kind == ".zst":
        packed = pytest.importorskip("zstandard").compress(path.read_bytes())
    else:
        pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[kind]
        packed = pack(path.read_bytes())
    path.unlink()
    path = Path(f"{path}{kind}")
    path.write_bytes(packed)
    return path
