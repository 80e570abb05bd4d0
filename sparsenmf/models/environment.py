"""What a report of a fault needs to say about a machine, without anything private."""

import contextlib
import functools
import importlib.metadata
import locale
import os
import platform
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from .. import __version__

REQUIRED = ("numba", "llvmlite", "numpy", "scipy")

OPTIONAL = (
    *("anndata", "click", "dask", "distributed", "h5py", "matplotlib", "openpyxl", "pandas"),
    *("pyarrow", "pyLDAvis", "scikit-learn", "tqdm", "zstandard"),
)
"""Packages that the extras for users install."""

FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512vl", "neon", "sve")
"""Sets of instructions that decide which code the kernels have."""

SETTINGS = re.compile(
    "SPARSENMF_[A-Z_]+$|NUMBA_[A-Z_]+$|(OMP|MKL|OPENBLAS)_NUM_THREADS$|PYTHON(UTF8|IOENCODING)$"
)

PLAIN = re.compile(
    r"\d{1,6}|omp|tbb|workqueue|default|(thread|fork|)safe|tsafe|(utf-?8|ascii|cp\d+)(:\w+)?", re.I
)
"""Values of settings that say nothing about a user; others may be paths."""

MIB = 2**20


def describe_environment():
    """Return lines about versions, processor, threads and the cache, for the report of a fault.

    They contain no path and no name of a user or a machine; nor do they contain messages of errors,
    which may have one. If something fails, its line has the kind of the error.
    """
    lines = []
    for name, find in FACTS.items():
        try:
            with warnings.catch_warnings():  # of values that the settings have
                warnings.simplefilter("ignore")
                found = find()
        except Exception as error:  # the report of a broken installation is the one that is needed
            found = f"unknown ({type(error).__name__})"
        lines.append(f"{name}: {found}")
    return lines


def versions_of(packages):
    """Return the versions of packages that are installed, and the names of those that are not."""
    found = {}
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    shown = ", ".join(f"{name} {version}" for name, version in found.items()) or "none"
    missing = ", ".join(name for name in packages if name not in found)
    return f"{shown}; without {missing}" if missing else shown


def _python():
    bits = "64 bits" if sys.maxsize > 2**32 else "32 bits"
    return f"{platform.python_implementation()} {platform.python_version()}, {bits}"


def _system():
    return f"{platform.system()} {platform.release()}, {platform.machine()}"


def _processor():
    from llvmlite import binding

    has = binding.get_host_cpu_features()
    return f"{binding.get_host_cpu_name()}: {', '.join(filter(has.get, FEATURES)) or 'none known'}"


def _threads():
    from ..kernels.compile.threads import available_cores, resolve_threads

    return f"{resolve_threads()} used, {available_cores()} cores for us of {os.cpu_count()}"


def _threading_layer():
    import numba

    numba.get_num_threads()  # launches the layer, so that its name is known
    return numba.threading_layer()


def _cache():
    from ..kernels.compile import cache

    if cache.active_folder() is None:
        chosen = os.environ.get("SPARSENMF_CACHE", "").strip() == "0"
        return "off (SPARSENMF_CACHE=0)" if chosen else "off: no folder that is ours to write to"
    folder, home = cache.active_folder(), Path("~").expanduser()
    if os.environ.get("SPARSENMF_CACHE_DIR"):
        place = "SPARSENMF_CACHE_DIR"
    else:
        place = "the home directory" if folder.is_relative_to(home) else "another folder"
    sizes = [path.stat().st_size for path in folder.glob("*.kernel")]
    can = "can" if os.access(folder, os.W_OK) else "cannot"
    return (
        f"{len(sizes)} kernels, {sum(sizes) / MIB:.1f} MiB, in {place}, which {can} be written to"
    )


def _encodings():
    names = locale.getpreferredencoding(False), sys.getfilesystemencoding()
    output = getattr(sys.stdout, "encoding", None)
    return f"texts {names[0]}, file names {names[1]}, output {output}"


def _settings():
    from ..kernels.compile.settings import not_understood

    found = sorted((name, value) for name, value in os.environ.items() if SETTINGS.match(name))
    bad = not_understood()
    shown = [
        f"{name}={x if PLAIN.fullmatch(x) else '(set)'}" + " (not understood)" * (name in bad)
        for name, x in found
    ]
    return ", ".join(shown) or "none"


FACTS: dict[str, Callable[[], str]] = {
    "sparsenmf": lambda: __version__,
    "Python": _python,
    "System": _system,
    "Processor": _processor,
    "Packages": functools.partial(versions_of, REQUIRED),
    "Optional packages": functools.partial(versions_of, OPTIONAL),
    "Threads": _threads,
    "Threading layer": _threading_layer,
    "Cache of kernels": _cache,
    "Encodings": _encodings,
    "Settings": _settings,
}
"""What each line says, and the function that finds it."""
