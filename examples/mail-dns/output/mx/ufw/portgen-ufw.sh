#!/bin/sh
# Rendered by portgen from the inventory of mx: change it there, edits here are lost.
#
#   portgen-ufw.sh             add the rules below that are missing, then delete portgen's rules that are not below
#   portgen-ufw.sh --dry-run   print what it would do
#   portgen-ufw.sh --keep 5007/tcp,5353/udp   the same, but leave the old rules for these ports to a later run
#
# portgen's rules are those with the comment `portgen:` and a name. Any other rule for the same port and source is neither
# changed nor removed, whatever it says. The guard (portgen-after.rules, and portgen-after6.rules for IPv6, if they are there)
# is loaded into the kernel before anything is opened, and removed only when no container needs it. The script never enables or
# reloads ufw.
# Exit codes: 0: everything is in force. 3: everything but what was skipped or kept on purpose, which is printed, or ufw is not
# active. 1: a command failed; while a rule can't be added, none is removed. It can be run again: it finishes what is left.
exec python3 -I - "$0" "$@" <<'PORTGEN_UFW'
from __future__ import annotations

RULES = """
ufw allow proto tcp from any to any port 993 comment 'portgen:dovecot'
ufw allow proto tcp from 10.8.0.0/24 to any port 4190 comment 'portgen:dovecot'
ufw allow proto tcp from 192.0.2.0/27 to any port 4190 comment 'portgen:dovecot'
ufw allow proto tcp from 2001:db8:10::/64 to any port 4190 comment 'portgen:dovecot'
ufw allow proto tcp from any to 192.0.2.53 port 53 comment 'portgen:named'
ufw allow proto tcp from any to 2001:db8:1::53 port 53 comment 'portgen:named'
ufw allow proto udp from any to 192.0.2.53 port 53 comment 'portgen:named'
ufw allow proto udp from any to 2001:db8:1::53 port 53 comment 'portgen:named'
ufw allow proto tcp from any to any port 80 comment 'portgen:nginx'
ufw allow proto tcp from any to any port 443 comment 'portgen:nginx'
ufw allow proto tcp from 10.8.0.0/24 to any port 9100 comment 'portgen:node-exporter'
ufw allow proto tcp from any to any port 25 comment 'portgen:postfix'
ufw allow proto tcp from any to any port 465 comment 'portgen:postfix'
ufw allow proto tcp from any to any port 587 comment 'portgen:postfix'
ufw allow proto tcp from 10.8.0.0/24 to 10.8.0.1 port 53 comment 'portgen:unbound'
ufw allow proto udp from 10.8.0.0/24 to 10.8.0.1 port 53 comment 'portgen:unbound'
"""
# Which compose service may publish a port or have an address; holder6: by IPv6, or publish from a network.
HOLDERS = """
"""
# For which families portgen-after.rules (4) and portgen-after6.rules (6) are there.
GUARDED = ()

# From here on the script is the same on every host. It needs Python only, which is there: ufw is
# written in it.
# In: the three texts above, ufw's own files, the kernel's rules, and, where a guard would be removed,
# docker's containers.
# Out: calls of ufw, the chain PORTGEN-GUARD of IPv4 and of IPv6, and its blocks in after.rules, after6.rules
# and after.init. It never runs `ufw reload`: that removes ufw's chains with policy ACCEPT, and for seconds
# everything that listens on the host is open.

import fcntl
import ipaddress
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

IN_FORCE, FAILED, USAGE, SKIPPED = 0, 1, 2, 3  # exit codes
ROOM = 1 << 20  # bytes that have to be free where ufw keeps its rules
PATIENCE = 60  # seconds for a program that answers a question

NAME = "portgen-ufw.sh"
ETC = Path(os.environ.get("PORTGEN_UFW_DIR", "/etc/ufw"))
RULES_FILES = {4: ETC / "after.rules", 6: ETC / "after6.rules"}
INIT_FILE = ETC / "after.init"
DEFAULTS = Path("/etc/default/ufw")
NGINX_FILE = "nginx/conf.d/portgen.conf"  # below /etc, and below output/<host>/
NGINX_MARK = "portgen:nginx"
KERNEL_IPV6 = Path("/proc/sys/net/ipv6")
DOCKER_SOCKET = Path("/run/docker.sock")
EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
IPTABLES = {4: "iptables", 6: "ip6tables"}
RENDERED = {4: "portgen-after.rules", 6: "portgen-after6.rules"}  # the guards, beside this script
MARK = re.compile(r"portgen:[a-z0-9]+(-[a-z0-9]+)*")

CHAIN = "PORTGEN-GUARD"
BEGIN = f"# BEGIN {CHAIN}"
END = f"# END {CHAIN}"
# Docker forwards packets that a neighbour addresses to 127.0.0.1 to the container. No packet that is
# forwarded legitimately has that address. The rule is in the chain as long as any other is. The kernel
# itself drops a neighbour's packets for ::1.
NO_LOOPBACK = (
    f"-A {CHAIN} -m conntrack --ctstate DNAT --ctorigdst 127.0.0.0/8 --ctdir ORIGINAL -j DROP"
)

JUMP_HEAD = """\
# BEGIN PORTGEN-GUARD
# Written by portgen-ufw.sh. A rules file can't express "unless it exists", so the jump to the guard is here.
# DOCKER-USER is created if dockerd has not started yet, as at boot: dockerd then keeps it as it is.
"""
JUMPS = {
    4: """\
if [ "${1-}" = start ]; then
    iptables -w -n -L DOCKER-USER >/dev/null 2>&1 || iptables -w -N DOCKER-USER
    iptables -w -C DOCKER-USER -j PORTGEN-GUARD 2>/dev/null || iptables -w -I DOCKER-USER 1 -j PORTGEN-GUARD
    iptables -w -t mangle -C FORWARD -j PORTGEN-GUARD 2>/dev/null ||
        iptables -w -t mangle -I FORWARD 1 -j PORTGEN-GUARD
fi
""",
    # Docker forwards IPv6 whether ufw handles it or not, so the chain is loaded here if ufw did not.
    6: """\
if [ "${1-}" = start ] && ip6tables -w -n -L FORWARD >/dev/null 2>&1; then
    ip6tables -w -n -L PORTGEN-GUARD >/dev/null 2>&1 ||
        sed -n '/^# BEGIN PORTGEN-GUARD/,/^# END PORTGEN-GUARD/p' RULES_FILE | ip6tables-restore -w --noflush
    ip6tables -w -n -L DOCKER-USER >/dev/null 2>&1 || ip6tables -w -N DOCKER-USER
    ip6tables -w -C DOCKER-USER -j PORTGEN-GUARD 2>/dev/null || ip6tables -w -I DOCKER-USER 1 -j PORTGEN-GUARD
    ip6tables -w -t mangle -C FORWARD -j PORTGEN-GUARD 2>/dev/null ||
        ip6tables -w -t mangle -I FORWARD 1 -j PORTGEN-GUARD
fi
""".replace("RULES_FILE", shlex.quote(str(RULES_FILES[6]))),
}
# An after.init that was not executable did not run before; the rest of it must not run now because of
# the jump.
SHELL = re.compile(r"#!\s*(/\S+/env\s+)?(/\S+/)?(sh|ash|bash|dash|ksh|zsh)(\s+-\w+)*\s*")
ASLEEP = "exit 0 # the file was not executable before: nothing below runs"


