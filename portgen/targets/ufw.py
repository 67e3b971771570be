"""ufw: the script that adds and removes our rules, and the guard for ports that docker publishes past ufw; judged by `ufw --dry-run`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from portgen.plan.types import LOOPBACK, Guard, Host, Opening, is_ipv6
from portgen.targets import Check, Findings, Machine, Page, Program, Rejection, Unchecked

MARK = "portgen:"  # every comment of ours begins with it, and nobody else's may
SCRIPT = "ufw/portgen-ufw.sh"
GUARD = "ufw/portgen-after.rules"
# A neighbour on the same link can send packets for 127.0.0.1 to the host's MAC, and docker (before 28) hands
# them on to the container that is published there. No packet that is forwarded legitimately has such an original
# destination.
NO_LOOPBACK = (
    "-A PORTGEN-GUARD -m conntrack --ctstate DNAT --ctorigdst 127.0.0.0/8 --ctdir ORIGINAL -j DROP"
)


class Holder(NamedTuple):
    """Which compose service of which project may have a published port (`5001/tcp`) or a container's
    address."""

    what: str
    project: str
    compose_service: str
    service: str


def pages(host: Host) -> Iterator[Page]:
    """The script is rendered even where nothing is open: running it then takes back what an earlier one opened."""
    guards = [(guard, list(guard_rules(guard))) for guard in host.guards]
    values = {
        "host": host,
        "rules": [(opening.service, rule(opening)) for opening in host.openings],
        "holders": list(holders(host)),
        "guarded": bool(guards),
    }
    yield Page(SCRIPT, "ufw/portgen-ufw.sh.j2", values, 0o755)
    if guards:
        yield Page(
            GUARD,
            "ufw/portgen-after.rules.j2",
            {"host": host, "guards": guards, "no_loopback": NO_LOOPBACK},
        )


def holders(host: Host) -> Iterator[Holder]:
    """Who may have what a guard closes. A container that has it, and is somebody else's, keeps the old guard
    in force."""
    for service in host.services:
        if service.via == "docker" and service.bind != LOOPBACK:
            for port in service.ports:
                yield Holder(
                    str(port.endpoint),
                    service.project,
                    service.compose_service,
                    service.name,
                )
        if service.address is not None:
            yield Holder(
                str(service.address), service.project, service.compose_service, service.name
            )


def rule(opening: Opening) -> str:
    """One rule in ufw's long form, which is always valid. ufw itself drops the /32 of a single address."""
    source = opening.source.removesuffix("/128" if is_ipv6(opening.source) else "/32")
    return f"allow proto {opening.transport} from {source} to any port {opening.port} comment '{MARK}{opening.service}'"


def guard_rules(guard: Guard) -> Iterator[str]:
    """The guard's iptables rules for one service.

    The published port is matched by the ORIGINAL destination port, since docker has rewritten it by then; `DNAT` keeps
    the rule off a container's own connections to that port elsewhere. The container's address is closed to whoever comes
    straight to it: traffic that was not rewritten, in the direction of its first packet, from outside its own network.
    """
    for port in guard.ports if guard.sources else ():
        match = f"-p {port.transport} -m conntrack --ctstate DNAT --ctorigdstport {port.port} --ctdir ORIGINAL"
        for source in guard.sources:
            yield f"-A PORTGEN-GUARD -s {source} {match} -j RETURN"
        yield f"-A PORTGEN-GUARD {match} -j DROP"
    if guard.address is not None:
        yield f"-A PORTGEN-GUARD ! -s {guard.subnet} -d {guard.address}/32 -m conntrack ! --ctstate DNAT --ctdir ORIGINAL -j DROP"


# --- the check: the script by `sh -n`, each of its rules by `ufw --dry-run`, the guard by `iptables-restore --test` ------

SH = Program((("sh",),))
UFW = Program((("ufw",),), ("version",))
IPTABLES = Program((("iptables-restore",),), ("--version",))


def checks(
    host: Host, files: Mapping[str, str], _machine: Machine
) -> Iterator[Check | Rejection | Unchecked]:
    script = files.get(SCRIPT)
    if script is not None:
        yield Check(host.name, SH, ("-n", "portgen-ufw.sh"), _read_sh, {"portgen-ufw.sh": script})
        yield from _python_faults(script)
        for number, line in enumerate(script.split("\n"), 1):
            if re.match(r"ufw (allow|deny|limit|reject) ", line):
                try:
                    words = shlex.split(line)[1:]
                except ValueError as error:
                    yield Rejection(f"not a shell command: {error}", SCRIPT, number)
                    continue
                yield Check(
                    host.name, UFW, ("--dry-run", *words), _rule_reader(number), needs_root=True
                )
    guard = files.get(GUARD)
    if guard is not None:
        yield Check(
            host.name, IPTABLES, ("--test", "--noflush"), _read_guard, stdin=guard, needs_root=True
        )


def _python_faults(script: str) -> Iterator[Rejection]:
    """The script's main part is Python, which `sh -n` does not read: compiled here, and never run."""
    head, here, rest = script.partition("<<'PORTGEN_UFW'\n")
    body = rest.partition("\nPORTGEN_UFW\n")[0]
    if not here:
        return  # a template of the team's own
    try:
        compile(body, SCRIPT, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        yield Rejection(
            f"not valid Python: {getattr(error, 'msg', error)}", SCRIPT, head.count("\n") + 1 + line
        )


def _read_sh(code: int, _out: str, said: str) -> Findings:
    # `portgen-ufw.sh: 12: Syntax error: ...` (dash), `portgen-ufw.sh: line 12: ...` (bash)
    for line in said.splitlines():
        match = re.fullmatch(r"portgen-ufw\.sh: (?:line )?(\d+): (.*)", line)
        yield Rejection(match[2], SCRIPT, int(match[1])) if match else Rejection(line, SCRIPT)
    if code != 0 and not said.strip():
        yield Rejection(f"sh -n ends with exit code {code} and says nothing", SCRIPT)


def _rule_reader(number: int) -> Callable[[int, str, str], Findings]:
    """A rule that ufw takes is no news; it warns of other things on stderr, such as who owns /."""

    def read(code: int, _out: str, said: str) -> Findings:
        if code != 0:
            errors = [
                line.removeprefix("ERROR: ")
                for line in said.splitlines()
                if line.startswith("ERROR: ")
            ]
            if errors == ["IPv6 support not enabled"]:
                yield Unchecked(
                    "ufw on this machine leaves IPv6 alone (IPV6=no in /etc/default/ufw): rules with an IPv6 source"
                )
            else:
                yield Rejection(
                    "; ".join(errors) or said.strip() or f"ufw ends with exit code {code}",
                    SCRIPT,
                    number,
                )

    return read


def _read_guard(code: int, _out: str, said: str) -> Findings:
    if code == 0:
        return
    # nf_tables' errors name a line in a second message, or in the same: "Error occurred at line: 6", "line 6 failed: ..."
    line = re.search(r"line:? (\d+)", said)
    lines = [
        re.sub(r"^iptables-restore(?: v\S+ \(\w+\))?: ", "", text) for text in said.splitlines()
    ]
    message = next(
        (text for text in lines if text.strip()), f"iptables-restore ends with exit code {code}"
    )
    if re.search(
        r"Permission denied|Could not fetch rule set generation id|can't initialize|missing kernel module|do you need to insmod",
        said,
    ):
        yield Unchecked(f"iptables can't be used here: {message}")
    else:
        yield Rejection(message, GUARD, int(line[1]) if line else None)
