"""Do the tests notice? Break the package in many small ways, one at a time, and see.

    python tests/tools/mutants.py [--only WORD] [--list]

Each mutant is made in a temporary copy of the tree, with a cache of kernels of its own, and
run against the tests that should notice. Run by hand: it takes about half an hour. Exit code
1 if a mutant survives that is not known to be equivalent, or no longer applies to the source.
"""

import argparse
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

TIMEOUT = 400  # seconds for the tests of one mutant; a mutant that hangs is noticed


class Mutant(NamedTuple):
    """A change of one place in a file, and the tests that should notice."""

    path: str
    old: str
    new: str
    tests: str
    jit: bool


def compiled(path, tests, changes):
    """Mutants of vector code, which only runs where it is compiled."""
    return [Mutant(path, old, new, tests, True) for old, new in changes]


def interpreted(path, tests, changes):
    """Mutants of kernels whose logic is the same without the JIT, and quicker to run."""
    return [Mutant(path, old, new, tests, False) for old, new in changes]


KERNELS = "tests/kernels/test_kernels.py"
SIMD = "tests/kernels/vector/test_vector.py"
WEIGHTED = "tests/kernels/test_weighted.py -k update_rows_weighted_equals"
WEIGHTED_MU = "tests/kernels/test_weighted_multiplicative.py -k update_rows_mu_weighted_equals"
WEIGHTED_KL = "tests/kernels/test_weighted.py -k update_rows_kl_with_weights"
KL = "tests/kernels/test_kullback_leibler.py -k reference"
BETA = "tests/kernels/test_multiplicative.py -k one_iteration"
GATE = "tests/data/test_refusals.py tests/data/test_validation.py"
FUZZ = "tests/test_fuzz.py"