class Failure(Exception):
    """Why the script stops: reported as it is, exit code 1."""


class Unreadable(Failure):
    """A file that is missing, or that this user may not read: a dry run goes on without it."""


def run(*command: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program that answers a question, or takes a text. The caller looks at its exit code. Bytes
    are passed on as they are: an operator's comment in iptables may have another encoding. Raises
    Failure."""
    data = given.encode("utf-8", "surrogateescape")
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, check=False, timeout=PATIENCE
        )
    except OSError as error:
        raise Failure(f"{command[0]} can't be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Failure(f"{command[0]} did not answer within {PATIENCE} s") from None
    out, said = (text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, said)


# --- ufw's rules: which are portgen's, which an operator's -------------------------------------------------


# What makes two rules one rule to ufw: family, protocol, port, source and destination.
Identity = tuple[int, str, str, str, str]


class Rule(NamedTuple):
    """One rule as ufw keeps it in user.rules. For ufw its identity is everything but `action`, `logged` and
    `comment`: `ufw allow` replaces an identical `deny`."""

    family: int  # 4 or 6
    action: str  # allow, deny, reject, limit
    logged: str  # "", log, log-all
    protocol: str  # tcp, udp, any, ...
    port: str  # 5000, 5000:5399, 80,443, any
    destination: str
    source_port: str
    source: str  # of a rule for all who come by one interface: %eth0
    app: str  # the application profile of the destination; "" without
    interface: str  # in, in_eth0; "in" where the source says it
    comment: str
    place: int  # in its file: of two that match, the first one counts

    @property
    def is_plain(self) -> bool:
        """Whether it is like portgen's rules: to any address of the host or to a single one, over any
        interface."""
        network = "/" in self.destination and self.destination != EVERYWHERE[self.family]
        return not network and (self.source_port, self.app, self.interface) == ("any", "", "in")

    @property
    def is_ours(self) -> bool:
        return self.is_plain and MARK.fullmatch(self.comment) is not None

    @property
    def port_in_words(self) -> str:
        """Its port as `--keep` has it: `5000/tcp`."""
        return f"{self.port}/{self.protocol}"

    @property
    def identity(self) -> Identity:
        """The identity of a plain rule."""
        ends = canonical(self.source), canonical(self.destination)
        return self.family, self.protocol, self.port, *ends

    def covers(self, protocol: str, ports: str) -> bool:
        """Whether packets of this protocol to this port, or to one of this range, come to this rule on
        some interface."""
        return self.protocol in ("any", protocol) and (
            self.port == "any" or have_common(ports, self.port)
        )

    def covers_all(self, ports: str) -> bool:
        """Whether one of its ranges has every port of this one."""
        low, high = first_and_last(ports)
        parts = map(first_and_last, self.port.split(","))
        return self.port == "any" or any(first <= low and high <= last for first, last in parts)

    def words(self) -> list[str]:
        """The rule as ufw's command line takes it, without its comment."""
        words = [self.action]
        if self.logged:
            words.append(self.logged)
        interface = by_interface(self.source) or self.interface[len("in_") :]
        if interface:
            words += ["in", "on", interface]
        if self.protocol != "any" and not self.app:
            words += ["proto", self.protocol]
        ends = (
            ("from", self.source, self.source_port, "-"),
            ("to", self.destination, self.port, self.app),
        )
        for preposition, address, port, app in ends:
            anywhere = address == EVERYWHERE[self.family] or by_interface(address)
            words += [preposition, "any" if anywhere else address]
            if app.strip("-"):
                words += ["app", app]
            elif port != "any":
                words += ["port", port]
        return words

    def __str__(self) -> str:
        return shlex.join(["ufw", *self.words()])


class Wanted(NamedTuple):
    """One rule of the inventory, as it stands in the list above."""

    protocol: str
    source: str  # a CIDR, an address, any, or %eth0: whoever comes by that interface
    to: str  # an address of the host, or any
    port: str  # 5000, or a range: 30000:30019
    mark: str

    @property
    def families(self) -> tuple[int, ...]:
        by_any = self.source == "any" or by_interface(self.source)
        ends = [self.to] if by_any else [self.source]
        if ends == ["any"]:
            return 4, 6
        return (6,) if ":" in ends[0] else (4,)

    def identity(self, family: int) -> Identity:
        source, to = (
            EVERYWHERE[family] if end == "any" else canonical(end) for end in (self.source, self.to)
        )
        return family, self.protocol, self.port, source, to

    def is_met_by(self, rule: Rule) -> bool:
        """Whether a rule with the same identity is as the inventory wants it."""
        return (rule.action, rule.logged, rule.comment) == ("allow", "", self.mark)

    def command(self, source: str) -> str:
        way = "allow"
        if by_interface(self.source):
            way = f"allow in on {by_interface(self.source)}"
            source = source if source in EVERYWHERE.values() else "any"
        rule = f"{way} proto {self.protocol} from {source} to {self.to} port {self.port}"
        return f"ufw {rule} comment '{self.mark}'"

    def __str__(self) -> str:
        place = f"port {self.port}/{self.protocol}"
        if self.to != "any":
            place += f" of {self.to}"
        return f"{place} from {in_words(self.source)} ({self.mark})"


def by_interface(source: str) -> str:
    """The interface by which the visitors of a source come; "" of a network."""
    return source[1:] if source.startswith("%") else ""


def in_words(source: str) -> str:
    interface = by_interface(source)
    return f"interface {interface}" if interface else source


def wanted_rules(text: str) -> list[Wanted]:
    # An interface takes the place of the source, which it is.
    text = re.sub(
        r"(?m)^ufw allow in on (\S+) (proto \w+) from any ", r"ufw allow \2 from %\1 ", text
    )
    written = re.compile(
        r"ufw allow proto (\w+) from (\S+) to (\S+) port ([\d:]+) comment '([^']+)'"
    )
    found = map(written.fullmatch, text.split("\n"))
    return [Wanted(*match.groups()) for match in found if match]


def rules_in(text: str, family: int) -> Iterator[Rule]:
    """The incoming rules of user.rules or user6.rules, in their order. ufw writes each as a comment of
    7 words, or 9 with application profiles: `### tuple ### allow tcp 5007 0.0.0.0/0 any 192.168.0.0/16
    in comment=<hex>`."""
    for place, line in enumerate(text.split("\n")):
        if not line.startswith("### tuple ### "):
            continue
        shown, _, comment = line.partition(" comment=")
        words = shown.split()[3:]
        if (
            len(words) not in (7, 9)
            or words[0].startswith("route:")
            or words[-1].split("_")[0] != "in"
        ):
            continue
        action, _, logged = words[0].partition("_")
        protocol, port, destination, source_port, source = words[1:6]
        interface = words[-1]
        if interface != "in" and source == EVERYWHERE[family]:
            source, interface = f"%{interface[len('in_') :]}", "in"
        app = words[6].replace("%20", " ") if len(words) == 9 else ""
        try:
            said = bytes.fromhex(comment).decode("utf-8", "replace")
        except ValueError:
            said = comment
        yield Rule(
            family,
            action,
            logged,
            protocol,
            port,
            destination,
            source_port,
            source,
            app,
            interface,
            said,
            place,
        )


def canonical(source: str) -> str:
    """One spelling of an address or network: ufw writes `::ffff:10.0.0.1`, Python `::ffff:a00:1`."""
    try:
        network = ipaddress.ip_network(source, strict=False)
    except ValueError:
        return source
    return str(network).removesuffix(f"/{network.max_prefixlen}")


def have_common(ports: str, written: str) -> bool:
    """Whether ufw's `5000:5399,8080` contains a port, or one of a range."""
    low, high = first_and_last(ports)
    for part in written.split(","):
        first, last = first_and_last(part)
        if first <= high and low <= last:
            return True
    return False


def first_and_last(ports: str) -> tuple[int, int]:
    """Of ufw's `5000` or `5000:5399`; of what is neither, no port at all."""
    first, _, last = ports.partition(":")
    if not first.isdecimal() or not (last or first).isdecimal():
        return 0, -1
    return int(first), int(last or first)


def contains(wide: str, narrow: str) -> bool:
    """Whether everybody in the network `narrow` is in `wide` too; never across families. Who comes by an
    interface may have any address."""
    if by_interface(wide) or by_interface(narrow):
        return wide == narrow or (bool(by_interface(narrow)) and wide in EVERYWHERE.values())
    try:
        outer, inner = (
            ipaddress.ip_network(wide, strict=False),
            ipaddress.ip_network(narrow, strict=False),
        )
    except ValueError:
        return False
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def left_by_nginx(here: Path) -> set[str]:
    """The ports where nginx listens by its installed file, and not any more by the rendered one. Until it has
    read the new file, a rule for a port's new holder would let visitors reach nginx there."""
    return listened(Path("/etc") / NGINX_FILE) - listened(here.parent / NGINX_FILE)


def listened(path: Path) -> set[str]:
    """The ports of an nginx file of portgen's; none where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return set()
    return set(re.findall(r"(?m)^    listen (?:\S+:)?(\d+)[ ;]", text))


class Decision(NamedTuple):
    """What to do about ufw's rules, and what to report."""

    add: list[str]  # commands of ufw
    delete: list[str]
    skipped: list[str]  # what an operator's rule, or ufw's own setting, keeps from being in force
    notes: list[str]  # what else an operator should know


def decide(
    wanted: list[Wanted],
    present: list[Rule],
    ipv6: bool,
    left: set[str],
    kept: Collection[str] = (),
) -> Decision:
    """Compare the rules of the inventory with those that ufw has. `ipv6`: whether ufw takes IPv6 rules.
    `left`: the ports that nginx has not released yet. `kept`: those whose old rules stay for now."""
    decision = Decision([], [], [], [])
    there = {rule.identity: rule for rule in present if rule.is_plain}
    for want in wanted:
        if want.families == (6,) and not ipv6:
            decision.skipped.append(
                f"{want} is skipped: ufw leaves IPv6 alone (IPV6 in {DEFAULTS})"
            )
            continue
        families = [family for family in want.families if family == 4 or ipv6]
        missing = []
        for family in families:
            rule = there.get(want.identity(family))
            decision.skipped.extend(obstacles(want, family, present, rule))
            if rule is None or (rule.is_ours and not want.is_met_by(rule)):
                missing.append(family)
        if missing and waits_for_nginx(want, left):
            decision.skipped.append(f"{want} waits: nginx listens there until it is reloaded")
        elif missing == families:
            decision.add.append(want.command(want.source))
        elif missing:  # an operator holds the other family
            decision.add.append(want.command(EVERYWHERE[missing[0]]))
    decision.delete.extend(deletions(wanted, present, kept))
    decision.notes.extend(wider(wanted, present))
    return decision._replace(skipped=list(dict.fromkeys(decision.skipped)))


def obstacles(want: Wanted, family: int, present: list[Rule], rule: Rule | None) -> Iterator[str]:
    """What to report of operators' rules that keep one of portgen's from being in force. `rule`: what has its
    place."""
    if rule is not None and not rule.is_ours:
        yield kept_rule(want, rule)
        return
    denied = denying(want, family, present, rule)
    if denied is not None:
        yield denied_rule(want, denied)


def waits_for_nginx(want: Wanted, left: set[str]) -> bool:
    """Whether a rule is for a port that nginx has not released yet."""
    of_another = want.protocol == "tcp" and want.mark != NGINX_MARK
    return of_another and any(have_common(want.port, port) for port in left)


def denied_rule(want: Wanted, rule: Rule) -> str:
    """What to report of an operator's rule that comes before portgen's."""
    closed = "stays closed" if rule.covers_all(want.port) else "stays closed in part"
    return f"{want} {closed}: an operator's earlier rule comes first ({rule})"


def kept_rule(want: Wanted, rule: Rule) -> str:
    """What to report of an operator's rule with the identity of portgen's: it is neither changed nor
    removed."""
    shown = str(rule)
    if rule.comment:
        shown += f", {rule.comment!r}"
    if rule.action in ("deny", "reject"):
        return f"{want} stays closed: an operator's rule has the same place ({shown}); it is left as it is"
    return f"{want} is an operator's rule already ({shown}); it is left as it is, and portgen's is not added"


def denying(want: Wanted, family: int, present: list[Rule], own: Rule | None) -> Rule | None:
    """An operator's rule that keeps out everybody whom portgen's would let in, and comes before it."""
    source, to = want.identity(family)[3:]
    for rule in present:
        if rule.family != family or rule.action not in ("deny", "reject") or rule.is_ours:
            continue
        everywhere = (rule.interface, rule.source_port) == ("in", "any") and (
            canonical(rule.destination) in (EVERYWHERE[family], to)
        )
        first = own is None or rule.place < own.place
        if (
            first
            and everywhere
            and rule.covers(want.protocol, want.port)
            and contains(rule.source, source)
        ):
            return rule
    return None


def deletions(
    wanted: list[Wanted], present: list[Rule], kept: Collection[str] = ()
) -> Iterable[str]:
    """Commands that delete those of portgen's rules that the inventory does not have any more. `kept`: the
    ports whose rules stay for now."""
    still = {want.identity(family) for want in wanted for family in want.families}
    gone = []
    for rule in present:
        if rule.is_ours and rule.identity not in still and rule.port_in_words not in kept:
            gone.append(rule)
    by_family = {(rule.family, rule.comment, *rule.words()) for rule in gone}
    commands = []
    for rule in gone:
        words = rule.words()
        # `from any` means both families: where only one goes, its own name for everywhere.
        both = (10 - rule.family, rule.comment, *words) in by_family
        if words[words.index("from") + 1] == "any" and not both:
            words[words.index("from") + 1] = EVERYWHERE[rule.family]
        commands.append(f"ufw delete {' '.join(words)} comment '{rule.comment}'")
    return dict.fromkeys(commands)


def wider(wanted: list[Wanted], present: list[Rule]) -> Iterator[str]:
    """Operators' rules that let more people to a port of the inventory than the inventory does."""
    said: dict[str, tuple[str, list[str]]] = {}
    for rule in present:
        if rule.is_ours or rule.action not in ("allow", "limit"):
            continue
        for want in wanted:
            if not rule.covers(want.protocol, want.port) or declared(rule, want, wanted):
                continue
            source = in_words(rule.source)
            if rule.source == EVERYWHERE[rule.family]:
                source = "anyone"
            _, ports = said.setdefault(f"ufw delete {str(rule)[len('ufw ') :]}", (source, []))
            if want.port not in ports:
                ports.append(want.port)
    for command, (source, ports) in said.items():
        ports.sort(key=first_and_last)
        listed = ", ".join(ports[:8])
        if len(ports) > 8:
            listed += f" and {len(ports) - 8} more"
        yield (
            f"an operator's rule allows {source} at port {listed}, wider than the inventory; "
            f"to remove it: {command}"
        )


def declared(rule: Rule, want: Wanted, wanted: list[Wanted]) -> bool:
    """Whether the inventory lets the rule's source to that port as well."""
    for one in wanted:
        if (one.protocol, one.port) != (
            want.protocol,
            want.port,
        ) or rule.family not in one.families:
            continue
        source, to = one.identity(rule.family)[3:]
        if contains(source, rule.source) and contains(to, rule.destination):
            return True
    return False


# --- the guard: which rules its chain has ------------------------------------------------------------------


class Holder(NamedTuple):
    """Which compose service may have a published port (`5001/tcp`, or `192.168.1.5:53/udp` of one address of
    the host), a range (`30000-30019/udp`), a fixed address, or, by IPv6, addresses of a network."""

    what: str
    project: str
    service: str


def holders_in(text: str, family: int) -> list[Holder]:
    word = {4: "holder", 6: "holder6"}[family]
    written = re.compile(rf"{word} (\S+) (\S+) (\S+) # portgen:\S+")
    return [Holder(*match.groups()) for match in map(written.fullmatch, text.split("\n")) if match]


class Container(NamedTuple):
    """A container as docker has it, with what it holds by one family."""

    name: str
    runs: bool  # paused and restarting ones too
    returns: bool  # with docker, by `restart: always`, also after a stop by hand
    project: str  # compose's label; "" where compose did not make it
    service: str
    # Ports that it publishes beyond loopback (`5001/tcp`), and its addresses. By IPv6 the networks that
    # it publishes from, or EVERYWHERE where a stopped one has no address that would say so.
    holds: frozenset[str]

    def holding(self, what: str) -> set[str]:
        """What it holds of this port, range, address or network. A port on every address is one on each of
        them."""
        if is_network(what):
            return {what} if self.holds & {what, EVERYWHERE[6]} else set()
        wanted = each_of(what)
        found = set(self.holds & wanted)
        ports = {one.rpartition(":")[2] for one in wanted}
        is_bound = {one for one in wanted if "/" in one} != ports
        for held in self.holds:
            address, _, port = held.rpartition(":")
            # Each on another address: neither is in the other's way.
            if "/" in port and port in ports and bool(address) != is_bound:
                found.add(held)
        return found


def containers(family: int) -> list[Container] | None:
    """Docker's containers; None if docker does not answer although its socket or its program is there."""
    if shutil.which("docker") is None:
        return None if DOCKER_SOCKET.exists() else []
    try:
        listed = run("docker", "ps", "--all", "--quiet", "--no-trunc")
        if listed.returncode != 0:
            return None
        names = listed.stdout.split()
        shown = run("docker", "inspect", "--type", "container", *names).stdout if names else "[]"
        inspected = json.loads(shown)
        if len(inspected) < len(names):
            # inspect leaves out a container that was removed meanwhile, but also all of them when the daemon
            # stops: ask again which are still there.
            listed = run("docker", "ps", "--all", "--quiet", "--no-trunc")
            if listed.returncode != 0 or {*names} & {*listed.stdout.split()} - {
                one["Id"] for one in inspected
            }:
                return None
        return [container_of(one, family) for one in inspected]
    except (Failure, ValueError, KeyError, TypeError, AttributeError):
        return None


def container_of(inspected: dict[str, Any], family: int) -> Container:
    labels = inspected["Config"].get("Labels") or {}
    holds: set[str | None] = set()
    # Both what was asked for, also by a stopped container, and what it got: one port of a range, or any
    # free one.
    for published in (
        inspected["HostConfig"].get("PortBindings"),
        inspected["NetworkSettings"].get("Ports"),
    ):
        for inside, bindings in (published or {}).items():
            for binding in bindings or ():
                holds |= set(published_ports(binding, inside.partition("/")[2], family))
    networks = (inspected["NetworkSettings"].get("Networks") or {}).values()
    if family == 4:
        for network in networks:
            holds.add(network.get("IPAddress"))
            holds.add((network.get("IPAMConfig") or {}).get("IPv4Address"))
    elif has_bindings(inspected):
        holds |= set(map(network_of, networks))
    project, service = (
        labels.get(f"com.docker.compose.{label}", "") for label in ("project", "service")
    )
    runs = inspected["State"]["Status"] in ("running", "paused", "restarting")
    returns = (inspected["HostConfig"].get("RestartPolicy") or {}).get("Name") == "always"
    held = frozenset(filter(None, holds))
    return Container(inspected["Name"].lstrip("/"), runs, returns, project, service, held)


def has_bindings(inspected: dict[str, Any]) -> bool:
    """Whether it publishes anything by IPv6: docker lets nobody come straight to what it does not publish,
    but a port that it publishes on ::1 can be reached by the container's own address."""
    published = (inspected["HostConfig"].get("PortBindings") or {}).values()
    bindings = [binding for some in published for binding in some or ()]
    return any(binding["HostIp"] == "" or ":" in binding["HostIp"] for binding in bindings)


def network_of(network: dict[str, Any]) -> str:
    """The IPv6 network of a container's address in it."""
    address, length = network.get("GlobalIPv6Address"), network.get("GlobalIPv6PrefixLen")
    return canonical(f"{address}/{length}") if address else EVERYWHERE[6]


def is_network(what: str) -> bool:
    return what.partition("/")[2].isdecimal()


def published_ports(binding: dict[str, str], protocol: str, family: int) -> Iterator[str]:
    """What a binding publishes beyond loopback, by one family."""
    address = binding["HostIp"]
    if address.startswith("127.") or address == "::1":
        return
    before = ""
    if address not in ("", "0.0.0.0", "::"):
        before = f"{address}:" if family == 4 else f"[{address}]:"
    if address and (":" in address) != (family == 6):
        return
    for port in ports_in(binding["HostPort"]):
        yield f"{before}{port}/{protocol}"


def ports_in(written: str) -> Iterable[int]:
    """Docker's `5001`, `5000-5010`, or "" for any free one."""
    first, _, last = written.partition("-")
    return range(int(first), int(last or first) + 1) if first else ()


def groups_in(text: str) -> dict[str, list[str]]:
    """The chain's rules by what they guard. They are as `iptables -S` prints them, so that both can be
    compared."""
    groups: dict[str, list[str]] = {}
    for rule in first_table(text).split("\n"):
        if not rule.startswith(f"-A {CHAIN} ") or rule == NO_LOOPBACK:
            continue
        port = re.search(r"-p (\w+) .*--ctorigdstport ([\d:]+) ", rule)
        bound = re.search(r"--ctorigdst ([0-9a-f.:]+) ", rule)
        address = re.search(r"-d ([0-9a-f.:/]+) ", rule)
        what = rule
        if port:
            what = f"{port[2].replace(':', '-')}/{port[1]}"
            if bound:
                what = f"[{bound[1]}]:{what}" if ":" in bound[1] else f"{bound[1]}:{what}"
        elif address:
            what = address[1].removesuffix("/32")
        groups.setdefault(what, []).append(rule)
    return groups


def first_table(block: str) -> str:
    """A block up to the end of its first table: both have the same rules."""
    return block.partition("\nCOMMIT\n")[0]


def in_both_tables(block: str) -> str:
    """The block for the table filter, with the same chain for the table mangle. `Kernel` says why."""
    if not block:
        return ""
    rules = [line for line in block.split("\n") if line.startswith(f"-A {CHAIN} ")]
    lines = [
        "# The same once more, where docker never changes anything.",
        "*mangle",
        f":{CHAIN} - [0:0]",
        *rules,
        "COMMIT",
    ]
    return block.replace(f"\n{END}\n", "\n" + "\n".join([*lines, END, ""]))


class Guard(NamedTuple):
    """The guard of one family as it has to be."""

    block: str  # for after.rules, or after6.rules; "" where there is nothing to guard
    kept: list[str]  # what stays guarded as before, and why

    @property
    def rules(self) -> list[str]:
        """The chain's rules, in each table."""
        return [
            line for line in first_table(self.block).split("\n") if line.startswith(f"-A {CHAIN} ")
        ]


def guard_of(family: int, wanted: str, old: dict[str, list[str]], holders: list[Holder]) -> Guard:
    """The rendered block `wanted` ("" without), and those of the `old` rules that something still
    needs.

    While a container has a port or an address that the inventory gives to another container, or to
    none, the same visitors as before may reach it: the old rules stay, in the place of the new ones."""
    new = groups_in(wanted)
    changed = {what: rules for what, rules in old.items() if new.get(what) != rules}
    if not changed:
        return Guard(in_both_tables(wanted), [])
    found = containers(family)
    kept, said = {}, []
    by = " by IPv6" if family == 6 else ""
    for what, rules in changed.items():
        if found is None:
            kept[what] = rules
            continue
        stranger = next((one for one in found if is_stranger(one, what, holders)), None)
        if stranger is not None:
            kept[what] = rules
            remedy = f"docker stop {stranger.name} && docker rm {stranger.name}"
            said.append(
                f"{what} stays guarded{by} as before: container {stranger.name} still holds it; "
                f"run: {remedy}"
            )
    if found is None:
        published = ", ".join(changed)
        said.append(
            f"docker does not answer, so what may still be published stays guarded{by}: {published}"
        )
    block = merged(wanted or empty_block(family), kept) if kept else wanted
    return Guard(in_both_tables(block), said)


def is_stranger(container: Container, what: str, holders: list[Holder]) -> bool:
    """Whether the container has what the inventory does not give it, or would have it again after a
    restart of docker. One that is stopped and still in the inventory is about to be recreated, and does
    not count."""
    held = container.holding(what)
    if not held or may_hold(container, held, holders):
        return False
    still_wanted = any(holder.service == container.service for holder in holders)
    return container.runs or (container.returns and not still_wanted)


def each_of(what: str) -> set[str]:
    """The ports of a range, as docker reports them one by one; of all else just that."""
    address, colon, place = what.rpartition(":")
    ports, _, protocol = place.partition("/")
    if not protocol or "-" not in ports:
        return {what}
    return {f"{address}{colon}{port}/{protocol}" for port in ports_in(ports)}


def may_hold(container: Container, held: set[str], holders: list[Holder]) -> bool:
    """Whether the container is the one that the inventory gives these ports or this address to.
    Compose's project may have another name than the inventory's, but not that of another project of
    the inventory."""
    projects = {holder.project for holder in holders}
    given: set[str] = set()
    for holder in holders:
        if holder.service == container.service and (
            container.project == holder.project or container.project not in projects
        ):
            given |= each_of(holder.what)
    return held <= given


def empty_block(family: int) -> str:
    """The block of a chain that guards nothing."""
    own = [NO_LOOPBACK] * (family == 4)
    return "\n".join((BEGIN, "*filter", f":{CHAIN} - [0:0]", *own, "COMMIT", END, ""))


def merged(wanted: str, kept: dict[str, list[str]]) -> str:
    """The block with the kept rules in the place of those for the same ports and addresses."""
    replaced = {rule for what, rules in groups_in(wanted).items() if what in kept for rule in rules}
    lines = [line for line in wanted.split("\n") if line not in replaced]
    rules = [rule for group in kept.values() for rule in group]
    # First: of two ranges that have ports in common, the kept one decides.
    first = lines.index("COMMIT")
    if NO_LOOPBACK in lines:
        first = lines.index(NO_LOOPBACK) + 1
    note = "# Kept as it was: a container still holds it."
    return "\n".join([*lines[:first], note, *rules, *lines[first:]])


# --- the guard: in the kernel, and in ufw's files for the next boot ----------------------------------------


class Kernel(NamedTuple):
    """The kernel's rules of one family, as `iptables -S` prints them. The guard is in two tables.
    DOCKER-USER of the table filter is docker's place for it; but whenever docker creates a network it
    removes its jump to DOCKER-USER and adds it again, and for some milliseconds no packet comes there;
    and for IPv6 docker 20.10 has no such jump. docker does not change the table mangle."""

    family: int
    filter: list[str]
    mangle: list[str]

    @property
    def chain(self) -> list[str] | None:
        """The guard's rules; None where there is no such chain."""
        return chain_in(self.filter)

    @property
    def has_chain(self) -> bool:
        """Whether there is such a chain in one of the tables."""
        return any(chain_in(lines) is not None for lines in (self.filter, self.mangle))

    def has(self, guard: Guard) -> bool:
        """Whether the guard is in force, in both tables."""
        rules = guard.rules
        return chain_in(self.filter) == rules == chain_in(self.mangle) and self.has_jumps

    @property
    def has_jumps(self) -> bool:
        """Whether packets come to the chain in both tables."""
        return self.is_asked and f"-A FORWARD -j {CHAIN}" in self.mangle

    @property
    def is_asked(self) -> bool:
        """Whether DOCKER-USER leads to the chain: no packet comes to it after a rule that accepts all."""
        for line in self.filter:
            if line in ("-A DOCKER-USER -j RETURN", "-A DOCKER-USER -j ACCEPT"):
                return False
            if line == f"-A DOCKER-USER -j {CHAIN}":
                return True
        return False

    @property
    def jumps(self) -> list[tuple[str, str]]:
        """The table and chain of each jump to the guard."""
        found = [("filter", "DOCKER-USER")] * self.filter.count(f"-A DOCKER-USER -j {CHAIN}")
        return found + [("mangle", "FORWARD")] * self.mangle.count(f"-A FORWARD -j {CHAIN}")


def chain_in(lines: list[str]) -> list[str] | None:
    if f"-N {CHAIN}" not in lines:
        return None
    return [line for line in lines if line.startswith(f"-A {CHAIN} ")]


def kernel(family: int) -> Kernel:
    """What is in force now. Raises Failure if the kernel can't be asked: no answer does not mean no rules."""
    tables = []
    for table in ("filter", "mangle"):
        shown = run(IPTABLES[family], "-w", "-t", table, "-S")
        if shown.returncode != 0:
            raise Failure(f"the kernel's rules can't be read: {shown.stderr.strip()}")
        tables.append(shown.stdout.split("\n"))
    return Kernel(family, *tables)


def load(family: int, guard: Guard) -> None:
    """Put the chain in force: one call replaces it as a whole, then the jumps are added. Raises Failure."""
    iptables = IPTABLES[family]
    done = run(f"{iptables}-restore", "-w", "--noflush", given=guard.block)
    if done.returncode != 0:
        raise Failure(
            f"the kernel did not take the guard: {done.stderr.strip()}; nothing was opened"
        )
    there = kernel(family)
    if "-N DOCKER-USER" not in there.filter:
        run(iptables, "-w", "-N", "DOCKER-USER")
    if ("mangle", "FORWARD") not in there.jumps:
        run(iptables, "-w", "-t", "mangle", "-I", "FORWARD", "1", "-j", CHAIN)
    if not there.is_asked:
        # The jumps that are there have no effect where they are.
        for _ in range(there.jumps.count(("filter", "DOCKER-USER"))):
            run(iptables, "-w", "-D", "DOCKER-USER", "-j", CHAIN)
        run(iptables, "-w", "-I", "DOCKER-USER", "1", "-j", CHAIN)
    there = kernel(family)
    counts = [len(chain_in(lines) or ()) for lines in (there.filter, there.mangle)]
    if counts != [len(guard.rules)] * 2 or not there.has_jumps:
        raise Failure(
            f"the guard is not in force: look at `{iptables}-save | grep -e {CHAIN} -e DOCKER-USER`"
        )


def unload(family: int) -> None:
    """Take the chain out of the kernel. Raises Failure where it stays."""
    iptables, there = IPTABLES[family], kernel(family)
    for table, chain in there.jumps:
        run(iptables, "-w", "-t", table, "-D", chain, "-j", CHAIN)
    for table, lines in (("filter", there.filter), ("mangle", there.mangle)):
        if chain_in(lines) is not None:
            run(iptables, "-w", "-t", table, "-F", CHAIN)
            run(iptables, "-w", "-t", table, "-X", CHAIN)
    if kernel(family).has_chain:
        raise Failure(
            f"the chain {CHAIN} can't be removed: look at `{iptables}-save | grep {CHAIN}`"
        )


def read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")  # line ends stay as they are
    except FileNotFoundError:
        return ""
    except PermissionError:
        raise Unreadable(f"can't read {path}: run it as root") from None
    except OSError as error:
        raise Failure(f"{path} can't be read: {error.strerror}") from None


def without_block(path: Path, text: str) -> tuple[str, str, int]:
    """The text without portgen's block, the block, and where it was (the end if there was none)."""
    lines = text.splitlines(keepends=True)
    bare = [line.rstrip("\r\n") for line in lines]
    begins, ends = bare.count(BEGIN), bare.count(END)
    if begins != ends or begins > 1 or (begins and bare.index(BEGIN) > bare.index(END)):
        raise Failure(f"{path} has a '{BEGIN}' without its '{END}', or several: fix it by hand")
    if not begins:
        return text, "", len(text)
    first, last = bare.index(BEGIN), bare.index(END) + 1
    head = "".join(lines[:first])
    return head + "".join(lines[last:]), "".join(lines[first:last]), len(head)


def with_jump(path: Path, text: str, asleep: bool, families: list[int]) -> str:
    """after.init with portgen's block after its first line: the jumps for these families."""
    head, _, rest = text.partition("\n")
    if not head:
        head = "#!/bin/sh"
    elif not SHELL.fullmatch(head):
        raise Failure(f"{path} is not a shell script: add the jump to {CHAIN} by hand")
    sleeping = f"{ASLEEP}\n" if asleep else ""
    jumps = "".join(JUMPS[family] for family in families)
    return f"{head}\n{JUMP_HEAD}{jumps}{sleeping}{END}\n{rest}"


def put(path: Path, text: str, executable: bool | None = None) -> None:
    """Replace a file as a whole, with its owner and mode. Of a symlink, the file that it names is
    replaced. Raises Failure."""
    real = Path(os.path.realpath(path))
    new = real.with_name(f".{real.name}.portgen-new")
    try:
        new.unlink(missing_ok=True)
        mode = 0o640
        with open(new, "x", encoding="utf-8", errors="surrogateescape") as file:
            if real.exists():
                status = real.stat()
                mode = status.st_mode & 0o7777
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            if executable is not None:
                mode = mode | 0o100 if executable else mode & ~0o111
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, real)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)  # half of it, on a full disk
        raise Failure(f"{path} can't be written: {error.strerror}") from None


