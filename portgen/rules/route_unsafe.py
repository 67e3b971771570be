r"""A route that nginx would read as something else, or that would match more than meant.

A path begins and ends with `/` (without the last one `/dashboard/b` also takes `/dashboard/bx`), and
is made of letters, digits and `-._~`, so that quotes, `$`, `;`, `{`, blanks and a leading `~` never
reach a location. A raw directive ends with `;` or `}`, and its braces are balanced as nginx itself
counts them: it can't close the location that it stands in. A title `off` would switch off its route's
password.

Wrong:
    services:
      web: {port: 5000, route: /shop}
Right:
    services:
      web: {port: 5000, route: /shop/}
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portgen.plan.types import KeyPath, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True

_PATH = re.compile(r"/(?:[A-Za-z0-9._~-]+/)*")
_BLANK = " \t\r\n"


def check(plan: Plan) -> Iterator[Finding]:
    seen: set[KeyPath] = set()  # a default's directives are read once
    for service in plan.services:
        route = service.written_route
        if route is None:
            continue
        place = route.key_path
        if not _PATH.fullmatch(route.path):
            yield Finding(place, f"route `{route.path}` is not safe", _hint(route.path))
        elif {".", ".."} & set(route.path.split("/")):
            yield Finding(
                place,
                f"route `{route.path}` has a dot segment, which no request keeps",
                "write the path without it",
            )
        if route.auth_file and route.title == "off":
            yield Finding(
                (*service.key_path, "title"),
                f"{service.name}'s title is nginx's word for `no password`",
                "give the service another `title` than `off`",
            )
        for index, directive in enumerate(route.extra if place not in seen else ()):
            fault = _fault(directive)
            if fault:
                yield Finding(
                    (*place, "extra", index),
                    f"the raw directive {fault}",
                    "write one whole directive, such as `add_header X-Team es;`",
                )
        seen.add(place)


def _hint(path: str) -> str:
    if _PATH.fullmatch(path + "/"):
        return f"end it with a slash: `{path}/`"
    if _PATH.fullmatch("/" + path):
        return f"begin it with a slash: `/{path}`"
    return "begin and end it with `/`; letters, digits and `-._~` between"


def _fault(directive: str) -> str | None:
    """What makes a raw directive break out of its location; None where it can't.

    Reads as nginx does (ngx_conf_read_token in ngx_conf_file.c): quotes and `#` mean something only where a token begins, a
    backslash takes the next character with it, `${` opens no block, and a `}` within a token closes none.
    """
    depth = 0
    words = 0  # of the statement that is being read
    quote = ""
    escaped = comment = variable = False
    begins = True  # a token may begin here
    ended = False  # a quoted token has just ended: only a blank or the statement's end may follow
    for character in directive.strip() + "\n":
        if ended and character == ")":
            begins, ended = True, False  # nginx's own exception, for `if ($a = "b")`
        if comment:
            comment = character != "\n"
        elif escaped:
            escaped = False
        elif quote:
            escaped = character == "\\"
            if character == quote:
                quote, ended = "", True
        elif ended and character not in _BLANK + ";{":
            return "goes on behind a closing quote"
        elif character in _BLANK:
            begins, ended, variable = True, False, False
        elif begins and character == "#":
            comment = True
        elif character == "{" and variable:
            pass
        elif character in ";{" or (character == "}" and begins):
            if (words == 0) != (character == "}"):
                return f"has a `{character}` where nginx expects none"
            depth += {"{": 1, "}": -1}.get(character, 0)
            if depth < 0:
                return "has unbalanced braces"
            begins, ended, variable, words = True, False, False, 0
        else:
            words += begins
            quote = character if begins and character in "\"'" else ""
            escaped, variable = character == "\\", character == "$"
            begins = False
    if quote or escaped:
        return "has an open quote or escape"
    if words:
        return "ends without `;`"
    if depth:
        return "has unbalanced braces"
    return None if re.sub(r"#[^\n]*", "", directive).strip() else "is only a comment"
