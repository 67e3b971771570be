"""Shell scripts, as far as an import reads them: commands, with plain variables put in.

In: a script's text. Out: `Command`s, and their words. Pure. What a shell would have to compute stays as it is
written.
"""

from __future__ import annotations

import re
import shlex
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from portgen.adopt.assigned import CLOSED, settled

HERE = "a line of a here-document, and no command of this script"
_PORTGENS = "PORTGEN_UFW"  # the here-document of portgen's own script, whose lines are its rules
_FILE = r"(?:\"[^\"]*\"|'[^']*'|[^\s\"';&|()]+)"
# Its number, if it has one, is a word by itself: `fd2>x` has none.
_REDIRECT = re.compile(
    rf"(?:(?<![^\s;&|()])[0-9]+)?>{{1,2}}\s*(?:&[0-9-]|{_FILE})|&>{{1,2}}\s*{_FILE}|<(?![<(])\s*{_FILE}"
)
_STEERING = ("if", "then", "else", "elif", "do", "while", "until", "!")
_VARIABLE = r"\\.|\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<bare>[A-Za-z_]\w*))"
_QUOTED = re.compile(rf"'[^']*'|(?P<double>\"(?:\\.|[^\"\\])*\")|{_VARIABLE}")
_WITHIN = re.compile(_VARIABLE)
# What of a line may open a here-document, besides what only looks like it: strings, sums, comments.
_HERE = re.compile(
    r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.|<<<|\(\([^()]*(?:\([^()]*\)[^()]*)*\)\)|(?<!\S)#.*"
    r"|<<(?P<tabs>-?)\s*(?P<end>'[^']+'|\"[^\"]+\"|[^\s;&|<>()]+)"
)
_REST = re.compile(r"(?:\\.|[^\"\\])*\"")
_PLAIN_REST = re.compile(r"[^']*'")
_MOST_LINES = 50  # of one quoted text
_DEEPEST = 4  # shells within one another
_SET = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_SHELLS = ("ash", "bash", "dash", "sh", "zsh")
_VALUED = re.compile(r"[-+]\w*[oO]|--(?:rcfile|init-file)")  # options of theirs with a value
# Commands that run another one on this host, in its own network: their options without a value, and with one.
_PREFIXES = {
    "chronic": ("", ""),
    "command": ("", ""),
    "doas": ("n", "u"),
    "env": ("i", "u"),
    "exec": ("cl", "a"),
    "ionice": ("t", "cn"),
    "nice": ("", "n"),
    "nohup": ("", ""),
    "runuser": ("", "ug"),
    "setsid": ("cfw", ""),
    "stdbuf": ("", "ioe"),
    "sudo": ("nEHbkS", "ugp"),
    "time": ("p", ""),
    "timeout": ("v", "ks"),
    "unbuffer": ("", ""),
}
_LONG = re.compile(
    r"-[0-9]+|--(?:fork|wait|ctty|foreground|preserve-status|non-interactive|background|ignore-environment"
    r"|(?:user|group|adjustment|class|classdata|signal|kill-after|output|error|input|unset)=.*)"
)


class Command(NamedTuple):
    """A command and the line that it begins on, 1-based. One that goes on over several lines is one.
    `is_text`: whether it is a line of a here-document, and so no command of the script."""

    line: int
    text: str
    is_text: bool = False


def commands(text: str) -> Iterator[Command]:
    """The commands of a script, without comments and assignments of plain values. A variable's value is
    put in where the script sets it once and for good."""
    variables: dict[str, str] = {}
    lines = list(_whole_lines(text))
    plain = settled(["" if is_text else line for _, line, is_text in lines])
    for number, (first, line, is_text) in enumerate(lines):
        command = line.strip()
        if number in plain:
            name, value = plain[number]
            variables[name] = value
        elif is_text:
            yield Command(first, _with(variables, command), is_text=True)
        elif command and not command.startswith("#"):
            yield Command(first, _with(variables, command))


def _whole_lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Each line with its number, joined with those that it goes on in, and whether it is one of a
    here-document."""
    lines = text.split("\n")
    ends: deque[tuple[str, bool]] = deque()
    number = 0
    while number < len(lines):
        first = number
        if ends:
            end, has_tabs = ends[0]
            line = lines[number].lstrip("\t") if has_tabs else lines[number]
            number += 1
            if line.rstrip("\r") == end:
                ends.popleft()
            elif line.strip():
                yield first + 1, line, end != _PORTGENS
            continue
        line, number = _joined(lines, number)
        ends.extend([] if line.lstrip().startswith("#") else _here(line))
        yield first + 1, line, False


def _joined(lines: Sequence[str], number: int) -> tuple[str, int]:
    """A line with those that it goes on in, behind a backslash or within quotes; and the next one's index."""
    parts: list[str] = []
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line.endswith("\\"):
            parts.append(line)
            break
        parts.append(line[:-1] + " ")
    line = "".join(parts)
    if line.lstrip().startswith("#"):
        return line, number
    quote = _open(line, "")
    whole = [line]
    for later in range(number, min(number + _MOST_LINES, len(lines))):
        if not quote:
            break
        whole.append(lines[later])
        quote = _open(lines[later], quote)
    return (line, number) if quote else ("\n".join(whole), number + len(whole) - 1)