MUTANTS = [
    # Vector code.
    *compiled(
        "kernels/vector/gather.py",
        f"{SIMD} -k 'gather_rows or last_turn'",
        [
            ("b.mul(before_last, step)", "b.mul(before_last, code.index(n_chains - 1))"),
            ("chains[c * n : (c + 1) * n])", "chains[:n])"),
            ("functools.partial(turn, last=True)", "turn"),
            ("b.select(there, p, first) if last and c", "p if last and c"),
            ("b.select(there, x, ir.Constant(code.scalar, 0.0)) if last and c", "x if last and c"),
            ("for c in range(1, n_chains):", "for c in range(2, n_chains):"),
            (
                "piece.store(value, code.at(target, code.index(q)))",
                "piece.store(value, target)",
            ),
            ("(code, (width - 1) * code.lanes)]", "(code, 0)]"),
        ],
    ),
    *compiled(
        "kernels/vector/gather.py",
        f"{SIMD} -k strips_and_products",
        [
            (
                "for source, total in zip(sources, totals,",
                "for source, total in zip(sources[::-1], totals,",
            ),
            ('inside.append(b.icmp_signed("<", p', 'inside.append(b.icmp_signed("<=", p'),
            ("b.fadd(sums[q], sums[half + q])", "b.fadd(sums[q], sums[q])"),
        ],
    ),
    *compiled(
        "kernels/vector/rows.py",
        f"{SIMD} -k copy_rows",
        [
            ("read, write = code.row(source, start)", "read, write = code.row(source, first)"),
            ("code.b.mul(n, width)", "width"),
        ],
    ),
    *compiled(
        "kernels/vector/rows.py",
        f"{SIMD} -k stream_rows",
        [
            ("write = code.b, code.row(target, first)", "write = code.b, target.data"),
            ("b.and_(aligned, _is_far(code, target))", "_is_far(code, target)"),
            ("size = b.mul(n, code.length(source, 1))", "size = code.length(source, 1)"),
        ],
    ),
    *compiled(
        "kernels/vector/rows.py",
        f"{SIMD} -k add_gram",
        [
            ("            begin = end\n", "            begin = r0\n"),
            ("code.index(-part.lanes)))", "code.index(-2 * part.lanes)))"),
            ("b.store(b.fadd(old, ", "b.store(b.fsub(old, "),
        ],
    ),
    *compiled(
        "kernels/vector/gather.py",
        f"{KERNELS} -k scatter_rows",
        [("code.add_product(x, value, code.load(pointer))", "code.splat(b.load(pointer))")],
    ),
    *compiled(
        "kernels/vector/rows.py",
        f"{KERNELS} -k extrapolate",
        [
            ("b.fsub(now, code.load(place)), now)", "b.fsub(code.load(place), now), now)"),
            ('b.fcmp_ordered("<", value, bound)', 'b.fcmp_ordered("<", value, value)'),
        ],
    ),
    *compiled(
        "kernels/vector/vector_code.py",
        f"{SIMD} -k logarithms",
        [
            ("LOG_2_LOW = 0.693359375, -2.1", "LOG_2_LOW = 0.693359375, 2.1"),
            ("constant(-0.5)", "constant(-0.4999)"),
        ],
    ),
    *compiled(
        "kernels/vector/vector_code.py",
        f"{SIMD} -k transpose",
        [("else self.lanes + lane - half", "else self.lanes + lane")],
    ),
    *compiled(
        "kernels/vector/tiles.py",
        f"{SIMD} -k tile",
        [
            (
                "square = code.b, code.splat(narrow.b.fmul(tolerance, tolerance))",
                "square = code.b, code.splat(tolerance)",
            ),
            (
                "b.select(is_first, b.fmul(square, change), b.load(limits[v]))",
                "b.fmul(square, change)",
            ),
            ("b.store(b.uitofp(moved[v], code.vector), active[v])", ""),
            (
                'b.icmp_signed("<", b.load(done), max_sweeps)',
                'b.icmp_signed("<=", b.load(done), max_sweeps)',
            ),
            ('fcmp_ordered("<", vector, end)', 'fcmp_ordered("<=", vector, end)'),
            ("code.index(0), r0, nothing)", "code.index(BLOCK), r0, nothing)"),
            ("rate = b.fmul(scale, live[v])", "rate = scale"),
            ("code.add_product(c, rate, old), b.fmul(slopes[q][v], rate)", "old, b.fmul(c, rate)"),
            ("step, following[p - q], slopes[p][v]", "step, following[0], slopes[p][v]"),
            (
                "part = code.add_product(b.fmul(diagonal, half), new,",
                "part = code.add_product(diagonal, new,",
            ),
            ("                else:\n                    new = old\n", ""),
            (
                "total = code.add_product(b.fmul(step, step), diagonal,",
                "total = code.add_product(step, diagonal,",
            ),
        ],
    ),
    *compiled(
        "kernels/vector/strips.py",
        f"{SIMD} -k move_and_sum",
        [
            (
                "least), least, new)\n        code.store(new, place)\n        ratio",
                "least), new, new)\n        code.store(new, place)\n        ratio",
            ),
            (
                "code.add_product(weighted, ratio, totals[1])",
                "code.add_product(values, ratio, totals[1])",
            ),
            ("for first in (0, lanes)", "for first in (0, 0)"),
        ],
    ),
    *compiled(
        "kernels/vector/strips.py",
        f"{SIMD} -k strips_and_products",
        [
            (
                "b.select(keep, code.load(code.at(source, place)), code.zeros)",
                "code.load(code.at(source, place))",
            )
        ],
    ),
    *compiled(
        "kernels/vector/strips.py",
        "tests/kernels/test_weighted.py -k test_rows_too_long_for_the_scratch",
        [
            (
                "rest = b.fsub(code.load(code.at(x.data, p)), b.fmul(weight, new))",
                "rest = b.fsub(code.load(code.at(x.data, p)), new)",
            )
        ],
    ),
    *compiled(
        "kernels/vector/short_rows.py",
        WEIGHTED,
        [
            ('keep = b.and_(real, b.icmp_signed("<", place, stop))', "keep = real"),
            (
                "code.add_product(b.fmul(weight, base), base, totals[2 * v + 1])",
                "code.add_product(weight, base, totals[2 * v + 1])",
            ),
        ],
    ),
    *compiled(
        "kernels/vector/short_rows.py",
        f"{SIMD} -k gathered_columns",
        [
            (
                "one_vector(rows, inside, whole, place, n)",
                "one_vector(rows, inside, none, place, n)",
            ),
            ("code.transposed(loaded)[:n]", "code.transposed(loaded)[: n - 1]"),
        ],
    ),
    *compiled(
        "kernels/vector/tiles.py",
        f"{SIMD} -k diagonal",
        [('b.and_(flags, b.fcmp_ordered(">", diagonal, tiny))', "flags")],
    ),
    *compiled(
        "kernels/vector/tiles.py",
        "tests/solvers/test_constraints.py",
        [
            (
                'b.and_(flags, b.fcmp_ordered(">", diagonal, tiny))',
                'b.fcmp_ordered(">", diagonal, tiny)',
            ),
        ],
    ),
    *compiled(
        "kernels/vector/rows.py",
        f"{SIMD} -k restricted",
        [
            ("b.select(one, code.index(0), row)", "code.index(0)"),
            ("code.load(place), never), place)", "code.load(place), code.zeros), place)"),
        ],
    ),
    *compiled(
        "kernels/vector/rows.py",
        f"{SIMD} -k earlier",
        [
            ("code.add_product(code.splat(fade), earlier,", "b.fadd(earlier,"),
            ("code.store(total, code.at(part_row(nothing), offset))", "pass"),
        ],
    ),
    *compiled(
        "kernels/vector/gather.py",
        f"{SIMD} -k gathered",
        [
            (
                "stop = b.select(inside, b.load(code.at(row, one)), start)",
                "stop = b.load(code.at(row, one))",
            ),
        ],
    ),
    # The logic of kernels.
    *interpreted(
        "kernels/weighted_short_rows.py",
        WEIGHTED,
        [
            ("order[0] = counts[limit + 1] - 1", "order[0] = counts[limit + 1] - 2"),
            ("chosen[t] = order[first + t]", "chosen[t] = order[1 + t]"),
            ("last = order[first + n - 1]", "last = order[first]"),
            ("lines[1, place + t] = v - dtype.type(rows.absent)", "lines[1, place + t] = v"),
            (
                "product[r, t] += gram[r, s] * w[s, t]",
                "product[r, t] += gram[r, s] * w[r, t]",
            ),
            ("if change[t] <= limit[t] and sweep % 2 == 0:", "if change[t] <= limit[t]:"),
            ("not (skip_zeros and old == 0)", "not skip_zeros"),
            ("- l2[t] * old\n", "\n"),
            ("change[t] if active[t] == 0 else zero", "zero"),
            (
                "(0.5 * tile.slopes[r, t] + tile.penalties[0, t] + 0.5 * l2 * w)",
                "(0.5 * tile.slopes[r, t] + tile.penalties[0, t])",
            ),
        ],
    ),
    *interpreted(
        "kernels/weighted.py",
        "tests/kernels/test_weighted.py -k test_rows_too_long_for_the_scratch",
        [
            ("product[s] += step * gram[r, s]", "product[s] -= step * gram[r, s]"),
            ("        r = r0 + q\n", "        r = q\n"),
        ],
    ),
    *interpreted(
        "kernels/weighted_multiplicative.py",
        WEIGHTED_MU,
        [
            (
                "denominators[r] += rate * other[indices[start + p], r]",
                "denominators[r] -= rate * other[indices[start + p], r]",
            ),
            ("return v * ratio + (v - absent) * y", "return v * ratio + v * y"),
        ],
    ),
    *interpreted(
        "kernels/entries.py",
        WEIGHTED,
        [
            ("total += v * rest * rest - rows.absent", "total += rest * rest - rows.absent"),
            ("y[first + (p - start) * step]", "y[first + (p - start)]"),
        ],
    ),
    *compiled(
        "kernels/vector/rows.py",
        "tests/kernels/vector/test_vector.py -k loaded_and_copied",
        [
            ("code.offsets(whole, code.length(x))", "code.offsets(n, code.length(x))"),
            ("code.steps(whole, n)", "code.steps(whole, whole)"),
            ("code.offsets(code.index(0), whole)", "code.offsets(code.index(0), code.index(0))"),
        ],
    ),
    *compiled(
        "kernels/vector/gather.py",
        "tests/kernels/vector/test_vector.py -k strips_and_products",
        [("b.select(there, sums[0], ones)", "b.select(there, sums[0], sums[0])")],
    ),
    *interpreted(
        "kernels/coordinate_descent.py",
        KERNELS,
        [
            ("n = min(n_tile, chunk_end - i)", "n = min(n_tile, chunk_end - i - 1)"),
            (
                "for i in range(chunk, chunk_end, n_tile)",
                "for i in range(chunk, chunk_end - 1, n_tile)",
            ),
            ("measuring = wanted or max_sweeps == 0", "measuring = max_sweeps == 0"),
            ("sums[:2] if max_sweeps == 0 else sums[2:]", "sums[2:]"),
            ("copy_rows(buffer, 0, factor, i, 0 if whole else n)", "whole = False"),
            ("0 if whole else n)", "0)"),
            ("held[i - chunk : i - chunk + n_tile]", "held[:n_tile]"),
            ("add_gram(held, 0, chunk_end - chunk", "add_gram(held, 0, n_tile"),
            ("chunk_end - chunk if max_sweeps > 0 else 0", "chunk_end - chunk"),
            ("residual if measuring else 0.0", "residual"),
        ],
    ),
    *interpreted(
        "kernels/gram.py",
        KERNELS,
        [("np.tri(n, k=-1, dtype=bool)", "np.tri(n, k=-2, dtype=bool)")],
    ),
    *interpreted(
        "kernels/products.py",
        KERNELS,
        [
            (
                "v * (x - y) * (x - y) - rows.absent * y * y",
                "v * (x - y) * (x - y) + rows.absent * y * y",
            ),
            (
                "min(TILE_ROWS, parts[part + 1] - i)",
                "min(TILE_ROWS, parts[part + 1] - i - 1)",
            ),
            ("row[order[c]]", "row[c]"),
            ("factor[i, c] * scale[c]", "factor[i, c]"),
        ],
    ),
    *compiled(
        "kernels/vector/transpose.py",
        "tests/kernels/test_kernels.py -k move_entries",
        [
            ("b.store(b.add(place, one), head_of(p))", "b.store(place, head_of(p))"),
            ("b.store(b.add(b.load(counter), one), counter)", "pass"),
            ("b.trunc(i, kind)", "b.trunc(first, kind)"),
        ],
    ),
    *interpreted(
        "kernels/transpose.py",
        KERNELS,
        [("parts[0], parts[-1] = 0, rows.n_rows", "parts[0] = 0")],
    ),
    *interpreted(
        "kernels/kullback_leibler.py",
        KL,
        [
            ("ratio = g / target\n", "ratio = target / g\n"),
            ("curvature = h + l2 * ratio * ratio", "curvature = h + l2"),
            ("2 * share * share * (target - g)", "2 * share * (target - g)"),
            ("if sums[0] > limit or", "if sums[0] < limit or"),
            ("change += (target - g) * (old - new)", "change += (g - target) * (old - new)"),
            ("slopes[r] + l1 + l2 == 0", "slopes[r] + l1 == 0"),
        ],
    ),
    *interpreted(
        "kernels/kullback_leibler.py",
        "tests/kernels/test_kullback_leibler.py -k only_one_component",
        [
            (" or is_needed(old, strips, q, spare, least, limit):", ":"),
            ("rescale(row, factor[i], x)", "pass"),
        ],
    ),
    *interpreted(
        "kernels/coordinate_descent.py",
        f"{KERNELS} -k without_curvature",
        [
            ("inverse[r] = FAR", "inverse[r] = 0"),
            ("change[t] -= 2 * min(cross[r, t], 0) * tile[r, t]", "change[t] += 0"),
        ],
    ),
    *interpreted(
        "kernels/kullback_leibler.py",
        WEIGHTED_KL,
        [
            (
                "targets[r] += np.float64(excess[p]) * other[j, r]",
                "targets[r] += np.float64(x[p]) * other[j, r]",
            ),
            ("b[q, p] *= v[p]", "b[q, p] /= max(v[p], 1)"),
        ],
    ),
    *interpreted(
        "kernels/multiplicative.py",
        BETA,
        [
            ("else ratio**gamma)", "else ratio)"),
            (
                "denominator = denominators[t, r] + l1 + l2 * w",
                "denominator = denominators[t, r] + l1",
            ),
        ],
    ),
    *interpreted(
        "kernels/multiplicative.py",
        "tests/kernels/test_multiplicative.py -k whole_chunks",
        [
            (
                "for start in range(0, other.shape[0], CHUNK):",
                "for start in range(0, other.shape[0] - 1, CHUNK):",
            )
        ],
    ),
    # The gate.
    *compiled(
        "data/formats.py",
        GATE,
        [
            ("index.max() >= size", "index.max() > size"),
            ("index.min() < 0 or index.max() >= size", "index.max() >= size"),
            ('view(f"u{outermost.itemsize}").max() >= n_minor', "max() >= n_minor"),
            (".max() >= n_minor", ".max() > n_minor"),
            ("indptr[1:] < indptr[:-1]", "indptr[1:] < indptr[:-1] - 1"),
            ("< indptr[-1]:\n", "< indptr[-1] - 1:\n"),
            ("elif indptr[0] != 0:", "elif indptr[0] < 0:"),
            ("np.greater(indices[1:]", "np.greater_equal(indices[1:]"),
            ("rises[starts] = True", "rises[starts - 1] = True"),
            ("return ascend, indices\n", "return True, indices\n"),
            ("([indices[:1], ", "(["),
            ("indices[starts - 1], ", ""),
            ("indices[starts], ", ""),
            (", indices[-1:]])", "])"),
            ('elif X.format == "lil":', 'elif X.format == "no":'),
            ("if 0 in (height, width) or X.shape[0] % height", "if X.shape[0] % max(height, 1)"),
            ("offsets.shape != data.shape[:1]:", "False:"),
            ('np.require(array, kind, "A")', "array"),
            ('np.require(array, kind, ["C", "A"])', "array"),
            ('np.require(array, kind, ["C", "A"])', 'np.require(array, kind, "A")'),
            ("if (low >= 0 and most.reduce(X.data) < np.inf)", "if (most.reduce(X.data) < np.inf)"),
            ("if (low >= 0 and most.reduce(X.data) < np.inf)", "if (low >= 0)"),
            ("return X.min() >= 0 and X.max() < np.inf", "return X.max() < np.inf"),
            ("return X.min() >= 0 and X.max() < np.inf", "return X.min() >= 0"),
            ("largest(X.view(kind), n_threads) < np", "X.max() < np"),
            ("largest(X.view(kind), n_threads) < np", "X.view(kind).max() <= np"),
        ],
    ),
    *compiled(
        "data/validation.py",
        GATE,
        [
            ("        check_values(X, name, allow_nan)  # two", "        pass  # two"),
            ("data = X.data.astype(np.float64 if counts else X.dtype)", "data = X.data.copy()"),
            ("X.data.max() < FLOAT32_EXACT", "X.data.max() < 2 * FLOAT32_EXACT"),
            (
                "arrays = (data, X.indices.copy(), X.indptr.copy())",
                "arrays = (data, X.indices, X.indptr)",
            ),
            ("if cast is not data and cast.size and np.isinf", "if False and np.isinf"),
            ("        X.eliminate_zeros()  # the cast", "        pass  # the cast"),
            ("if top and not low <= top <= high:", "if top and not low <= top:"),
            ("factor.shape[1 - axis] != shape[1 - axis]", "False"),
        ],
    ),
    *compiled(
        "data/arguments.py",
        GATE,
        [
            ("if value < least:", "if value <= least:"),
            (
                "isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral)",
                "not isinstance(value, numbers.Integral)",
            ),
            ("math.isfinite(value) and least", "least"),
            ("if n_components > most:", "if n_components > most + 1:"),
        ],
    ),
    *compiled(
        "data/validation.py",
        "tests/kernels/test_weighted.py -k other_places or caller_keeps or nan_is_missing or "
        "stored_zero or errors_name or negative_weights or nothing_known or any_pattern",
        [
            ("and np.array_equal(weights.indices, X.indices)", ""),
            ("    if weights.shape != X.shape:", "    if False:"),
            ("keep = ~np.isnan(X.data)", "keep = np.ones(X.nnz, bool)"),
            ("np.cumsum(keep)])[X.indptr]", "np.cumsum(keep)])[X.indptr - (X.indptr > 3)]"),
            ("dtype=X.dtype, keep_zeros=True)\n        _check", "dtype=X.dtype)\n        _check"),
        ],
    ),
    *compiled(
        "data/archive.py",
        "tests/data/test_archive.py tests/data/test_security.py",
        [
            (
                "np.lib.format.read_array(member, allow_pickle=False)",
                "np.lib.format.read_array(member, allow_pickle=True)",
            ),
            ("if announced != archive", "if announced > archive"),
            ("if info.file_size > most:", "if False:"),
            ("if info.compress_type not in methods:", "if False:"),
            ("if written != FORMAT:", "if written < FORMAT:"),
        ],
    ),
    *compiled(
        "data/outputs.py",
        "tests/data/test_archive.py tests/data/test_security.py",
        [
            (
                "        with contextlib.suppress(OSError):\n            temporary.unlink()\n",
                "        pass\n",
            ),
            (
                "        os.replace(temporary, path)",
                "        shutil_copy = path.write_bytes(temporary.read_bytes())",
            ),
        ],
    ),
    *compiled(
        "data/store/layout.py",
        "tests/data/store/test_reader.py",
        [
            ('if content.pop("crc32") != _checksum(content):', 'if content.pop("crc32") is None:'),
            ("if not SHARD.fullmatch(shard.folder):", "if not SHARD.match(shard.folder):"),
            ('if size != info["bytes"]:', 'if size < info["bytes"]:'),
            ('f"nnz of {shard.folder}", least=0', 'f"nnz of {shard.folder}", least=-99'),
            ("if not stat.S_ISREG(status.st_mode):", "if False:"),
            ("if is_ours(path.name) and path.is_symlink():", "if False:"),
            ('if checksum != info["crc32"]:', 'if checksum > info["crc32"]:'),
            ("start + length * dtype.itemsize != size", "False"),
            ("if record.dtype.name not in DTYPES:", "if False:"),
        ],
    ),
    *compiled(
        "data/store/reader.py",
        "tests/data/store/test_reader.py",
        [
            ("(np.diff(indptr) < 0).any()", "False"),
        ],
    ),
    *compiled(
        "data/store/shards.py",
        "tests/data/store/test_reader.py",
        [
            ("indices.min() < 0 or indices.max() >= n_features", "indices.max() >= n_features"),
            ("if not rises.all():", "if False:"),
            ("data.min() > 0 and data.max() <= top", "data.min() >= 0 and data.max() <= top"),
            ("maps[0][0] != 0 or maps[0][-1] != shard.nnz", "False"),
        ],
    ),
    *compiled(
        "kernels/compile/cache.py",
        "tests/kernels/compile/test_cache.py -k others or owner or damaged",
        [
            ("status.st_mode & 0o022", "status.st_mode & 0o002"),
            ("if not _is_private(os.fstat(file.fileno())):", "if False:"),
            ('getattr(os, "O_NOFOLLOW", 0) | ', ""),
            ("exist_ok=True, mode=0o700)", "exist_ok=True)"),
            ("if hashlib.sha256(key + payload).digest() != digest:", "if False:"),
        ],
    ),
    *interpreted(
        "kernels/multiplicative.py",
        KERNELS,
        [
            ("add_gram(out, chunk, chunk_end,", "add_gram(out, first, chunk_end,"),
            ("rows, group + t, factor,", "rows, first + t, factor,"),
            ("denominators[:n], factor, group,", "denominators[:n], factor, first,"),
            (
                "add_parts(numerators[t], earlier, group + t)",
                "add_parts(numerators[t], earlier, t)",
            ),
        ],
    ),
    *interpreted(
        "kernels/products.py",
        KERNELS,
        [
            ("rows.indptr, chunk, n, other)", "rows.indptr, first, n, other)"),
            ("add_gram(out, chunk, chunk_end,", "add_gram(out, first, chunk_end,"),
            ("rows.indptr, i, n, factor)", "rows.indptr, parts[part], n, factor)"),
        ],
    ),
    *interpreted(
        "kernels/gram.py",
        KERNELS,
        [("add_gram(factor, chunk, chunk_end,", "add_gram(factor, blocks[block, 0], chunk_end,")],
    ),
    *interpreted(
        "data/factors.py",
        KERNELS,
        [
            ("    total += add(rest, np.float64)\n", ""),
            ("if low < total.max(initial=0) < high else", "if low < total.max(initial=0) else"),
            ("if low < total.max(initial=0) < high else", "if total.max(initial=0) < high else"),
            ("len(array) // side * side", "len(array)"),
            ("start = -buffer.ctypes.data % CACHE_LINE", "start = 0"),
        ],
    ),
    *interpreted(
        "solvers/mixed_precision.py",
        "tests/solvers/test_mixed_precision.py",
        [
            ("0 < before - now <= ENOUGH * now", "before - now <= ENOUGH * now"),
            ("self._single.stalled or 0 <", "0 <"),
            ("self._widen(correct=True)", "self._widen()"),
            ("        if self._inexact:\n", "        if False:\n"),
            ("if penalty.free.all():", "if True:"),
            ("if begun or self._starts_in_single else", "if begun else"),
            ("if begun or self._starts_in_single else", "if self._starts_in_single else"),
            ("spare[:, frozen] = Ht[:, frozen]", "pass"),
            ("        if not begun:\n", "        if False:\n"),
            ("if single is not None and self._may_end_in_single():", "if single is not None:"),
            ("fit >= REST * self.loss.scale", "fit >= 1e-5 * self.loss.scale"),
            ("return free and fit", "return fit"),
            ("objective=single.objective_by_rows()", "objective=single.current.objective"),
            ("        self._begin(W, Ht)\n        k, begun", "        k, begun"),
            ('arrays["W"].dtype == np.float32', "False"),
            ("worth = extrapolate and begins", "worth = begins"),
            ("worth and fits_single(update.loss, W, Ht, n_threads=update.n_threads)", "worth"),
            ("        self._reached = None\n\n    def _take", "\n    def _take"),
        ],
    ),
    *interpreted(
        "solvers/alternation.py",
        "tests/solvers/test_mixed_precision.py",
        [
            ("self._fit - penalty + self", "self._fit + self"),
            ("- penalty + self.penalty_H.value(Ht)", "- penalty"),
            ("return self._resolve(fit, W, Ht) + penalty", "return self._resolve(fit, W, Ht)"),
            ("        self._fit = step.objective\n", ""),
        ],
    ),
    *interpreted(
        "solvers/row_update/frobenius.py",
        "tests/solvers/test_sweeps.py",
        [
            ("n_components > SECOND_SWEEP", "n_components >= SECOND_SWEEP"),
            ("> SECOND_SWEEP * nnz", "> 2 * SECOND_SWEEP * nnz"),
        ],
    ),
    *interpreted(
        "solvers/alternation.py",
        "tests/solvers/test_sweeps.py",
        [
            ("max_sweeps or self.update", "self.update"),
            ("len(W) + len(Ht), layout.rows.nnz", "len(W), layout.rows.nnz"),
        ],
    ),
    *interpreted(
        "models/factorize.py",
        "tests/solvers/test_sweeps.py",
        [('    options["max_sweeps"] = run.most_sweeps\n', "")],
    ),
    *interpreted(
        "solvers/arrangement.py",
        "tests/solvers/test_mixed_precision.py",
        [
            ("may_round = may_round and not", "may_round = not"),
            ("may_round and not (stored or low_memory)", "may_round"),
            ("may_round and begins_in_single(dtype, X.nnz, n_components)", "may_round"),
            ('worth and fits_single(loss, start["W"], start["H"], n_threads=n_threads)', "worth"),
        ],
    ),
    *compiled(  # not the lines of a kernel that Python runs
        "solvers/mixed_precision.py",
        "tests/models/test_interrupts.py -k consistent",
        [
            (
                "self._take_over(*self._reached, correct=correct)\n",
                "reached, self._reached = self._reached, None\n"
                "        self._take_over(*reached, correct=correct)\n",
            ),
        ],
    ),
    *compiled(  # quicker with the JIT, as those below
        "solvers/alternation.py",
        "tests/solvers/test_ending.py",
        [
            ("        self._residual_H = None\n        if", "        if"),
            ("known = Ht_measured is Ht", "known = Ht_measured is not None"),
            ("self.ends and self.update.measures_ahead", "self.ends"),
            ("self.ends and self.update.measures_ahead", "self.update.measures_ahead"),
            ("self.ends and self.update.measures_ahead", "False"),
            ("step.residual + residual_H", "step.residual"),
        ],
    ),
    *compiled(
        "solvers/alternation.py",
        "tests/solvers/test_leading.py tests/models/test_factorize.py",
        [
            ("        self._W_leads = False\n\n    def _propose", "\n    def _propose"),
            ('float(numbers["beta"]), True, False', 'float(numbers["beta"]), True, self._W_leads'),
            ("if W is self.current.W else None", "if W is not None else None"),
            ("W_leads and extrapolate and", "W_leads and"),
            ("plain_first and not self._W_leads", "plain_first"),
        ],
    ),
    *compiled(
        "solvers/row_update/frobenius.py",
        "tests/solvers/test_leading.py tests/kernels/test_weighted.py",
        [("np.diag(summary) if len(summary) else None", "np.diag(summary)")],
    ),
    *compiled(
        "solvers/blocks.py",
        "tests/solvers/test_leading.py",
        [
            ("summary = summary + self.update.summarize(", "summary = self.update.summarize("),
            ("            self._scatter(block, W[start:stop], None)\n", ""),
        ],
    ),
    *compiled(
        "solvers/initialization.py",
        "tests/solvers/test_leading.py",
        [
            ("H is None or len(H) < n_components or correlates(W)", "correlates(W)"),
            ("H is None or len(H) < n_components or correlates(W)", "True"),
            (
                "or W.shape[1] < n_components:\n        return init",
                "or False:\n        return init",
            ),
            ("> CONSTANT * mean", "> 0"),
            ("part -= mean", "pass"),
        ],
    ),
    *compiled(
        "models/factorize.py",
        "tests/solvers/test_leading.py",
        [("arranged.W_leads and not seeds", "arranged.W_leads")],
    ),
    *compiled(
        "data/worker_threads.py",
        "tests/data/test_rows.py",
        [
            ("min(n_threads, n // least)", "n_threads"),
            ("itertools.pairwise(bounds[1:])", "itertools.pairwise(bounds)"),
            ("        other.result()\n", "        pass\n"),
        ],
    ),
    *compiled(
        "solvers/scale.py",
        "tests/models/test_factorize.py",
        [
            ("rates[order] = 1 / scale", "rates[order] = scale"),
            ("spare.size > ROOM * prod(shape)", "False"),
            ("scale, out=taken[part])", "1, out=taken[part])"),
        ],
    ),
    *compiled(
        "solvers/stopping.py",
        "tests/solvers/test_ending.py",
        [
            ("n_done + 1 >= self.max_iter", "n_done >= self.max_iter"),
            ("if n_done < WINDOW:", "if n_done <= WINDOW:"),
            ("0.5 * (before - now)", "(before - now)"),
            ("self.history[-WINDOW:]", "self.history[-WINDOW - 1 :]"),
        ],
    ),
    *compiled(
        "solvers/alternation.py",
        "tests/models/test_checkpoint.py tests/solvers/test_alternation.py",
        [
            ("        self._is_ahead = False\n        new", "        new"),
            ('float(numbers["beta"]), True, False', 'float(numbers["beta"]), False, False'),
            (
                "        self._look_ahead()\n        W, Ht, objective = self.current\n",
                "        W, Ht, objective = self.current\n",
            ),
        ],
    ),
    *compiled(
        "solvers/penalties.py",
        "tests/solvers/test_numerics.py -k penalty_is",
        [
            ("factor, sum_columns, _sum_rows)", "factor, sum_squares, _sum_rows)"),
            ("factor, sum_columns, _sum_rows)", "factor, sum_columns, _sum_squares_of_rows)"),
            ("self.l2, factor, sum_squares,", "self.l2, factor, sum_columns,"),
            ("sum_squares, _sum_squares_of_rows", "sum_squares, _sum_rows"),
        ],
    ),
    *interpreted(
        "solvers/alternation.py",
        "tests/solvers/test_alternation.py -k first_iteration",
        [
            ("return 1 if self._is_first() else", "return"),
            ("            if not self._is_first():\n", "            if True:\n"),
        ],
    ),
    *interpreted(
        "data/store/lock.py",
        "tests/data/store/test_lock.py",
        [
            ("    if not _is_at(path, file):\n        return False\n", ""),
            ("elif _is_at(path, file):", "else:"),
            ("if is_free and host in (None, here):", "if is_free:"),
            ("        _lock(file)\n", "        pass\n"),
        ],
    ),
]

