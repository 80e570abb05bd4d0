"""Words of a command as the user's shell takes them."""

import re
import shlex
import sys

PLAIN = re.compile(r"[\w.,:=/\\+-]+")
"""Words that the shells of Windows take as they are."""

BEFORE_MARK = re.compile(r'(\\*)"')

AT_END = re.compile(r"(\\*)$")


def quote(word):
    """Return a word of a command, in quotation marks if the shell of this system needs them."""
    if sys.platform != "win32":
        return shlex.quote(word)
    if PLAIN.fullmatch(word):
        return word
    # Backslashes escape, and are escaped, before a quotation mark only.
    marked = BEFORE_MARK.sub(lambda found: 2 * found[1] + '\\"', word)
    return f'"{marked}{AT_END.search(marked)[1]}"'