def _open(line: str, quote: str) -> str:
    """Which quote a line leaves open, where it begins within `quote`; "" for none."""
    if quote:
        closing = (_REST if quote == '"' else _PLAIN_REST).match(line)
        if closing is None:
            return quote
        line = line[closing.end() :]
    left = re.search("[\"']", CLOSED.sub("", line))
    return left[0] if left else ""


def _here(line: str) -> list[tuple[str, bool]]:
    """By which lines the here-documents of a command end, and whether tabs may stand before those."""
    found = []
    for match in _HERE.finditer(line):
        end = (match["end"] or "").strip("'\"").replace("\\", "")
        if end:
            found.append((end, bool(match["tabs"])))
    return found


# --- words ----------------------------------------------------------------------------------------


def calls(text: str, depth: int = 0) -> list[list[str]] | None:
    """The simple commands of a line, each as its words, without what only steers: `if`, `&&`, redirections;
    without what runs them on this host in the same way, `sudo`, `nohup`; also those of `sh -c`. None
    where a shell would have to say what they are."""
    simple = _simple(text)
    if simple is None or depth > _DEEPEST:
        return None
    found: list[list[str]] = []
    for words in simple:
        own = _behind_prefixes(words)
        script = _script(own)
        if script is None:
            found += [own] if own else []
            continue
        for command in commands(script):
            inner = None if command.is_text else calls(command.text, depth + 1)
            if inner is None:
                return None
            found += inner
    return found


def program(words: Sequence[str]) -> str:
    """Which program is called, without its folder."""
    return words[0].rpartition("/")[2]


def is_shell(words: Sequence[str]) -> bool:
    """Whether a command is a shell's, or gets one for another user."""
    return program(words) in (*_SHELLS, "su", "runuser")


def _simple(text: str) -> list[list[str]] | None:
    lexer = shlex.shlex(_REDIRECT.sub(" ", text), posix=True, punctuation_chars=";&|(){}")
    lexer.commenters = "#"
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    try:
        for word in lexer:
            if set(word) <= set(";&|(){}"):
                found.append([])
            elif found[-1] or word not in _STEERING:
                found[-1].append(word)
    except ValueError:
        return None
    return [words for words in found if words]


def _behind_prefixes(words: list[str]) -> list[str]:
    """The words from the program on, or from a prefix with an option that is not known."""
    start = 0
    while start < len(words):
        if _SET.fullmatch(words[start]) and not words[start].startswith("SOCAT_"):
            start += 1
            continue
        behind = _behind(words, start)
        if behind is None:
            return words[start:]
        start = behind
    return words


def _behind(words: Sequence[str], start: int) -> int | None:
    """Where the command is that a prefix runs; None where there is no prefix, or its options are not
    known."""
    name, number = program(words[start : start + 1]), start + 1
    if name not in _PREFIXES:
        return None
    if name == "runuser" and words[number : number + 1] != ["-u"]:
        return None
    flags, valued = _PREFIXES[name]
    while number < len(words) and words[number].startswith("-"):
        option = words[number]
        if option == "--":
            return number + 1
        if len(option) == 2 and option[1] in valued:
            number += 2
        elif set(option[1:]) <= set(flags) or option[1] in valued or _LONG.fullmatch(option):
            number += 1
        else:
            return None
    return number + 1 if name == "timeout" else number


def _script(words: list[str]) -> str | None:
    """What a shell is given to run as a text, by `sh -c` or `su USER -c`; None of any other command."""
    if not words:
        return None
    name = program(words)
    if name == "eval":
        return " ".join(words[1:])
    if name in _SHELLS:
        return _text_of_shell(words)
    if not is_shell(words):
        return None
    behind = (later for word, later in pairwise(words[1:]) if word in ("-c", "--command"))
    return next(behind, None)


def _text_of_shell(words: Sequence[str]) -> str | None:
    """What a shell runs by `-c`: the first word that is none of its options. Without it that is a file."""
    rest, is_text = iter(words[1:]), False
    for word in rest:
        if word in ("-", "--"):
            break
        if not word.startswith(("-", "+")):
            return word if is_text else None
        if _VALUED.fullmatch(word):
            next(rest, None)
        is_text = is_text or re.fullmatch(r"-\w*c\w*", word) is not None
    return next(rest, None) if is_text else None


def _with(variables: dict[str, str], command: str) -> str:
    """A command with the values of variables, where a shell would put them in: not behind a backslash, nor
    within single quotes, which another shell may be given to read."""

    def within(match: re.Match[str]) -> str:
        name = match["braced"] or match["bare"]
        return variables.get(name, match[0]) if name else match[0]

    def anywhere(match: re.Match[str]) -> str:
        return _WITHIN.sub(within, match["double"]) if match["double"] else within(match)

    return _QUOTED.sub(anywhere, command) if "$" in command else command