EQUIVALENT = {
    "zero": "only read to settle a row again that is settled already",
    "parts[0] = 0": "the rows that are left out at the end are empty",
    'if size < info["bytes"]:': "what is too long has no place behind its array either",
}
"""Mutants that change nothing that can be observed: the new text -> why."""


def copy_tree(folder):
    """Copy what the tests need."""
    for name in ("sparsenmf", "tests"):
        ignore = shutil.ignore_patterns("__pycache__", ".hypothesis")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)


def try_mutant(mutant, folder):
    """Return "noticed", "survived" or "stale", and the last line of the tests."""
    if not passes_unchanged(mutant.tests, mutant.jit, folder):
        return "stale", f"{mutant.tests} fails without any change"
    path = folder / "sparsenmf" / mutant.path
    source = path.read_text()
    if source.count(mutant.old) != 1:
        return "stale", f"{source.count(mutant.old)} places instead of one"
    changed = source.replace(mutant.old, mutant.new)
    compile(changed, str(path), "exec")  # a mutant that cannot be read would prove nothing
    path.write_text(changed)
    try:
        return run_tests(mutant, folder)
    finally:
        path.write_text(source)


@functools.cache
def passes_unchanged(tests, jit, folder):
    """Tell whether the tests pass as things are: else they would notice anything."""
    return run_tests(Mutant("", "", "", tests, jit), folder)[0] == "survived"


