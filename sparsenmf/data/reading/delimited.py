"""Lines of numbers and names between delimiters, and what their header says."""

from __future__ import annotations

import csv
import re
from typing import NamedTuple

from ..shell import quote

DELIMITERS = ("\t", ";", ",", "|")

WORDS = {
    "sample": "user userid uid reviewer reviewerid customer customerid member memberid listener "
    "visitor session doc docid document documentid sample sampleid cell cellid barcode row rowid i",
    "feature": "item itemid iid movie movieid product productid asin book bookid isbn song songid "
    "track trackid artist artistid anime animeid business businessid term termid word wordid token "
    "feature featureid gene geneid mutation tag url page column columnid col j",
    "rating": "rating ratings score stars overall bookrating reviewscore",
    "count": "count counts n value values weight freq frequency tf tfidf plays playcount quantity "
    "num number x",
}

SAMPLES, FEATURES, RATINGS, COUNTS = (words.split() for words in WORDS.values())
"""What columns of triplets are called, without case and underscores."""

MISSING = ("", "na", "nan", "n/a", "null", "none")

MOST_COLUMNS = 8  # of triplets: a vocabulary may have all of these words, too

EPOCH = 10**8  # seconds: ratings have times after 1973


class Roles(NamedTuple):
    """The columns of a file with a triplet on each line.

    Attributes
    ----------
    sample, feature : int
    value : int or None
        None if each line counts one.
    rated : bool or None
        Whether the values are ratings; None if that is not known.
    """

    sample: int
    feature: int
    value: int | None
    rated: bool | None


def find_roles(header):
    """Return the `Roles` of columns with these names, or None if they are no triplets."""
    plain = [re.sub("[^a-z]", "", name.lower()) for name in header]
    found = [[j for j, name in enumerate(plain) if name in names]
             for names in (SAMPLES, FEATURES, RATINGS, COUNTS)]  # fmt: skip
    samples, features, ratings, counts = found
    values = ratings or counts
    if len(plain) > MOST_COLUMNS or not len(samples) == len(features) == len(values) == 1:
        return None
    return Roles(samples[0], features[0], values[0], bool(ratings))


def roles_without_header(rows):
    """Return the `Roles` of the first rows of a file without a header, or None."""
    if not all(len(row) == 4 and all(map(is_number, row)) for row in rows):
        return None
    user, item, rating, time = zip(*[map(float, row) for row in rows], strict=True)
    whole = all(x == int(x) for x in (*user, *item, *time))
    if whole and max(rating) <= 10 and min(time) > EPOCH:
        return Roles(0, 1, 2, True)
    return None


def is_index(title):
    """Return whether a column of this name has the names of rows, even if these are numbers."""
    plain = title.strip()
    if re.search(r"[a-z]I[dD]$|[ _.-](id|name|names)$|^[Uu]nnamed: 0$|^#", plain):
        return True
    plain = re.sub("[^a-z]", "", plain.lower())
    return plain in ("", "id", "index", "row", "name", "names") or (
        plain in (*SAMPLES, *FEATURES) and plain.endswith("id")
    )


def is_number(text):
    """Return whether a text is a number, as it is written in a file."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def is_missing(text):
    """Return whether a cell of a table is empty or says that its value is not there."""
    return text.strip().lower() in MISSING


def guess_delimiter(lines):
    """Return the delimiter of a table's first lines: the one that cuts them alike, or None.

    None stands for any number of blanks.
    """
    lines = lines[:2]
    for delimiter in DELIMITERS:
        widths = [len(next(csv.reader([line], delimiter=delimiter), [])) for line in lines]
        # R writes no name above the row names.
        if min(widths) > 1 and (widths[-1] - widths[0] in (0, 1)):
            return delimiter
    # A quotation mark may go on in the next line.
    there = (delimiter for delimiter in DELIMITERS if delimiter in lines[0])
    return next(there, None) if lines[-1].count('"') % 2 else None


def cut(lines, delimiter):
    """Yield the number of the last line, and the cells, of each row that is not blank.

    Raises
    ------
    ValueError
        If a quotation mark is not paired; the message has the number of the line.
    """
    if delimiter == "::":  # MovieLens; no field has it in it
        lines, delimiter = (line.replace("::", "\t") for line in lines), "\t"
    elif delimiter is None:
        lines, delimiter = (" ".join(line.split()) + "\n" for line in lines), " "
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(f"line {first}: {error}: a quotation mark is not paired") from error
        if any(row):
            yield reader.line_num, row


def no_number(path, line, column, cell):
    """Return the error that a cell is no number, and what to type if the file holds texts."""
    shown = cell if len(cell) <= 40 else f"{cell[:40]}..."
    advice = "leave the column out, or put names into the first column"
    if re.fullmatch(r"-?[0-9.]*,[0-9]+", cell.strip()):
        advice = "write numbers as 1000.5, with a point and no commas"
    elif is_missing(cell):
        advice = (
            'put 0 where nothing was counted; missing="unknown" (--missing unknown) takes what is '
            "not there as unknown"
        )
    else:
        field = quote(str(column))
        advice += f"; if these are texts, type: sparsenmf topics {quote(str(path))} --field {field}"
    return ValueError(f"line {line} has {shown!r} in column {column!r}, not a number: {advice}")
