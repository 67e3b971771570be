"""What a host that is not there answers an audit: the same questions, the same words as a real one.

In: a question, the simulated host. Out: the answer, as `tests/audit` has it of a clean host; here it is made
of what the simulated programs have now.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from portgen import audit
from portgen.audit import Audited, Places
from portgen.formats import compose
from portgen.plan.live import SOURCES, InstalledFile, Process
from portgen.plan.types import Host
from portgen.targets import Ask, Command, Files, Processes, Request, Said, Seen
from tests.audit import (
    answers_health,
    answers_nginx,
    answers_sockets,
    answers_systemd,
    answers_ufw,
    numbers,
)

if TYPE_CHECKING:
    from tests.install.simulated import SimulatedHost

FOLDER = "/srv/portgen"  # of the inventory
_GROUPS = "/sys/fs/cgroup/system.slice"


def audited(simulated: SimulatedHost, host: Host, rendered: dict[str, str]) -> Audited:
    """The simulated host, looked at for what is declared."""
    seen = Seen(host.name, simulated.clock)
    seen.folder, seen.out = FOLDER, f"{FOLDER}/output"
    asker = _Answers(simulated, host)
    for _ in range(10):
        asked = list(dict.fromkeys(audit.asks(host, seen)))
        if not asked:
            break
        for ask in asked:
            asker.answer(ask, seen)
    else:
        raise AssertionError("the targets ask without end")
    places = Places(seen.folder, f"{seen.out}/{host.name}", seen.compose)
    return Audited(host, seen, rendered, places, SOURCES)


class _Answers:
    """Answers of a host as it is now."""

    def __init__(self, simulated: SimulatedHost, host: Host) -> None:
        self.simulated = simulated
        self.host = host
        self.by_folder: dict[str, list[InstalledFile]] = {}
        for path, file in simulated.files.items():
            self._add(
                InstalledFile(
                    path,
                    file.data.decode("utf-8", "surrogateescape"),
                    file.mode,
                    file.changed,
                    file.owner,
                    real=answers_nginx.LINKS.get(path, path),
                )
            )
        for unit in simulated.systemd.running:
            path = f"{_GROUPS}/{unit}/cgroup.procs"
            self._add(InstalledFile(path, f"{numbers.pid(unit)}\n", real=path))
        self._add(InstalledFile("/proc/sys/net/ipv6/bindv6only", "0\n"))
        self.processes = {one.pid: one for one in self._processes()}

    def _add(self, file: InstalledFile) -> None:
        self.by_folder.setdefault(posixpath.dirname(file.path), []).append(file)

    def answer(self, ask: Ask, seen: Seen) -> None:
        match ask:
            case Command():
                seen.commands[ask.words] = self._said(ask.words)
            case Files():
                seen.folders[ask] = tuple(self._files(ask))
            case Processes():
                seen.processes.update({pid: self.processes.get(pid) for pid in ask.pids})
            case Request():
                seen.replies[ask.url] = answers_health.reply(ask)

    # --- files ---

    def _files(self, ask: Files) -> Iterator[InstalledFile]:
        folders = [ask.folder] if ask.folder in self.by_folder else []
        if re.search(r"[*?\[]", ask.folder):
            folders = [one for one in self.by_folder if fnmatchcase(one, ask.folder)]
        for folder in sorted(folders):
            for file in sorted(self.by_folder[folder]):
                if fnmatchcase(posixpath.basename(file.path), ask.pattern):
                    yield _shown(file, ask)

    # --- commands ---

    def _said(self, words: tuple[str, ...]) -> Said:
        match words:
            case ("ss", *_):
                lines = [one.line for one in self._listening()]
                return Said(0, "".join(f"{line}\n" for line in lines))
            case ("iptables-save",):
                return Said(0, _kernel(self.simulated, 4))
            case ("ip6tables-save",):
                return Said(0, _kernel(self.simulated, 6))
            case ("systemctl", "show", _, "--", *units):
                paragraph = self.simulated.systemd.paragraph
                return Said(0, "\n".join(paragraph(unit, self.host) for unit in units))
            case ("docker", "ps", *_):
                return Said(0, "".join(f"{one}\n" for one in self.simulated.docker.containers))
            case ("docker", "inspect", "--format", _, *ids):
                entries = [one for one in self.simulated.docker.entries() if one["id"] in ids]
                return Said(0, "".join(f"{json.dumps(one)}\n" for one in entries))
        raise AssertionError(f"the simulated host does not answer {words}")

    def _processes(self) -> Iterator[Process]:
        for one in self._listening():
            yield from one.processes

    def _listening(self) -> Iterator[answers_sockets.Listening]:
        systemd = self.simulated.systemd
        for unit, text in systemd.running.items():
            process = answers_systemd.of_forwarder(unit, text)
            process = process._replace(started=systemd.started[unit])
            from tests.install.simulated_systemd import bound_by

            for transport, address, port in bound_by(text):
                where = answers_sockets.DUAL if address == "::" else address
                yield answers_sockets.Listening(transport, where, port, (process,))
        for container in self.simulated.docker.containers.values():
            if container.runs:
                yield from _published(container.config["ports"])
        nginx = self.simulated.nginx
        if nginx.master:
            processes = answers_sockets.nginx(started=nginx.since + numbers.BEFORE)
            for port in sorted(nginx.loaded.ports):
                for address in ("0.0.0.0", "::"):
                    yield answers_sockets.Listening("tcp", address, port, processes)


def _shown(file: InstalledFile, ask: Files) -> InstalledFile:
    if not ask.read:
        return file._replace(text=None)
    if ask.keep is not None:
        lines = (file.text or "").splitlines(True)
        return file._replace(text="".join(line for line in lines if re.match(ask.keep, line)))
    return file


def _published(ports: list[str]) -> Iterator[answers_sockets.Listening]:
    for one in sorted(compose.published_ports(ports)):
        words = ["-proto", one.transport, "-host-ip", one.address, "-host-port", str(one.port)]
        proxy = answers_sockets.process(
            numbers.pid(f"{one.address} {one.port} {one.transport}"),
            "docker-proxy",
            "/system.slice/docker.service",
            "/usr/sbin/docker-proxy",
            *words,
            parent=500,
        )
        yield answers_sockets.Listening(one.transport, one.address, one.port, (proxy,))


# --- the kernel -----------------------------------------------------------------------------------


def _kernel(simulated: SimulatedHost, family: int) -> str:
    """As iptables-save prints it."""
    firewall = simulated.firewall
    chain, jumps = firewall.chain[family], firewall.jumps[family]
    out = []
    if chain is not None:
        built_in = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
        out += ["*mangle", *(f":{name} ACCEPT [0:0]" for name in built_in)]
        out.append(":PORTGEN-GUARD - [0:0]")
        out += ["-A FORWARD -j PORTGEN-GUARD"] * ("mangle" in jumps)
        out += [*chain, "COMMIT"]
    out += ["*filter", *_filter(simulated, family), "COMMIT"]
    if family == 4:
        out += ["*nat", *_nat(simulated), "COMMIT"]
    return "\n".join((*out, ""))


def _filter(simulated: SimulatedHost, family: int) -> Iterator[str]:
    chain = simulated.firewall.chain[family]
    lines = answers_ufw.data(f"kernel{family}.txt").splitlines()
    rules = [line for line in lines if line.startswith("-A")]
    yield from (line for line in lines if line.startswith(":"))
    if family == 4 or chain is not None:
        yield ":DOCKER-USER - [0:0]"
    if family == 4:
        yield from (f":{name} - [0:0]" for name in ("DOCKER", *answers_ufw.ISOLATION))
    if chain is not None:
        yield ":PORTGEN-GUARD - [0:0]"
    yield from (line for line in rules if line.startswith("-A INPUT"))
    if family == 4:
        yield from ("-A FORWARD -j DOCKER-USER", f"-A FORWARD -j {answers_ufw.ISOLATION[0]}")
        for bridge, _ in _bridges(simulated):
            yield f"-A FORWARD -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
            yield f"-A FORWARD -o {bridge} -j DOCKER"
            yield f"-A FORWARD -i {bridge} ! -o {bridge} -j ACCEPT"
            yield f"-A FORWARD -i {bridge} -o {bridge} -j ACCEPT"
    yield from (line for line in rules if not line.startswith("-A INPUT"))
    if chain is not None:
        if "filter" in simulated.firewall.jumps[family]:
            yield "-A DOCKER-USER -j PORTGEN-GUARD"
        yield from chain
    if family == 4:
        yield "-A DOCKER-USER -j RETURN"
        for bridge, bound, address, _, transport, inside in _mapped(simulated):
            yield (
                f"-A DOCKER -d {address}/32 ! -i {bridge} -o {bridge} -p {transport} "
                f"-m {transport} --dport {inside} -j ACCEPT"
            )
            del bound
        yield from _isolation(simulated)
    yield from _user_rules(simulated, family)


def _isolation(simulated: SimulatedHost) -> Iterator[str]:
    first, second = answers_ufw.ISOLATION
    for bridge, _ in _bridges(simulated):
        yield f"-A {first} -i {bridge} ! -o {bridge} -j {second}"
        yield f"-A {second} -o {bridge} -j DROP"
    yield from (f"-A {chain} -j RETURN" for chain in (first, second))


def _user_rules(simulated: SimulatedHost, family: int) -> Iterator[str]:
    chain, whole = ("ufw6-user-input", "/128") if family == 6 else ("ufw-user-input", "/32")
    everywhere = answers_ufw.EVERYWHERE[family]
    for rule in simulated.firewall.rules(family):
        line = f"-A {chain}"
        interface = rule.source[1:] if rule.source.startswith("%") else ""
        for option, end in (("-s", rule.source), ("-d", rule.destination)):
            if end != everywhere and not end.startswith("%"):
                network = end if "/" in end else end + whole
                line += f" {option} {network}"
        if interface:
            line += f" -i {interface}"
        match = f"-m {rule.protocol} --dport {rule.port}"
        if ":" in rule.port:
            match = f"-m multiport --dports {rule.port}"
        verdict = "ACCEPT" if rule.action == "allow" else "DROP"
        yield f"{line} -p {rule.protocol} {match} -j {verdict}"


def _bridges(simulated: SimulatedHost) -> Iterator[tuple[str, str]]:
    yield "docker0", "172.17.0.0/16"
    for number, network in enumerate(simulated.docker.networks.values()):
        for subnet in network.subnets:
            if ":" not in subnet and network.project:
                yield f"br-{number:012x}", subnet


def _mapped(simulated: SimulatedHost) -> Iterator[tuple[str, str, str, int, str, int]]:
    """Each port that docker publishes by IPv4: bridge, address of the host, container's, port, transport,
    inside."""
    numbered = {name: number for number, name in enumerate(simulated.docker.networks)}
    for container in simulated.docker.containers.values():
        if not container.runs:
            continue
        bridge, own = "docker0", "172.17.0.2"
        for name, address in container.addresses.items():
            bridge, own = f"br-{numbered[name]:012x}", address or own
        for one in sorted(compose.published_ports(container.config["ports"])):
            if ":" not in one.address:
                bound = "" if one.address == "0.0.0.0" else one.address
                yield bridge, bound, own, one.port, one.transport, one.inside


def _nat(simulated: SimulatedHost) -> Iterator[Any]:
    for chain in ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"):
        yield f":{chain} ACCEPT [0:0]"
    yield ":DOCKER - [0:0]"
    yield "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"
    yield "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER"
    for bridge, subnet in _bridges(simulated):
        yield f"-A POSTROUTING -s {subnet} ! -o {bridge} -j MASQUERADE"
        yield f"-A DOCKER -i {bridge} -j RETURN"
    for bridge, bound, address, port, transport, inside in _mapped(simulated):
        to = f"-d {bound}/32 " if bound else ""
        yield (
            f"-A DOCKER {to}! -i {bridge} -p {transport} -m {transport} --dport {port} "
            f"-j DNAT --to-destination {address}:{inside}"
        )
