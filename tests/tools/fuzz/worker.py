"""Runs cases in processes of their own, so that one that ends its process is known.

    python -m tests.tools.fuzz.worker KIND FIRST COUNT

tries the cases of a kind from a number on; what a case does depends on its kind and number
alone. Prints one JSON line: how many were right, how many refused, and the failures.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
import zlib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[3]

PATIENCE = 60  # seconds for one case: some compile kernels first

MEMORY = 3 * 2**30  # bytes that a worker may take beyond what it has at the beginning


def run_cases(kind, first, count, progress):
    """Try cases; return what became of them."""
    from . import CASES

    counts, failures = {"right": 0, "refused": 0}, []
    with tempfile.TemporaryDirectory() as parent:
        for number in range(first, first + count):
            progress(number)
            folder = Path(parent, "case")
            folder.mkdir()
            rng = np.random.default_rng([zlib.crc32(kind.encode()), number])
            try:
                with time_limit():
                    counts[CASES[kind](rng, folder)] += 1
            except BaseException:  # whatever it is, it is not as agreed
                failures.append([number, traceback.format_exc(limit=-6)])
            remove(folder)
    return {**counts, "failures": failures}


def remove(folder):
    import shutil

    folder.chmod(0o700)
    shutil.rmtree(folder)


@contextlib.contextmanager
def time_limit():
    def stop(*_):
        raise TimeoutError("the case does not come to an end")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)


def limit_memory():
    import resource

    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))


def main(kind, first, count, note):
    """Try cases in this process."""
    # Our own code must not warn either, but for fits that were told to stop early.
    warnings.filterwarnings("error", module=r"sparsenmf(?!\.estimators|\.minibatch)")
    warnings.filterwarnings("ignore", "Reading `.npy` or `.npz` file required additional")
    if os.path.exists("/proc/self/statm"):
        limit_memory()
    with open(note, "r+b", buffering=0) as file:

        def progress(number):
            file.seek(0)
            file.write(b"%12d" % number)

        result = run_cases(kind, int(first), int(count), progress)
    print(json.dumps(result))


def start(kind, first, count, note):
    """Start a worker; `finish` has its result."""
    Path(note).write_bytes(b"%12d" % first)
    command = [
        sys.executable,
        "-m",
        "tests.tools.fuzz.worker",
        kind,
        str(first),
        str(count),
        str(note),
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "2"}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=env, text=True, **pipes)


def finish(child, note, timeout):
    """Return the result of a worker; one that died has failed at the case that it noted."""
    try:
        out, err = child.communicate(timeout=timeout)
        how = f"exit code {child.returncode}"
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        how = "hangs"
    if child.returncode == 0:
        return json.loads(out.splitlines()[-1])
    number = int(Path(note).read_bytes())
    return {
        "right": 0,
        "refused": 0,
        "failures": [[number, f"{how}\n{out}\n{err[-2000:]}"]],
        "died": True,
    }


def try_cases(kind, first, count, note, timeout=3600):
    """Try cases in other processes: a new one after each that dies."""
    total, end = {"right": 0, "refused": 0, "failures": []}, first + count
    while first < end:
        result = finish(start(kind, first, end - first, note), note, timeout)
        for name in total:
            total[name] += result[name]
        if not result.get("died"):
            break
        first = result["failures"][-1][0] + 1
    return total


if __name__ == "__main__":
    main(*sys.argv[1:])