class Change(NamedTuple):
    """A file of ufw's as it has to be."""

    path: Path
    text: str
    executable: bool | None  # None: as it is


def file_changes(blocks: dict[int, str]) -> list[Change]:
    """What differs in ufw's files once they have these blocks ("": none) of the families that are named;
    the others keep theirs. Raises Failure."""
    changes: list[Change] = []
    families = []
    for family, path in RULES_FILES.items():
        block = blocks.get(family)
        if not path.exists():
            if block:
                raise Unreadable(f"{path} is missing: is ufw installed?")
            continue
        rules = read(path)
        bare, present, place = without_block(path, rules)
        block = present if block is None else block
        gap = "\n" if block and not bare[:place].endswith("\n") else ""
        text = bare[:place] + gap + block + bare[place:]
        changes += [Change(path, text, None)] * (text != rules)
        families += [family] * bool(block)
    return changes + init_changes(families)


def init_changes(families: list[int]) -> list[Change]:
    """What differs in after.init once it has the jumps for these families. Raises Failure."""
    if not INIT_FILE.exists() and not families:
        return []
    init = read(INIT_FILE)
    bare, _, _ = without_block(INIT_FILE, init)
    runs = os.access(INIT_FILE, os.X_OK)
    asleep = INIT_FILE.exists() and (not runs or ASLEEP in init.split("\n"))
    change = Change(INIT_FILE, bare, runs and not asleep)
    if families:
        text = with_jump(INIT_FILE, bare.replace(f"{ASLEEP}\n", ""), asleep, families)
        change = Change(INIT_FILE, text, True)
    return [change] * ((change.text, change.executable) != (init, runs))


