"""A page of HTML as a tree, by Python's own parser."""

from html.parser import HTMLParser

VOID = {"meta", "input", "link", "br", "img"}


class Element:
    """A tag with its attributes and what is in it: elements and strings."""

    def __init__(self, tag, attributes):
        self.tag, self.attributes, self.children = tag, dict(attributes), []
        assert len(self.attributes) == len(attributes), f"an attribute of {tag} is there twice"

    @property
    def text(self):
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def __iter__(self):
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child

    def all(self, tag, kind=None):
        kinds = (e for e in self if e.tag == tag)
        return [e for e in kinds if kind is None or kind in e.attributes.get("class", "").split()]

    def one(self, tag, kind=None):
        (found,) = self.all(tag, kind)
        return found

    def by_id(self, name):
        (found,) = [e for e in self if e.attributes.get("id") == name]
        return found


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open = [Element("#document", [])]

    def handle_starttag(self, tag, attributes):
        element = Element(tag, attributes)
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.open[-1].children.append(Element(tag, attributes))

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        self.open[-1].children.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"there is a comment: {data!r}")

    def unknown_decl(self, data):
        raise AssertionError(f"there is a declaration: {data!r}")


def parse(path):
    """Return a page as an `Element`; each element must be closed where it belongs."""
    return parse_text(path.read_bytes().decode())


def parse_text(text):
    """Return HTML as an `Element`."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert [element.tag for element in reader.open] == ["#document"]
    return reader.open[0]


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</style></title></textarea><img src=x onerror=alert(3)>",
    "<!-- no end",
    "]]> --> <![CDATA[",
    "\"'><svg onload=alert(4)>",
    "&lt;b&gt; &amp;amp; &#60; &nosuch;",
    "javascript:alert(5)",
    "a\u2028b\u2029c\x85d\x0be",
    "half \ud83d of a character, \udc00",
    "nul \x00 bell \x07 escape \x1b[31m delete \x7f",
    "no characters \ufdd0 \uffff",
    "\u202ereversed\u2066 and \u05e9\u05dc\u05d5\u05dd",
    "t\u0336\u0301\u0302" * 40,
    "x" * 5000,
    "$title ${policy} $$ {0} %s \\u003c",
    "  lines\r\n and\ttabs  ",
    "",
]
"""Texts that a page must show as they are, or with U+FFFD for what no page can have."""
