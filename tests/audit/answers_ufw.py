"""What iptables-save and ufw's files say on a clean host, for any plan.

In: a planned host. Out: the texts that ufw 0.36, portgen's script and docker 20.10 leave: the files in ufw's
own form, the kernel's rules as iptables 1.8 prints them. Both are written here apart from each other, as on a
host that has just been installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from portgen.plan.live import InstalledFile
from portgen.plan.ports import interface_of, is_ipv6
from portgen.plan.types import Guard, Host, Opening
from portgen.targets import Files, Said
from portgen.targets.ufw.writing import CHAIN, NO_LOOPBACK, guard_rules, guard_rules6

DATA = (
    Path(__file__).parent / "ufw"
)  # ufw's files, and the kernel's chains, of a host without a rule
FOLDERS = ("/etc/ufw", "/etc/default", "/proc/sys/net/ipv6")
EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
OWN = ("before.rules", "before6.rules", "after.rules", "after6.rules", "user.rules", "user6.rules")


@cache
def data(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def said(words: tuple[str, ...], host: Host) -> Said:
    """What `iptables-save` or `ip6tables-save` prints."""
    return Said(0, kernel(host, 6 if words[0].startswith("ip6") else 4))


def files(ask: Files, host: Host) -> tuple[InstalledFile, ...]:
    """ufw's files, and the one that says that the kernel knows IPv6."""
    if ask.folder == "/proc/sys/net/ipv6":
        return (InstalledFile("/proc/sys/net/ipv6/bindv6only", "0\n"),)
    if ask.folder == "/etc/default":
        return (InstalledFile("/etc/default/ufw", data("default-ufw")),)
    texts = of_ufw(host)
    if ask.pattern in texts:
        return (InstalledFile(f"/etc/ufw/{ask.pattern}", texts[ask.pattern]),)
    found = []
    for name, text in sorted(texts.items()):
        if name.endswith(ask.pattern.lstrip("*")):
            mode = 0o740 if "PORTGEN" in text and name == "after.init" else 0o640
            found.append(InstalledFile(f"/etc/ufw/{name}", text, mode))
    return tuple(found)


def of_ufw(host: Host) -> dict[str, str]:
    """Each file of /etc/ufw."""
    texts = {name: data(name) for name in (*OWN, "after.init", "before.init", "ufw.conf")}
    for family, name in ((4, "user.rules"), (6, "user6.rules")):
        rules = "".join(f"\n{line}" for line in _user_rules(host, family))
        texts[name] = texts[name].replace("### RULES ###\n", f"### RULES ###\n{rules}", 1)
    families = [family for family in (4, 6) if _guarded(host, family)]
    for family in families:
        name = "after6.rules" if family == 6 else "after.rules"
        texts[name] += _block(host, family)
    if families:
        texts["after.init"] = _init(texts["after.init"], families)
    return texts


# --- ufw's rules ----------------------------------------------------------------------------------


def _families(opening: Opening) -> tuple[int, ...]:
    end = opening.source
    if end == "any" or interface_of(end):
        end = opening.endpoint.address
    if not end:
        return (4, 6)
    return (6,) if is_ipv6(end) else (4,)


def _of_family(host: Host, family: int) -> list[Opening]:
    return [opening for opening in host.openings if family in _families(opening)]


def _bare(end: str) -> str:
    return end.removesuffix("/128" if is_ipv6(end) else "/32")


def _user_rules(host: Host, family: int) -> Iterator[str]:
    """Each rule with its tuple, as ufw writes them."""
    everywhere, chain = EVERYWHERE[family], "ufw6-user-input" if family == 6 else "ufw-user-input"
    yield f"### tuple ### allow tcp 22 {everywhere} any {everywhere} in comment=737368\n"
    yield f"-A {chain} -p tcp --dport 22 -j ACCEPT\n\n"
    for opening in _of_family(host, family):
        interface = interface_of(opening.source)
        anyone = opening.source == "any" or interface is not None
        source = everywhere if anyone else _bare(opening.source)
        to = opening.endpoint.address or everywhere
        ports = str(opening.endpoint.port)
        match = f"--dport {ports}"
        if opening.endpoint.last:
            ports += f":{opening.endpoint.last}"
            match = f"-m multiport --dports {ports}"
        way = f"in_{interface}" if interface else "in"
        comment = f"portgen:{opening.service}".encode().hex()
        yield (
            f"### tuple ### allow {opening.transport} {ports} {to} any {source} {way} "
            f"comment={comment}\n"
        )
        rule = f"-A {chain}"
        if interface:
            rule += f" -i {interface}"
        rule += f" -p {opening.transport}"
        if opening.endpoint.address:
            rule += f" -d {opening.endpoint.address}"
        rule += f" {match}"
        if source != everywhere:
            rule += f" -s {source}"
        yield f"{rule} -j ACCEPT\n\n"


