"""Which variables of a shell script have one value for good, so that it can be put in.

In: the lines of a script. Out: by the lines' indexes, a name and its value. Pure. A name counts if one plain
line sets it, outside of any block, and nothing else in the script sets it in any way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# A line without the quotes that it closes itself; one that is left over goes on in the next line.
CLOSED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.|(?<!\S)#.*")
_VALUE = r"\w.:/,@%+=\[\]-"  # what neither a shell nor a second one would take for something else
_ASSIGNMENT = re.compile(
    rf"(?:(?:export|readonly)\s+)?(?P<name>[A-Za-z_]\w*)="
    rf"(?P<value>\"[ {_VALUE}]*\"|'[ {_VALUE}]*'|[{_VALUE}]*)(?:\s+#.*)?"
)
_AT = r"(?:^|[;&|(){}!`]|\b(?:then|else|elif|do|if|while|until|command|builtin|time)\s)\s*"
_SETS = re.compile(r"(?<![\w$-])(?P<name>[A-Za-z_]\w*)(?:\[[^\]]{0,200}\])?:?\+?=")
# Commands that set what they name.
_SETTING = re.compile(
    rf"{_AT}(?:[A-Za-z_]\w*=(?:\"[^\"]*\"|'[^']*'|[^\s;&|(){{}}\"'])*\s+)*"
    r"(?:for|select|read|unset|local|declare|typeset|getopts|mapfile|readarray|let|coproc"
    r"|printf\s+-v|wait\s+-\w*p)\s(?P<rest>.*)",
    re.DOTALL,
)
_NAME = re.compile(r"(?<![\w$])(?<!\$\{)[A-Za-z_]\w*")
# Commands that may set anything.
_OF_OTHERS = re.compile(rf"{_AT}(?:\.|source|eval)\s")
_STEP = re.compile(
    r"(?<![^\s;&|(){}!])(?P<opens>if|case|for|select|while|until|\{)(?=[\s;]|$)|(?P<paren>[()])"
    r"|(?:^|[;&|])\s*(?P<closes>fi|esac|done|\})(?=[\s;&|()<>]|$)"
)
_ENDS = {"if": "fi", "case": "esac", "{": "}"}  # of blocks; loops end with `done`


def settled(lines: Sequence[str]) -> dict[int, tuple[str, str]]:
    """What lines of a script set for good, by their indexes: a name and its value. A file that the script
    reads, or `eval`, may set all that stands before it."""
    plain: dict[int, tuple[str, str]] = {}
    once: set[str] = set()
    others: set[str] = set()
    last = -1  # the last line that may set anything
    blocks = _Blocks()
    for number, line in enumerate(lines):
        command = line.strip()
        if not command or command.startswith("#"):
            continue
        match = _ASSIGNMENT.fullmatch(command)
        if match is not None and not blocks.is_inside and match["name"] not in once:
            plain[number] = match["name"], match["value"].strip("\"'")
            once.add(match["name"])
        else:
            others.update(_set_by(command))
        if _OF_OTHERS.search(command):
            # In a function it runs whenever that is called.
            last = len(lines) if blocks.is_inside or "{" in command else number
        blocks.pass_by(command)
    return {number: one for number, one in plain.items() if number > last and one[0] not in others}


def _set_by(command: str) -> set[str]:
    """The names that a command may set."""
    names = {match["name"] for match in _SETS.finditer(command)}
    setting = _SETTING.search(command)
    if setting is not None:
        names.update(_NAME.findall(setting["rest"]))
    if any(sign in command.partition("((")[2] for sign in ("=", "++", "--")):
        names.update(_NAME.findall(command))
    return names


class _Blocks:
    """The blocks that are open at a line: `if`, loops, functions. What is not understood leaves them open."""

    def __init__(self) -> None:
        self._ends: list[str] = []  # by which words they end
        self._goes_on = False  # whether the line before ends with `&&` or `|`

    @property
    def is_inside(self) -> bool:
        """Whether the next line may run never, later, or in a shell of its own."""
        return self._goes_on or bool(self._ends)

    def pass_by(self, command: str) -> None:
        """Go on behind a line."""
        bare = CLOSED.sub("''", command).rstrip()
        for step in _STEP.finditer(bare):
            if step["opens"]:
                self._ends.append(_ENDS.get(step["opens"], "done"))
            elif step["paren"] == "(":
                self._ends.append(")")
            elif self._ends and self._ends[-1] == (step["closes"] or ")"):
                del self._ends[-1]
        bare = bare.removesuffix("''").rstrip()  # a comment
        self._goes_on = bare.endswith(("&&", "|"))