def old_groups(family: int, chain: list[str]) -> dict[str, list[str]]:
    """What is guarded now: by the file's block, and by the kernel's chain if a `ufw reset` has emptied
    the file."""
    path = RULES_FILES[family]
    _, block, _ = without_block(path, read(path))
    return {**groups_in("\n".join(chain)), **groups_in(block.replace("\r\n", "\n"))}


def enforce(guards: dict[int, Guard], asked: Iterable[int], active: bool) -> None:
    """Put the guards into the kernel, for the families that it was `asked` about, then into the files: after
    a kill in between, the next run finds what is missing. A rules file that the kernel would refuse is never
    written. Raises Failure."""
    blocks = {family: guard.block for family, guard in guards.items() if guard.block}
    for family in asked:
        if family in blocks:
            there = kernel(family)
            if (active or there.chain is not None) and not there.has(guards[family]):
                load(family, guards[family])
    for change in file_changes(blocks) if blocks else []:
        put(*change)


def withdraw(guards: dict[int, Guard], asked: Iterable[int]) -> None:
    """Remove the guards that nothing needs from the kernel and from the files. Raises Failure."""
    gone = [family for family, guard in guards.items() if not guard.block]
    for family in asked:
        if family in gone and kernel(family).has_chain:
            unload(family)
    for change in file_changes(dict.fromkeys(gone, "")) if gone else []:
        put(*change)


