"""Variables of the environment: what they say, and one warning where that means nothing."""

import functools
import os
import warnings

THREADS, SWITCH, FOLDER = "SPARSENMF_NUM_THREADS", "SPARSENMF_CACHE", "SPARSENMF_CACHE_DIR"

DIGITS = 9  # of a number of threads: int() refuses thousands

SHOWN = 60  # characters of a value in a warning


def number_in(text):
    """Return the number of threads that a text is, or None if it is none."""
    text = text.strip()
    number = int(text) if text.isdecimal() and len(text) <= DIGITS else 0
    return number or None


def threads_wanted():
    """Return what ``SPARSENMF_NUM_THREADS`` says, or None if it is empty, or no number."""
    text = os.environ.get(THREADS, "")
    if text.strip() and number_in(text) is None:
        warn_once(
            f"{THREADS} is {_shown(text)}, not a whole number from 1 on: as many threads are used "
            f"as without it"
        )
    return number_in(text)


def cache_is_off():
    """Return whether ``SPARSENMF_CACHE`` says that compiled kernels are not stored."""
    text = os.environ.get(SWITCH, "").strip()
    if text not in ("", "0", "1"):
        warn_once(f"{SWITCH} is {_shown(text)}, not 0 or 1: compiled kernels are stored, as by 1")
    return text == "0"


def not_understood():
    """Return the names of the variables whose values mean nothing."""
    threads, switch = (os.environ.get(name, "").strip() for name in (THREADS, SWITCH))
    bad = {THREADS: threads and number_in(threads) is None, SWITCH: switch not in ("", "0", "1")}
    return [name for name, is_bad in bad.items() if is_bad]


@functools.cache
def warn_once(message):
    """Warn, once in a process."""
    warnings.warn(message, stacklevel=3)


def _shown(text):
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