def _kernel_rules(host: Host, family: int) -> Iterator[str]:
    """The same as iptables-save prints them."""
    chain, whole = ("ufw6-user-input", "/128") if family == 6 else ("ufw-user-input", "/32")
    yield f"-A {chain} -p tcp -m tcp --dport 22 -j ACCEPT"
    for opening in _of_family(host, family):
        interface = interface_of(opening.source)
        rule = f"-A {chain}"
        for option, end in (("-s", opening.source), ("-d", opening.endpoint.address)):
            if not end or end in ("any", EVERYWHERE[family]) or interface_of(end):
                continue
            rule += f" {option} {end if '/' in end else end + whole}"
        if interface:
            rule += f" -i {interface}"
        endpoint = opening.endpoint
        match = f"-m {opening.transport} --dport {endpoint.port}"
        if endpoint.last:
            match = f"-m multiport --dports {endpoint.port}:{endpoint.last}"
        yield f"{rule} -p {opening.transport} {match} -j ACCEPT"


# --- the guard ------------------------------------------------------------------------------------


def _guarded(host: Host, family: int) -> list[str]:
    """The rules of a family's guard; none where nothing is guarded."""
    found: list[str] = []
    for guard in host.guards:
        found += _rules_of(guard, family)
    if found and family == 4:
        return [NO_LOOPBACK, *found]
    return found


def _rules_of(guard: Guard, family: int) -> list[str]:
    return list(guard_rules6(guard) if family == 6 else guard_rules(guard))


def _block(host: Host, family: int) -> str:
    rules = _guarded(host, family)
    lines = [
        "# BEGIN PORTGEN-GUARD",
        "# Rendered by portgen: change it there, edits here are lost.",
    ]
    for table in ("filter", "mangle"):
        lines += [f"*{table}", ":PORTGEN-GUARD - [0:0]", *rules, "COMMIT"]
    return "\n".join((*lines, "# END PORTGEN-GUARD", ""))


def _init(text: str, families: list[int]) -> str:
    """after.init, which was not executable before."""
    first, _, rest = text.partition("\n")
    lines = [first, "# BEGIN PORTGEN-GUARD", "# Written by portgen-ufw.sh."]
    for family in families:
        iptables = "ip6tables" if family == 6 else "iptables"
        if family == 6:
            lines += [
                'if [ "${1-}" = start ] && ip6tables -w -n -L FORWARD >/dev/null 2>&1; then',
                "    ip6tables -w -n -L PORTGEN-GUARD >/dev/null 2>&1 ||",
                (
                    f"        sed -n '/^# BEGIN {CHAIN}/,/^# END {CHAIN}/p' /etc/ufw/after6.rules "
                    "| ip6tables-restore -w --noflush"
                ),
            ]
        else:
            lines.append('if [ "${1-}" = start ]; then')
        lines += [
            f"    {iptables} -w -n -L DOCKER-USER >/dev/null 2>&1 || {iptables} -w -N DOCKER-USER",
            (
                f"    {iptables} -w -C DOCKER-USER -j PORTGEN-GUARD 2>/dev/null ||"
                f" {iptables} -w -I DOCKER-USER 1 -j PORTGEN-GUARD"
            ),
            f"    {iptables} -w -t mangle -C FORWARD -j PORTGEN-GUARD 2>/dev/null ||",
            f"        {iptables} -w -t mangle -I FORWARD 1 -j PORTGEN-GUARD",
            "fi",
        ]
    lines.append("exit 0 # the file was not executable before: nothing below runs")
    return "\n".join((*lines, "# END PORTGEN-GUARD", rest))


# --- the kernel -----------------------------------------------------------------------------------


def kernel(host: Host, family: int) -> str:
    """All tables: those of ufw, of the guard, and for IPv4 those of docker."""
    guard = _guarded(host, family)
    out = ["# Generated by iptables-save v1.8.9 (nf_tables) on Thu Nov 26 17:09:38 2026"]
    if guard:
        built_in = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
        out += ["*mangle", *(f":{chain} ACCEPT [0:0]" for chain in built_in)]
        out += [":PORTGEN-GUARD - [0:0]", "-A FORWARD -j PORTGEN-GUARD", *guard, "COMMIT"]
    out += ["*filter", *_filter(host, family, guard), "COMMIT"]
    if family == 4:
        out += ["*nat", *_nat(host), "COMMIT"]
    return "\n".join((*out, "# Completed on Thu Nov 26 17:09:38 2026", ""))