# --- all of it: the guard before what it guards, and deletions last ----------------------------------------


def setting(name: str) -> str:
    """A setting of ufw's, read as ufw reads it: the last line counts, without regard to capitals."""
    found = ""
    for line in f"{read(DEFAULTS)}\n{read(ETC / 'ufw.conf')}".split("\n"):
        if re.match(r'\w+="?\w+', line):
            key, value = line.strip().split("=")[:2]
            found = value.lower().strip("\"'") if key.lower() == name else found
    return found


def is_enabled() -> bool:
    return setting("enabled") == "yes"


def takes_ipv6() -> bool:
    """Whether ufw handles IPv6, as ufw decides it: if not, it refuses IPv6 rules and keeps user6.rules."""
    return (setting("ipv6") == "yes" or not DEFAULTS.exists()) and KERNEL_IPV6.exists()


def ipv6_matters(is_guarded: bool) -> bool:
    """Whether to look at the kernel's IPv6 rules. Where ufw leaves IPv6 alone they may not even be readable,
    but docker forwards IPv6 all the same."""
    present = is_guarded or takes_ipv6() or BEGIN in read(RULES_FILES[6])
    return present and KERNEL_IPV6.exists()


def present_rules(ipv6: bool) -> list[Rule]:
    if not (ETC / "user.rules").exists():
        raise Unreadable(f"{ETC / 'user.rules'} is missing: is ufw installed?")
    files = [(4, ETC / "user.rules")] + [(6, ETC / "user6.rules")] * ipv6
    texts = [(family, path, read(path)) for family, path in files]
    for _, path, text in texts:
        if path.exists() and "\nCOMMIT" not in text:
            # ufw overwrites its files in place. For ufw, and for a reload, a rule that is missing was
            # removed.
            shown = f"ip{'6' * (path.name == 'user6.rules')}tables -S"
            raise Failure(
                f"{path} is cut off, as after a full disk or a killed ufw: "
                f"bring back what `{shown}` still has"
            )
    return [rule for family, _, text in texts for rule in rules_in(text, family)]


