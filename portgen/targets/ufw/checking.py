"""ufw's check: the script by `sh -n`, each of its rules by `ufw --dry-run`, the guard by
`iptables-restore --test`, that of IPv6 by `ip6tables-restore --test`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping

from portgen.plan.types import Host
from portgen.targets import Check, Findings, Machine, Program, Rejection, Unchecked
from portgen.targets.ufw.writing import GUARD, GUARD6, SCRIPT

SH = Program((("sh",),))
UFW = Program((("ufw",),), ("version",))
IPTABLES = {
    GUARD: Program((("iptables-restore",),), ("--version",)),
    GUARD6: Program((("ip6tables-restore",),), ("--version",)),
}
# What iptables says where this machine's kernel, or this user, can't have it.
_UNUSABLE = (
    r"Permission denied|Could not fetch rule set generation id|can't initialize"
    r"|missing kernel module|do you need to insmod"
)


def checks(
    host: Host, files: Mapping[str, str], _machine: Machine
) -> Iterator[Check | Rejection | Unchecked]:
    """A command for the script, for each of its rules, and for the guard."""
    script = files.get(SCRIPT)
    if script is not None:
        yield Check(host.name, SH, ("-n", "portgen-ufw.sh"), _read_sh, {"portgen-ufw.sh": script})
        yield from _python_faults(script)
        yield from _rules(host, script)
    for path, program in IPTABLES.items():
        if path in files:
            arguments, read = ("--test", "--noflush"), _guard_reader(path)
            yield Check(host.name, program, arguments, read, stdin=files[path], needs_root=True)


def _rules(host: Host, script: str) -> Iterator[Check | Rejection]:
    for number, line in enumerate(script.split("\n"), 1):
        if not re.match(r"ufw (allow|deny|limit|reject) ", line):
            continue
        try:
            words = shlex.split(line)[1:]
        except ValueError as error:
            yield Rejection(f"not a shell command: {error}", SCRIPT, number)
            continue
        yield Check(host.name, UFW, ("--dry-run", *words), _rule_reader(number), needs_root=True)


def _python_faults(script: str) -> Iterator[Rejection]:
    """The script's main part is Python, which `sh -n` does not read: compiled here, and never
    run."""
    head, here, rest = script.partition("<<'PORTGEN_UFW'\n")
    body = rest.partition("\nPORTGEN_UFW\n")[0]
    if not here:
        return  # a template of the team's own
    try:
        compile(body, SCRIPT, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = head.count("\n") + 1 + (getattr(error, "lineno", None) or 1)
        yield Rejection(f"not valid Python: {getattr(error, 'msg', error)}", SCRIPT, line)


def _read_sh(code: int, _out: str, said: str) -> Findings:
    for line in said.splitlines():
        # `portgen-ufw.sh: 12: Syntax error: ...` (dash), `portgen-ufw.sh: line 12: ...` (bash)
        match = re.fullmatch(r"portgen-ufw\.sh: (?:line )?(\d+): (.*)", line)
        if match is not None:
            yield Rejection(match[2], SCRIPT, int(match[1]))
        else:
            yield Rejection(line, SCRIPT)
    if code != 0 and not said.strip():
        yield Rejection(f"sh -n ends with exit code {code} and says nothing", SCRIPT)


def _rule_reader(number: int) -> Callable[[int, str, str], Findings]:
    """A rule that ufw takes is not news; it warns of other things on stderr, such as who owns /."""

    def read(code: int, _out: str, said: str) -> Findings:
        if code == 0:
            return
        errors = re.findall(r"(?m)^ERROR: (.*)$", said)
        if errors == ["IPv6 support not enabled"]:
            yield Unchecked(
                "ufw on this machine leaves IPv6 alone (IPV6=no in /etc/default/ufw): "
                "rules with an IPv6 source"
            )
            return
        message = "; ".join(errors) or said.strip() or f"ufw ends with exit code {code}"
        yield Rejection(message, SCRIPT, number)

    return read


def _guard_reader(path: str) -> Callable[[int, str, str], Findings]:
    def read(code: int, _out: str, said: str) -> Findings:
        if code == 0:
            return
        message = f"iptables-restore ends with exit code {code}"
        for line in said.splitlines():
            text = re.sub(r"^ip6?tables-restore(?: v\S+ \(\w+\))?: ", "", line)
            if text.strip():
                message = text
                break
        if re.search(_UNUSABLE, said):
            yield Unchecked(f"iptables can't be used here: {message}")
            return
        # nf_tables' errors name a line in a second message, as `Error occurred at line: 6`, or in
        # the same one.
        numbers = re.findall(r"line:? (\d+)", said)
        number = int(numbers[0]) if numbers else None
        yield Rejection(message, path, number)

    return read
