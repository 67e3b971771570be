"""docker's chains as dockerd 20.10 writes them: for a host's networks and the ports that it publishes.

In: bridges, oldest first, and published ports, in the order in which docker published them. Out: texts for
`iptables-restore --noflush`, and the same as lists of rules by chain. Pure. A test compares them with those
of a real dockerd.

dockerd puts its jumps before all that is in FORWARD, ufw's too, and what belongs to a newer bridge before
what belongs to an older one. Without `--ip6tables`, an experiment in 20.10 and usual since 27, it leaves
IPv6 alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

STAGE = "DOCKER-ISOLATION-STAGE"
USER = "DOCKER-USER"
_FORWARD = ("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "-j DOCKER")
LOOPBACKS = {4: "127.0.0.0/8", 6: "::1/128"}


class Bridge(NamedTuple):
    """A Docker network's link on the host; `subnet6` is "" where it has no IPv6."""

    link: str
    subnet: str
    subnet6: str = ""

    def of(self, family: int) -> str:
        """Its subnet of a family; "" without."""
        return self.subnet6 if family == 6 else self.subnet


class Published(NamedTuple):
    """One port that docker publishes. `at`: the host's address that was asked for; "0.0.0.0" and "::" are
    all of a family. `to`: the container's address; where that is of the other family, docker-proxy alone
    leads there."""

    transport: str
    at: str
    port: int
    link: str
    to: str
    inside: int

    @property
    def family(self) -> int:
        """Of the address at which it is published."""
        return 6 if ":" in self.at else 4


class Chains(NamedTuple):
    """What dockerd has in the tables of one family: the rules of each chain, without `-A CHAIN`."""

    family: int
    tables: dict[str, dict[str, list[str]]]

    @property
    def text(self) -> str:
        """For `iptables-restore --noflush`: in built-in chains docker's rules come first, in the table nat
        they come last, as nobody else is there; its own chains are emptied."""
        lines: list[str] = []
        for table, chains in self.tables.items():
            lines.append(f"*{table}")
            lines += [f":{name} - [0:0]" for name in chains if name.startswith("DOCKER")]
            for name, rules in chains.items():
                if name == "FORWARD":
                    placed = enumerate(rules, 1)
                    lines += [f"-I FORWARD {place} {rule}" for place, rule in placed]
                else:
                    lines += [f"-A {name} {rule}" for rule in rules]
            lines.append("COMMIT")
        return "\n".join((*lines, ""))


def chains(
    family: int,
    bridges: Sequence[Bridge],
    published: Iterable[Published],
    user: Sequence[str] = (),
    *,
    ip6tables: bool = False,
) -> Chains | None:
    """What dockerd writes; None for IPv6 where it does not handle that. `user`: the rules that DOCKER-USER
    has already, which dockerd keeps."""
    if family == 6 and not ip6tables:
        return None
    ports = []
    for one in published:
        if one.family == family and (":" in one.to) == (family == 6):
            ports.append(one)
    newest = list(reversed(bridges))
    tables = {"filter": _filter(family, newest, ports), "nat": _nat(family, newest, ports)}
    if family == 4:
        kept = [rule for rule in user if rule != "-j RETURN"]
        tables["filter"][USER] = [*kept, "-j RETURN"]
    return Chains(family, tables)


def _filter(
    family: int, newest: Sequence[Bridge], ports: Sequence[Published]
) -> dict[str, list[str]]:
    """The table filter, but for DOCKER-USER."""
    forward = [f"-j {USER}"] if family == 4 else []
    forward.append(f"-j {STAGE}-1")
    for bridge in newest:
        link = bridge.link
        if bridge.of(family):
            forward += [f"-o {link} {rule}" for rule in _FORWARD]
            forward.append(f"-i {link} ! -o {link} -j ACCEPT")
            forward.append(f"-i {link} -o {link} -j ACCEPT")
    leaving = [f"-i {one.link} ! -o {one.link} -j {STAGE}-2" for one in newest]
    coming = [f"-o {one.link} -j DROP" for one in newest]
    return {
        "FORWARD": forward,
        "DOCKER": list(map(_let_in, ports)),
        f"{STAGE}-1": [*leaving, "-j RETURN"],
        f"{STAGE}-2": [*coming, "-j RETURN"],
    }


def _nat(family: int, newest: Sequence[Bridge], ports: Sequence[Published]) -> dict[str, list[str]]:
    """The table nat."""
    leaving, returning = [], []
    for bridge in newest:
        if bridge.of(family):
            leaving.append(f"-s {bridge.of(family)} ! -o {bridge.link} -j MASQUERADE")
            returning.append(f"-i {bridge.link} -j RETURN")
    local = "-m addrtype --dst-type LOCAL -j DOCKER"
    return {
        "PREROUTING": [local],
        "OUTPUT": [f"! -d {LOOPBACKS[family]} {local}"],
        "POSTROUTING": [*leaving, *map(_to_itself, ports)],
        "DOCKER": [*returning, *map(_rewritten, ports)],
    }


def _single(address: str) -> str:
    return f"{address}/128" if ":" in address else f"{address}/32"


def _port(one: Published, port: int) -> str:
    return f"-p {one.transport} -m {one.transport} --dport {port}"


def _let_in(one: Published) -> str:
    ends = f"-d {_single(one.to)} ! -i {one.link} -o {one.link}"
    return f"{ends} {_port(one, one.inside)} -j ACCEPT"


def _to_itself(one: Published) -> str:
    own = _single(one.to)
    return f"-s {own} -d {own} {_port(one, one.inside)} -j MASQUERADE"


def _rewritten(one: Published) -> str:
    at = "" if one.at in ("0.0.0.0", "::") else f"-d {_single(one.at)} "
    to = f"[{one.to}]" if one.family == 6 else one.to
    leads = f"-j DNAT --to-destination {to}:{one.inside}"
    return f"{at}! -i {one.link} {_port(one, one.port)} {leads}"


# --- what a real dockerd has ----------------------------------------------------------------------


def saved(text: str) -> dict[str, dict[str, list[str]]]:
    """What `iptables-save` prints, as docker's part of it: in built-in chains only the rules that docker
    writes."""
    found: dict[str, dict[str, list[str]]] = {}
    table = ""
    for line in text.split("\n"):
        if line.startswith("*"):
            table = line[1:]
        match = re.fullmatch(r"-A (\S+) (.*)", line)
        if match is None or table not in ("filter", "nat"):
            continue
        chain, rule = match[1], match[2]
        if chain.startswith("DOCKER") or (table == "nat" or _is_dockers(rule)):
            found.setdefault(table, {}).setdefault(chain, []).append(rule)
    return found


def _is_dockers(rule: str) -> bool:
    """Whether a rule of a built-in chain of the table filter is docker's."""
    return re.search(r"-j DOCKER|-[io] (br-[0-9a-f]{12}|docker0) ", rule) is not None


def alike(tables: dict[str, dict[str, list[str]]]) -> dict[str, list[str]]:
    """Both forms as one that can be compared: without chains that are empty. In POSTROUTING and DOCKER the
    order of the ports of different containers follows from when each was started; no two of these rules
    are about the same packet, so they are sorted. Of all other chains the order counts."""
    found = {}
    for table, chains_ in tables.items():
        for name, rules in chains_.items():
            if rules:
                sorts = name in ("POSTROUTING", "DOCKER")
                found[f"{table} {name}"] = sorted(rules) if sorts else rules
    return found
