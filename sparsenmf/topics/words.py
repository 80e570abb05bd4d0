"""Words in all scripts: combining marks belong to them, and some scripts have no spaces."""

from __future__ import annotations

import functools
import re
import unicodedata
from itertools import islice

JOINERS = "\u200c\u200d"
"""Characters without width within words of Persian, Hindi and other languages."""

MARKS_END = 0x20000  # all combining marks but the next ones come before it
VARIATIONS = range(0xE0100, 0xE01F0)

WITHOUT_SPACES = {
    "Chinese and Japanese": ("\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff", 6),
    "Thai, Lao, Khmer and Burmese": ("\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff", 16),
}
"""Scripts without spaces, and what their words are shorter than on average, if segmented."""

LOOKED_AT = 1000  # texts, and characters of each

SEGMENT = (
    "the texts seem to be in a script without spaces ({}), so that whole phrases count as words: "
    'segment them into words first, or count characters: analyzer="char", ngrams=2 '
    "(--analyzer char --ngrams 2)"
)


@functools.cache
def _marks():
    """Return the combining marks as ranges for a regular expression's set."""
    ranges: list[list[int]] = []
    for code in (*range(MARKS_END), *VARIATIONS):
        if unicodedata.category(chr(code))[0] == "M":
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(chr(a) if a == b else f"{chr(a)}-{chr(b)}" for a, b in ranges)


def word_pattern(min_length=2):
    r"""Return the regular expression of a word: letters, digits and combining marks.

    Python's ``\w`` has no combining marks, which divide words of Hindi, Tamil or Thai.
    """
    return rf"\w[\w{JOINERS}{_marks()}]{{{min_length - 1},}}"


def compose(text):
    """Return a text in normal form C, in which equal words are equal."""
    return unicodedata.normalize("NFC", text)


def compose_lower(text):
    """Return a text in lower case and normal form C."""
    return unicodedata.normalize("NFC", text.lower())


def remark_on_spaces(texts):
    """Return what to do about texts in a script without spaces, or None if words are apart."""
    step = max(len(texts) // LOOKED_AT, 1)
    sample = "\n".join(text[:LOOKED_AT] for text in islice(texts, 0, None, step))
    letters = sum(map(str.isalpha, sample))
    for script, (characters, length) in WITHOUT_SPACES.items():
        words = re.findall(f"[{characters}]+", sample)
        n = sum(map(len, words))
        if n > letters / 3 and n > length * len(words):
            return SEGMENT.format(script)
    return None
