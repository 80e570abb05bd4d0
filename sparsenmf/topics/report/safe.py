"""Any text, made fit to be shown in a page."""

import html
import re

from ...data.texts import shorten

TERM_WIDTH = 80
TITLE_WIDTH = 200
VALUE_WIDTH = 300

# Control characters, halves of characters and what is none: a page must not have them.
UNPRINTABLE = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def show(value, width, escape=False):
    """Return a value as text on one line of at most this width, if so asked as HTML."""
    text = UNPRINTABLE.sub("\ufffd", shorten(str(value), width))
    return html.escape(text) if escape else text


def show_lines(text):
    """Return a text of several lines as HTML."""
    return html.escape(UNPRINTABLE.sub("\ufffd", text))
