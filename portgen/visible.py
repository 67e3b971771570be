"""Characters that a reader does not see, and that a terminal or a page obeys.

In: a text from anywhere: a file in the output folder, an inventory, what a program said. Out: the
same with such characters spelled out, `\\x1b`, `\\u202e`. Pure, standard library only.

What counts: controls but for the tab and the line feed; marks, embeddings, overrides and isolates
that turn the direction of what follows; and what has no width: zero-width space, word joiner and
the invisible operators behind it, byte-order mark, soft hyphen, Mongolian vowel separator,
annotations, tags, and Unicode's own line separators. Not the zero-width joiner and non-joiner
(U+200D, U+200C): Persian, the languages of India and composed emoji are written with them.
"""

from __future__ import annotations

import re

# As members of a character class, for Python's patterns and for ECMA's alike; tags lie beyond what
# the latter can write plainly.
HIDDEN = r"\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
TAGS = r"\U000e0000-\U000e007f"

# Compiled when it is first needed: plain ASCII, as most output is, does without.
_UNSEEN = rf"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{HIDDEN}{TAGS}]"


def visible(text: str) -> str:
    """The text as a terminal may have it."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_UNSEEN, _spelled, text)


def visible_line(text: str) -> str:
    """The same on one line: line feeds are spelled out too."""
    return visible(text).replace("\n", "\\n")


def visible_json(encoded: str) -> str:
    """JSON in which the same characters are written as JSON's own escapes, so that it can be
    printed and read back whole."""
    return re.sub(_UNSEEN, _escaped, encoded)


def _spelled(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    if number < 0x10000:
        return f"\\u{number:04x}"
    return f"\\U{number:08x}"


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    spelled = ""
    for at in range(0, len(units), 2):
        spelled += f"\\u{units[at]:02x}{units[at + 1]:02x}"
    return spelled