def need_room() -> None:
    """ufw empties user.rules before it writes it: on a full disk every rule in it would be lost. Raises
    Failure."""
    disk = os.statvfs(ETC)
    if disk.f_bfree * disk.f_frsize < ROOM or (disk.f_files and not disk.f_ffree):
        raise Failure(
            f"the disk of {ETC} is full, and ufw would lose its rules there: "
            "no rule was added or taken back"
        )


def reload_user_rules(ipv6: bool) -> None:
    """If ufw was stopped between a file and the kernel, load its own file again, as ufw does. Raises
    Failure."""
    for prefix, name, chain in (
        ("", "user.rules", "ufw-user-input"),
        ("6", "user6.rules", "ufw6-user-input"),
    )[: 1 + ipv6]:
        written = read(ETC / name)
        wanted = targets(written, chain)
        if kernel_targets(prefix, chain) == wanted:
            continue
        done = run(f"ip{prefix}tables-restore", "-w", "--noflush", given=written)
        if done.returncode != 0 or kernel_targets(prefix, chain) != wanted:
            raise Failure(
                f"the kernel does not have the rules of {ETC / name}: "
                f"look at `ip{prefix}tables -S {chain}`"
            )
        say(
            f"the kernel did not have the rules of {ETC / name}, as after an interrupted ufw: "
            "loaded them again"
        )


