r"""A route that nginx would read as something else, or that would match more than meant.

A path begins and ends with `/` (without the last one `/dashboard/b` also takes `/dashboard/bx`), and is made of letters,
digits and `-._~`, so that quotes, `$`, `;`, `{`, blanks and a leading `~` never reach a location. A raw directive ends with
`;` or `}`, and its braces are balanced: it can't close the location that it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portgen.plan import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR

_PATH = re.compile(r"/(?:[A-Za-z0-9._~-]+/)*")
_QUOTED = re.compile(r"""\\.|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""", re.DOTALL)


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        route = service.route
        if route is None:
            continue
        place = route.key_path
        if not _PATH.fullmatch(route.path):
            yield Finding(place, f"route `{route.path}` is not safe", _hint(route.path))
        elif {".", ".."} & set(route.path.split("/")):
            yield Finding(place, f"route `{route.path}` has a dot segment, which no request keeps", "write the path without it")
        for index, directive in enumerate(route.extra):
            fault = _fault(directive)
            if fault:
                yield Finding((*place, "extra", index), f"the raw directive {fault}", "write one whole directive, such as `add_header X-Team es;`")


def _hint(path: str) -> str:
    if _PATH.fullmatch(path + "/"):
        return f"end it with a slash: `{path}/`"
    if _PATH.fullmatch("/" + path):
        return f"begin it with a slash: `/{path}`"
    return "begin and end it with `/`; letters, digits and `-._~` between"


def _fault(directive: str) -> str | None:
    """What makes a raw directive break out of its location; None where it can't."""
    bare = re.sub(r"(?:^|(?<=\s))#[^\n]*", "", _QUOTED.sub("q", directive)).strip()
    # A variable `${name}` is no block.
    bare = re.sub(r"\$\{[A-Za-z0-9_]+\}", "v", bare)
    if '"' in bare or "'" in bare or bare.endswith("\\"):
        return "has an open quote or escape"
    depth = 0
    for character in bare:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            break
    if depth != 0:
        return "has unbalanced braces"
    if not bare.endswith((";", "}")):
        return "ends without `;`"
    return None
