"""Output without control characters, so that no text of a file controls a terminal."""

import contextlib
import io
import re
import sys

from ..data.progress import write

CONTROLS = "\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""C0 and C1 control characters, and those that break lines or change the writing direction."""

ON_ONE_LINE = re.compile(f"[{CONTROLS}]")

IN_TEXT = re.compile(f"(?![\t\n])[{CONTROLS}]")

IN_REMARKS = re.compile(f"(?![\t\n\r])[{CONTROLS}]")  # progress rewrites its line


def sanitize(text, controls=ON_ONE_LINE):
    """Return a text with U+FFFD in place of control characters."""
    return controls.sub("\ufffd", text)


def on_one_line(name):
    """Return a name without line breaks and other control characters, as tables of topics do."""
    return sanitize(" ".join(str(name).split()))


class SanitizedStream:
    """A text stream that replaces control characters but for those of plain text.

    It has no `buffer`, with which others could write bytes that are not sanitized.
    """

    def __init__(self, stream, controls):
        self._stream, self._controls, self.lossy = stream, controls, False

    def write(self, text):
        """Write a sanitized text; note whether the stream lacks some of its characters."""
        text = sanitize(text, self._controls)
        self.lossy = self.lossy or lacks_some(getattr(self._stream, "encoding", None), text)
        return self._stream.write(text)

    def __getattr__(self, name):
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)


def lacks_some(encoding, text):
    """Return whether an encoding lacks characters of a text that UTF-8 has."""
    if not encoding or encoding.lower().startswith("utf"):
        return False
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return True
    return False


@contextlib.contextmanager
def sanitized_streams():
    """Sanitize everything that is printed while the block runs, and say whether some is lost."""
    streams = {"stdout": (sys.stdout, IN_TEXT), "stderr": (sys.stderr, IN_REMARKS)}
    sanitized = {}
    for name, (stream, controls) in streams.items():
        if isinstance(stream, io.TextIOWrapper):  # "?" for what it cannot encode
            stream.reconfigure(errors="replace")
        sanitized[name] = stream and SanitizedStream(stream, controls)
        setattr(sys, name, sanitized[name])
    try:
        yield
    finally:
        output = sanitized["stdout"]
        if isinstance(output, SanitizedStream) and output.lossy:
            encoding = output.encoding
            write(
                f"Remark: the output has ? for characters that its encoding, {encoding}, lacks: "
                f"with PYTHONIOENCODING=utf-8 it has them.\n"
            )
        for name, (stream, _) in streams.items():
            if getattr(sys, name) is sanitized[name]:  # click sets another one after a broken pipe
                setattr(sys, name, stream)
