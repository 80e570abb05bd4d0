"""What to say of files that are damaged or cut off, whichever library noticed it."""

import lzma
import tokenize
import zipfile
import zlib

DAMAGE = (
    # What zipfile, json, numpy and our constructors raise for a damaged file. A changed byte may
    # name a member, a size, a type or a compression that does not exist.
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,  # zipfile raises it where a flipped bit names an unknown compression
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,  # of a damaged .npy header
)

AGAIN = "copy or download it again"

CUT = ("truncated", "ended before", "ends before", "eof", "too small to be", "is empty", "0 bytes")
"""What libraries say of files that end too early, in lower case."""

MOST = 120  # characters of what a library says


class Damaged(ValueError):
    """What our own checks raise for a file that cannot have been written so."""


def describe_damage(error, again=AGAIN, likely="damaged, cut off or of another format"):
    """Return what is wrong with a file that could not be read, and what to do.

    Parameters
    ----------
    error : Exception
        What our own code says on purpose, in a ValueError, and what the system and missing memory
        say, is returned as it is. What a library says is put in brackets after plain words.
    again : str
        How to get a whole file.
    likely : str
        What the file is where nothing tells more.
    """
    system = isinstance(error, MemoryError) or getattr(error, "errno", None) is not None
    if system or _is_ours(error):
        return str(error)
    said = _on_one_line(error)
    how = likely
    if isinstance(error, EOFError) or any(word in said.lower() for word in CUT):
        how = "cut off"
    elif isinstance(error, zlib.error | lzma.LZMAError) or "CRC" in said:
        how = "damaged"
    return f"it is {how} ({said}): {again}"


def _is_ours(error):
    """Return whether an error was raised by our code, as a ValueError with words for users."""
    if isinstance(error, Damaged) or not isinstance(error, ValueError):
        return False
    if type(error) is not ValueError:
        return _in_package(type(error).__module__)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is None or _in_package(place.tb_frame.f_globals["__name__"])


def _in_package(module):
    """Return whether a module is one of this package."""
    return module.startswith(f"{__name__.split('.')[0]}.")


def _on_one_line(error):
    """Return what an error says, short, and without what a terminal cannot show."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split()).rstrip(".:") or type(error).__name__
    return text if len(text) <= MOST else f"{text[: MOST - 3]}..."