def _filter(host: Host, family: int, guard: list[str]) -> Iterator[str]:
    lines = data(f"kernel{family}.txt").splitlines()
    docker = [":DOCKER-USER - [0:0]"] if guard or family == 4 else []
    if family == 4:
        docker += [f":{chain} - [0:0]" for chain in ("DOCKER", *ISOLATION)]
    docker += [":PORTGEN-GUARD - [0:0]"] if guard else []
    yield from (line for line in lines if line.startswith(":"))
    yield from docker
    rules = [line for line in lines if line.startswith("-A")]
    yield from (line for line in rules if line.startswith("-A INPUT"))
    if family == 4:
        yield from ("-A FORWARD -j DOCKER-USER", f"-A FORWARD -j {ISOLATION[0]}")
        yield from _forward(host)
    yield from (line for line in rules if not line.startswith("-A INPUT"))
    if guard:
        yield from ("-A DOCKER-USER -j PORTGEN-GUARD", *guard)
    if family == 4:
        yield from ("-A DOCKER-USER -j RETURN", *_published(host))
    yield from _kernel_rules(host, family)


ISOLATION = ("DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2")


def _bridges(host: Host) -> list[tuple[str, str]]:
    """docker's bridges with their subnets."""
    found = [("docker0", "172.17.0.0/16"), ("br-ffffffffffff", "172.19.0.0/16")]
    for number, project in enumerate(host.projects):
        network = project.network
        if network is not None and network.pool is not None:
            found.append((f"br-{number:012x}", str(network.pool.subnet)))
    return found


def _forward(host: Host) -> Iterator[str]:
    for bridge, _ in _bridges(host):
        yield f"-A FORWARD -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        yield f"-A FORWARD -o {bridge} -j DOCKER"
        yield f"-A FORWARD -i {bridge} ! -o {bridge} -j ACCEPT"
        yield f"-A FORWARD -i {bridge} -o {bridge} -j ACCEPT"


def _mapped(host: Host) -> Iterator[tuple[str, str, str, int, str, int]]:
    """Each port that docker publishes by IPv4: bridge, subnet, address, port, transport, inside."""
    subnets = {subnet: bridge for bridge, subnet in _bridges(host)}
    services = {service.name: service for service in host.services}
    for override in host.overrides:
        network = override.network
        for container in override.containers:
            pool = None
            if network is not None and network.name == container.network:
                pool = network.pool
            subnet, own = "172.19.0.0/16", "172.19.0.2"  # as docker's answers have it
            if pool is not None:
                subnet, own = str(pool.subnet), str(container.address or pool.ip_range[2])
            for part in container.parts:
                for port in services[part.service].ports:
                    if services[part.service].via == "docker" and port.passes_ufw:
                        for number, inside in zip(
                            port.endpoint.ports, port.container_ports, strict=True
                        ):
                            yield (
                                subnets.get(subnet, "docker0"),
                                port.address,
                                own,
                                number,
                                port.transport,
                                inside,
                            )


def _published(host: Host) -> Iterator[str]:
    for bridge, _, address, _, transport, inside in _mapped(host):
        yield (
            f"-A DOCKER -d {address}/32 ! -i {bridge} -o {bridge} -p {transport} "
            f"-m {transport} --dport {inside} -j ACCEPT"
        )
    for bridge, _ in _bridges(host):
        yield f"-A {ISOLATION[0]} -i {bridge} ! -o {bridge} -j {ISOLATION[1]}"
        yield f"-A {ISOLATION[1]} -o {bridge} -j DROP"
    yield from (f"-A {chain} -j RETURN" for chain in ISOLATION)


def _nat(host: Host) -> Iterator[str]:
    yield from (
        f":{chain} ACCEPT [0:0]" for chain in ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING")
    )
    yield ":DOCKER - [0:0]"
    yield "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"
    yield "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER"
    for bridge, subnet in _bridges(host):
        yield f"-A POSTROUTING -s {subnet} ! -o {bridge} -j MASQUERADE"
        yield f"-A DOCKER -i {bridge} -j RETURN"
    for bridge, bound, address, port, transport, inside in _mapped(host):
        to = f"-d {bound}/32 " if bound else ""
        yield (
            f"-A DOCKER {to}! -i {bridge} -p {transport} -m {transport} --dport {port} "
            f"-j DNAT --to-destination {address}:{inside}"
        )
