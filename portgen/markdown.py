"""Text as Markdown prints it: the one escaper, for pages, tables, reviews and findings.

In: any text. Out: Markdown that shows just that text, on one line, in a table's cell too: no
markup, no HTML, no link, no picture, nobody notified, no issue referred to. Pure, standard library
only.

GitHub links addresses, `@names` and `#numbers` in the finished page, whatever escapes stood before
them. So a zero-width space is put into those: behind the `@`, the `#`, the `:` of `://` and the
`www`. No text of the inventory may hold one of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from portgen.visible import visible

PART = "\u200b"

# What Markdown, with GitHub's tables, maths and strike-through, would not print as it is. An
# underscore within a word is safe, and so is a `>` that neither begins a line nor closes a tag.
_SPECIAL = re.compile(r"[\\`*\[\]<|~$#]|^>|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=#?[A-Za-z0-9]+;)")
# What GitHub makes a link of: a name, an address of the web or of mail, an issue of this or of
# another repository.
_LINKED = re.compile(
    r"@|://|(?<![A-Za-z0-9])www(?=\.)|#(?=[0-9])"
    r"|(?<![A-Za-z0-9])GH(?=-[0-9])|\b(?:mailto|xmpp)(?=:)",
    re.IGNORECASE,
)
# Whatever may hold one of these: quicker to look for, and true of some texts that hold none.
_SUSPECT = re.compile(r"[\\`*\[\]<>|~$#_&@:\n]|www|gh-", re.IGNORECASE)


def text(value: str) -> str:
    """One line of plain text."""
    value = visible(value)
    if not _SUSPECT.search(value):
        return value
    unlinked = _LINKED.sub(_with_space, value.replace("\n", " "))
    return _SPECIAL.sub(r"\\\g<0>", unlinked)


def code(value: str) -> str:
    """A code span, in which nothing is linked; plain text where it would need more than two
    backticks."""
    if not value or set(value) & set("`|\n"):
        return text(value)
    return f"`{visible(value)}`"


def with_code(value: str) -> str:
    """One line of text in which what stands between backticks is code."""
    found = []
    for number, part in enumerate(value.split("`")):
        found.append(code(part) if number % 2 else text(part))
    return "".join(found) if value.count("`") % 2 == 0 else text(value)


def fenced(lines: str, language: str = "") -> str:
    """A block of code whose fence no line of it can close."""
    fence = "```"
    for run in re.findall("^ {0,3}(`{3,})", lines, re.MULTILINE):
        if len(run) >= len(fence):
            fence = "`" * (len(run) + 1)
    if not lines.endswith("\n"):
        lines += "\n"
    return f"{fence}{language}\n{lines}{fence}\n"


def row(cells: Iterable[str]) -> str:
    """A table's row of cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"


def _with_space(found: re.Match[str]) -> str:
    word = found[0]
    if word == "://":
        return f":{PART}//"
    return word + PART