def run_tests(mutant, folder):
    """Run the tests that should notice."""
    files, _, words = mutant.tests.partition(" -k ")
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "-p", "no:cacheprovider"]
    command += [*files.split(), *(["-k", words] if words else [])]
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    if mutant.path.startswith("kernels/"):
        env["SPARSENMF_CACHE_DIR"] = str(folder / "cache")
        shutil.rmtree(folder / "cache", ignore_errors=True)
    if not mutant.jit:
        env["NUMBA_DISABLE_JIT"] = "1"
    try:
        done = subprocess.run(
            command, cwd=folder, env=env, timeout=TIMEOUT, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        return "noticed", "by the time it took"
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode in (2, 3, 4, 5) and not any(line.startswith("ERROR") for line in lines):
        return "stale", lines[-1] if lines else done.stderr[-200:]  # there was nothing to run
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return ("survived" if done.returncode == 0 else "noticed"), (failed or lines or [""])[-1]


def main():
    """Try the mutants; print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="mutants whose file or text has this in it")
    parser.add_argument("--list", action="store_true", help="only list them")
    options = parser.parse_args()
    chosen = [m for m in MUTANTS if options.only in f"{m.path} {m.old}"]
    counts = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_tree(folder)
        for number, mutant in enumerate(chosen, 1):
            title = f"{number:3d} {mutant.path}: {mutant.old.strip()!r} -> {mutant.new.strip()!r}"
            if options.list:
                print(title)
                continue
            fate, line = try_mutant(mutant, folder)
            if fate == "survived" and mutant.new in EQUIVALENT:
                fate, line = "equivalent", EQUIVALENT[mutant.new]
            counts[fate] = counts.get(fate, 0) + 1
            print(f"{title}\n      {fate}: {line[:160]}", flush=True)
    print(f"{len(chosen)} mutants: {counts}")
    return int(bool(counts.keys() & {"survived", "stale"}))


if __name__ == "__main__":
    sys.exit(main())