def targets(text: str, chain: str) -> list[str]:
    """What each rule of a chain does, in their order. ufw's file and the kernel write the rest
    differently."""
    return re.findall(rf"(?m)^-A {chain} (?:.* )?-j (\S+)", text)


def kernel_targets(prefix: str, chain: str) -> list[str]:
    shown = run(f"ip{prefix}tables", "-w", "-S", chain)
    if shown.returncode != 0:
        raise Failure(
            f"ufw is enabled, and its rules are not in the kernel ({shown.stderr.strip()}): "
            "fix ufw first"
        )
    return targets(shown.stdout, chain)


def say(text: str) -> None:
    print(f"{NAME}: {text}", file=sys.stderr, flush=True)


def call(command: str) -> bool:
    """Run ufw; what it prints is shown as it is."""
    try:
        return (
            subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, check=False).returncode
            == 0
        )
    except OSError as error:
        raise Failure(f"ufw can't be run: {error.strerror}") from None


def change_rules(decision: Decision, ipv6: bool) -> bool:
    """Add, then delete. If ufw refuses a rule, the others are still added, but none is deleted. Raises
    Failure if ufw has damaged its files."""
    if decision.add or decision.delete:
        need_room()
    failed = [command for command in decision.add if not changed(command, ipv6)]
    added = not failed
    if added:
        failed = [command for command in decision.delete if not changed(command, ipv6)]
    if failed:
        commands = "1 command" if len(failed) == 1 else f"{len(failed)} commands"
        say(f"{commands} failed: {'; '.join(failed)}")
    if not added:
        say("nothing is taken back until every rule is added")
    return not failed


