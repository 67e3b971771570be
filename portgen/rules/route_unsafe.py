r"""A route that nginx would read as something else, or that would match more than meant.

A path begins and ends with `/` (without the last one `/dashboard/b` also takes `/dashboard/bx`),
and is made of letters, digits and `-._~`, so that quotes, `$`, `;`, `{`, blanks and a leading `~`
never reach a location. A raw directive ends with `;` or `}`, and its braces are balanced as nginx
itself counts them: it can't close the location that it stands in. A title `off` would switch off
its route's password.

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

from portgen.inventory import hints
from portgen.plan.routes import PATH, has_dot_segment
from portgen.plan.types import KeyPath, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True

_BLANK = " \t\r\n"


def check(plan: Plan) -> Iterator[Finding]:
    seen: set[KeyPath] = set()  # a default's directives are read once
    for service, route in plan.written_routes:
        place = route.key_path
        if not route.path:
            yield Finding(
                place, "the route has neither `path` nor `host`", "such as `{path: /wiki/}`"
            )
        elif not PATH.fullmatch(route.path):
            yield Finding(place, f"route `{route.path}` is not safe", _hint(route.path))
        elif has_dot_segment(route.path):
            yield Finding(
                place,
                f"route `{route.path}` has a dot segment, which no request keeps",
                "write the path without it",
            )
        if route.auth_file and route.title == "off":
            yield Finding(
                (*service.key_path, "title"),
                f"the title `off` would switch off the password of {service.name}'s route",
                "give the service another `title` than `off`",
            )
        if place in seen:
            continue
        seen.add(place)
        for index, directive in enumerate(route.extra):
            fault = breaks_out(directive)
            if fault:
                yield Finding(
                    (*place, "extra", index),
                    f"the raw directive {fault}",
                    "write one whole directive, such as `add_header X-Team es;`",
                )


def _hint(path: str) -> str:
    named = re.fullmatch(
        r"(?:[a-z]+://)?([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)(?::[0-9]+)?(/.*)?", path
    )
    if named is not None:
        beside = ""
        if named[2] not in (None, "/"):
            beside = f", path: {named[2].rstrip('/')}/"
        return f"a path begins with `/`; for a name of its own write `{{host: {named[1].lower()}{beside}}}`"
    if "://" in path:
        return hints.NAMES
    if path.endswith("*") and PATH.fullmatch(path.rstrip("*")):
        return f"leave the `*` out, a route takes all below it: `{path.rstrip('*')}`"
    if PATH.fullmatch(f"/{path}/"):
        return f"begin and end it with a slash: `/{path}/`"
    if PATH.fullmatch(path + "/"):
        return f"end it with a slash: `{path}/`"
    if PATH.fullmatch("/" + path):
        return f"begin it with a slash: `/{path}`"
    return "begin and end it with `/`; letters, digits and `-._~` between"


def breaks_out(directive: str) -> str | None:
    """What makes a raw directive break out of its location; None where it can't."""
    reader = _Reader()
    for character in directive.strip() + "\n":
        fault = reader.read(character)
        if fault is not None:
            return fault
    if reader.quote or reader.escaped:
        return "has an open quote or escape"
    if reader.words:
        return "ends without `;`"
    if reader.depth:
        return "has unbalanced braces"
    if not re.sub(r"#[^\n]*", "", directive).strip():
        return "is only a comment"
    return None


class _Reader:
    """Reads as nginx does (ngx_conf_read_token in ngx_conf_file.c): quotes and `#` mean something
    only where a token begins, a backslash takes the next character with it, `${` opens no block,
    and a `}` within a token closes none."""

    def __init__(self) -> None:
        self.depth = 0
        self.words = 0  # of the statement that is being read
        self.quote = ""
        self.escaped = False
        self.comment = False
        self.variable = False  # a `$` was the last character
        self.begins = True  # a token may begin here
        # A quoted token has just ended: only a blank or the statement's end may follow.
        self.ended = False

    def read(self, character: str) -> str | None:
        """Take the next character. Returns what is wrong with it."""
        if self.ended and character == ")":
            self.begins, self.ended = True, False  # nginx's own exception, for `if ($a = "b")`
        if self.comment or self.escaped or self.quote:
            self._goes_on(character)
        elif self.ended and character not in _BLANK + ";{":
            return "has text right after a closing quote"
        elif character in _BLANK:
            self._new_token()
        elif self.begins and character == "#":
            self.comment = True
        elif self._is_end(character):
            return self._statement_ends(character)
        elif not (character == "{" and self.variable):
            self._part_of_word(character)
        return None

    def _is_end(self, character: str) -> bool:
        """Whether a statement ends here, or a block begins or ends."""
        if character == "{":
            return not self.variable
        return character == ";" or (character == "}" and self.begins)

    def _goes_on(self, character: str) -> None:
        """Within a comment, behind a backslash or in quotes."""
        if self.comment:
            self.comment = character != "\n"
        elif self.escaped:
            self.escaped = False
        elif character == self.quote:
            self.quote, self.ended = "", True
        else:
            self.escaped = character == "\\"

    def _new_token(self) -> None:
        self.begins, self.ended, self.variable = True, False, False

    def _statement_ends(self, character: str) -> str | None:
        if (self.words == 0) != (character == "}"):
            return f"has a `{character}` where nginx expects none"
        if character == "{":
            self.depth += 1
        elif character == "}":
            self.depth -= 1
        if self.depth < 0:
            return "has unbalanced braces"
        self._new_token()
        self.words = 0
        return None

    def _part_of_word(self, character: str) -> None:
        if self.begins:
            self.words += 1
            if character in "\"'":
                self.quote = character
        self.escaped, self.variable = character == "\\", character == "$"
        self.begins = False
