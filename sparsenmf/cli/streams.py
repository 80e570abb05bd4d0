"""What the command prints, and where: no text of a file tells a terminal what to do."""

import contextlib
import io
import re
import sys

CONTROLS = "\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""C0 and C1 control characters, and what breaks a line or turns the direction of writing."""

ON_ONE_LINE = re.compile(f"[{CONTROLS}]")

IN_TEXT = re.compile(f"(?![\t\n])[{CONTROLS}]")

IN_REMARKS = re.compile(f"(?![\t\n\r])[{CONTROLS}]")  # progress goes back to the line's beginning


def neutralize(text, controls=ON_ONE_LINE):
    """Return a text with U+FFFD for control characters."""
    return controls.sub("\ufffd", text)


class NeutralStream:
    """A stream that lets no control character through but for those of plain text.

    It has no `buffer`, through which others would write bytes past it.
    """

    def __init__(self, stream, controls):
        self._stream, self._controls = stream, controls

    def write(self, text):
        """Write a text, neutralized."""
        return self._stream.write(neutralize(text, self._controls))

    def __getattr__(self, name):
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)


@contextlib.contextmanager
def neutral_streams():
    """Have all that is printed neutralized while the block runs."""
    streams = {"stdout": (sys.stdout, IN_TEXT), "stderr": (sys.stderr, IN_REMARKS)}
    neutral = {}
    for name, (stream, controls) in streams.items():
        if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show is "?"
            stream.reconfigure(errors="replace")
        neutral[name] = stream and NeutralStream(stream, controls)
        setattr(sys, name, neutral[name])
    try:
        yield
    finally:
        for name, (stream, _) in streams.items():
            if getattr(sys, name) is neutral[name]:  # click sets another where a pipe has broken
                setattr(sys, name, stream)