def changed(command: str, ipv6: bool) -> bool:
    """Run ufw once. If it leaves a file cut off, the next call would lose the rest of it. Raises Failure."""
    done = call(command)
    present_rules(ipv6)
    return done


class Plan(NamedTuple):
    """What there is to do."""

    wanted: list[Wanted]
    decision: Decision
    left: set[str]  # the ports that nginx has not released yet
    kept: frozenset[str]  # the ports whose old rules stay for now
    guards: dict[int, Guard]  # by family
    # By family; none that a dry run can't ask about, or that is not there
    kernels: dict[int, Kernel]

    @property
    def guarded(self) -> bool:
        return any(guard.block for guard in self.guards.values())


def apply(plan: Plan, active: bool) -> bool:
    """Carry the plan out. Returns whether everything was done. Raises Failure."""
    enforce(plan.guards, plan.kernels, active)
    ipv6 = takes_ipv6()
    done = change_rules(plan.decision, ipv6)
    if done:
        withdraw(plan.guards, plan.kernels)
    if active:
        reload_user_rules(ipv6)
    to_do = decide(plan.wanted, present_rules(ipv6), ipv6, plan.left, plan.kept)
    if done and (to_do.add or to_do.delete):
        commands = "; ".join([*to_do.add, *to_do.delete])
        say(f"ufw reported success, and yet these are left to do: {commands}")
        done = False
    return done


def rehearse(plan: Plan, active: bool) -> None:
    """Print what `apply` would do. Without root it can't read the kernel's rules, and often not the files."""
    placed, removed = [], []
    for family, there in plan.kernels.items():
        guard = plan.guards[family]
        of = f"the chain {CHAIN}{' of IPv6' * (family == 6)}"
        if guard.block and (active or there.chain is not None) and not there.has(guard):
            placed.append(f"# would load {of} into the kernel: {len(guard.rules)} rules")
        if not guard.block and there.chain is not None:
            removed.append(f"# would remove {of} from the kernel")
    blocks = {family: guard.block for family, guard in plan.guards.items()}
    placed += in_files("place", {family: block for family, block in blocks.items() if block})
    gone = dict.fromkeys((family for family, block in blocks.items() if not block), "")
    # Where files can't be read, the line about those that are placed has said so.
    if is_root() or len(gone) == len(blocks):
        removed += in_files("remove", gone)
    for line in [*placed, *plan.decision.add, *plan.decision.delete, *removed]:
        print(line)


def in_files(verb: str, blocks: dict[int, str]) -> list[str]:
    """What would be done to ufw's files to give them these blocks."""
    if not blocks:
        return []
    paths, why = [*(RULES_FILES[family] for family in blocks), INIT_FILE], ""
    try:
        paths = [change.path for change in file_changes(blocks)]
    except Unreadable as error:
        why = f" ({error})"
    of = " and ".join(map(str, paths))
    return [f"# would {verb} the {CHAIN} blocks of {of}{why}"] if paths else []


def is_root() -> bool:
    return os.geteuid() == 0


def rendered_guard(here: Path, family: int) -> str:
    path = here / RENDERED[family]
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise Failure(f"{path} is missing: keep it beside this script") from None


def planned(
    here: Path,
    rules: str,
    holders: str,
    guarded: tuple[int, ...],
    dry: bool,
    kept: frozenset[str] = frozenset(),
) -> Plan:
    """Raises Failure."""
    wanted = wanted_rules(rules)
    ipv6 = takes_ipv6()
    kernels = {}
    for family, iptables in IPTABLES.items():
        can_ask = not dry or (is_root() and shutil.which(iptables) is not None)
        if can_ask and (family == 4 or ipv6_matters(family in guarded)):
            kernels[family] = kernel(family)
    blocks = {family: rendered_guard(here, family) for family in guarded}
    old: dict[int, dict[str, list[str]]] = {}
    try:
        present = present_rules(ipv6)
        for family in RULES_FILES:
            there = kernels.get(family)
            old[family] = old_groups(family, (there and there.chain) or [])
    except Unreadable as error:
        if not dry:
            raise
        say(f"{error}; assuming that ufw has no rule yet")
        present, old = [], {}
    guards = {}
    for family in RULES_FILES:
        own = holders_in(holders, family)
        guards[family] = guard_of(family, blocks.get(family, ""), old.get(family, {}), own)
    left = left_by_nginx(here)
    decision = decide(wanted, present, ipv6, left, kept)
    return Plan(wanted, decision, left, kept, guards, kernels)


def lock() -> int:
    """One run at a time; a second one waits: two at once would undo each other's changes. Raises Failure."""
    try:
        folder = os.open(ETC, os.O_RDONLY)
    except OSError as error:
        raise Failure(f"{ETC} can't be opened: {error.strerror}; is ufw installed?") from None
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise Failure(
                    f"another run of {NAME} is under way: wait until it has ended"
                ) from None
            time.sleep(0.1)
        else:
            return folder  # held until the process ends, however it does


def main(
    arguments: list[str], rules: str, holders: str, guarded: tuple[int, ...], here: Path
) -> int:
    """`guarded`: the families that have a guard, 4 or 6. Returns the exit code: 0 everything is in force;
    3 something was skipped or kept on purpose, and printed; 1 a command failed."""
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    dry = arguments == ["--dry-run"]
    kept: frozenset[str] = frozenset()
    if len(arguments) == 2 and arguments[0] == "--keep":
        kept = frozenset(arguments[1].split(","))
    elif arguments and not dry:
        print(f"usage: {NAME} [--dry-run | --keep PORT/PROTOCOL,...]", file=sys.stderr)
        return USAGE
    if not dry and not is_root():
        say("run it as root")
        return FAILED
    try:
        if not dry:
            lock()
        return carry_out(planned(here, rules, holders, guarded, dry, kept), dry)
    except Failure as failure:
        say(str(failure))
    except KeyboardInterrupt:
        say("interrupted: run it again, which finishes what is left")
    return FAILED


def carry_out(plan: Plan, dry: bool) -> int:
    """Report what is skipped, then do the rest, or print it. Returns the exit code. Raises Failure."""
    active = is_enabled()
    skipped = list(plan.decision.skipped)
    for guard in plan.guards.values():
        skipped += guard.kept
    if not active and (plan.wanted or plan.guarded):
        skipped.append("ufw is not active: nothing of this is in force before `ufw enable`")
    notes = list(plan.decision.notes)
    if active and setting("default_input_policy") == "accept":
        notes.append(
            f"ufw lets in what no rule denies (DEFAULT_INPUT_POLICY in {DEFAULTS}), "
            "wider than the inventory"
        )
    for text in [*notes, *skipped]:
        say(text)
    if dry:
        rehearse(plan, active)
    elif not apply(plan, active):
        return FAILED
    return SKIPPED if skipped else IN_FORCE


sys.exit(main(sys.argv[2:], RULES, HOLDERS, GUARDED, Path(os.path.realpath(sys.argv[1])).parent))
PORTGEN_UFW
