"""The doors of a live host: those of its plan where it is as declared, and what a change opens or closes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from portgen import audit
from portgen.audit import Audited, Places
from portgen.formats.filtering import addresses, everyone
from portgen.inventory import ranges
from portgen.machine import recording
from portgen.plan import doors
from portgen.plan.door import Door
from portgen.plan.live import SOURCES, InstalledFile
from portgen.plan.ports import Endpoint
from portgen.plan.types import Plan
from portgen.plan.visitors import Sources, Visitor
from portgen.targets import Said, Seen
from tests.audit import hosts

RECORDED = Path(__file__).parent / "recorded" / "es-docker"
EXAMPLES = {folder.name: folder for folder in hosts.FOLDERS[1:]}
# Services that docker publishes to the lan by both families, and one that only the host itself may use.
ANNEX = """\
version: 1
hosts:
  es-docker:
    zones: {lan: [192.168.0.0/16, "fd00:77::/64"], vpn: [{interface: tailscale0}]}
projects:
  annex:
    ports: 6000-6099
    network: {name: annex, subnet: 172.31.0.0/24, subnet6: "fd00:31::/64"}
    defaults: {allow: [lan], via: docker}
    services:
      collector: {port: 6000, container_port: 5000}
      relay: {port: 6001, protocol: udp, container_port: 514}
      media: {ports: [{port: 6010-6019, protocol: udp, container_port: 6010}]}
      inner: {port: 6002, container_port: 5000, allow: []}
"""


class Entry(NamedTuple):
    """Who gets in where. `source`: by the word that stands for them."""

    source: str
    service: str
    way: str
    family: int


class Live:
    """A host that is as declared, to be changed and asked."""

    def __init__(self, declared: hosts.Declared, seen: Seen | None = None) -> None:
        self.host, self.rendered = declared
        self.seen = hosts.clean(self.host, self.rendered) if seen is None else seen
        self.sources = Sources(Plan((self.host,), self.host.projects), self.host)

    # --- changing it ---

    def kernel(self, family: int = 4) -> str:
        return self.seen.commands[_saved(family)].text

    def change(self, pattern: str, new: str, family: int = 4, *, times: int = 1) -> None:
        """Put something in place of lines of the kernel's rules."""
        text, number = re.subn(pattern, new, self.kernel(family), flags=re.MULTILINE)
        assert number == times, f"{number} times in the kernel: {pattern}"
        self.seen.commands[_saved(family)] = Said(0, text)

    def first(self, rule: str, table: str = "filter", family: int = 4) -> None:
        """A rule, before all others of its chain."""
        text = self.kernel(family)
        if f"*{table}\n" not in text:
            text = f"*{table}\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n{text}"
        head, mark, rest = text.partition(f"*{table}\n")
        own, end, tail = rest.partition("COMMIT\n")
        lines = own.splitlines(keepends=True)
        there = [place for place, line in enumerate(lines) if line.startswith("-A")]
        lines.insert(there[0] if there else len(lines), f"{rule}\n")
        self.seen.commands[_saved(family)] = Said(0, f"{head}{mark}{''.join(lines)}{end}{tail}")

    def command(self, words: str, pattern: str, new: str, *, times: int = 1) -> None:
        """Put something in place of a part of what a command says."""
        for asked, said in self.seen.commands.items():
            if " ".join(asked).startswith(words):
                text, number = re.subn(pattern, new, said.text, flags=re.MULTILINE)
                assert number == times, f"{number} times in {words}: {pattern}"
                self.seen.commands[asked] = said._replace(text=text)
                return
        raise AssertionError(words)

    def file(self, path: str, pattern: str, new: str) -> None:
        """Put something in place of all such parts of a file."""
        number = 0
        for ask, files in self.seen.folders.items():
            if isinstance(files, str):
                continue
            changed: list[InstalledFile] = []
            for file in files:
                if file.path == path:
                    text, some = re.subn(pattern, new, file.text or "", flags=re.MULTILINE)
                    file = file._replace(text=text)  # noqa: PLW2901 - the same with another text
                    number += some
                changed.append(file)
            self.seen.folders[ask] = tuple(changed)
        assert number, f"not in {path}: {pattern}"

    # --- asking it ---

    def audited(self, *sources: str) -> Audited:
        places = Places(self.seen.folder, f"{self.seen.out}/{self.host.name}", self.seen.compose)
        return Audited(self.host, self.seen, self.rendered, places, sources or SOURCES)

    def doors(self, service: str, way: str = "port", family: int = 4) -> list[Door]:
        found = audit.doors(self.audited())[service]
        return [door for door in found if (door.way, door.family) == (way, family)]

    def let_in(self, service: str, visitor: Visitor, way: str = "port") -> list[range]:
        found: list[range] = []
        for door in self.doors(service, way, visitor.family):
            found += door.let_in(visitor)
        return found

    def changes(self) -> tuple[set[Entry], set[Entry]]:
        """Who gets in who is not declared, and who does not who is."""
        declared = self._entries(doors.of(self.host))
        found = self._entries(audit.doors(self.audited()))
        return _beyond(found, declared), _beyond(declared, found)

    def _entries(self, by_service: dict[str, list[Door]]) -> dict[Place, list[range]]:
        found: dict[Place, list[range]] = {}
        for source in self.sources.every:
            for visitor in source.visitors:
                for name, own in by_service.items():
                    for door in own:
                        entry = Entry(source.name, name, door.way, door.family)
                        own_way = (visitor.network, visitor.interface)
                        place = Place(entry, own_way, door.port, door.route, door.password)
                        found.setdefault(place, []).extend(door.let_in(visitor))
        return found


class Place(NamedTuple):
    """Where a visitor may get in."""

    entry: Entry
    by: tuple[str, str]  # the visitor's network and interface
    port: Endpoint
    route: str
    password: bool


def _beyond(some: dict[Place, list[range]], others: dict[Place, list[range]]) -> set[Entry]:
    """Where some are let in who are not among the others."""
    found = set()
    for place, those in some.items():
        if ranges.without(ranges.joined(those), ranges.joined(others.get(place, ()))):
            found.add(place.entry)
    return found


def _saved(family: int) -> tuple[str, ...]:
    return ("ip6tables-save" if family == 6 else "iptables-save",)


@pytest.fixture
def es() -> Live:
    return Live(hosts.of_folder(hosts.REPOSITORY))


@pytest.fixture
def annex() -> Live:
    return Live(hosts.declared(ANNEX))


def example(name: str) -> Live:
    return Live(hosts.of_folder(EXAMPLES[name]))


NOTHING: tuple[set[Entry], set[Entry]] = (set(), set())
STRANGER = Visitor("outside", 4, [addresses("203.0.113.7/32")])
PROGRAM = "variances-dashboard"  # outside Docker, without a forwarder's unit
LAN = Visitor("outside", 4, [addresses("192.168.0.0/16")])


# --- as declared ----------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_a_host_as_declared_has_the_doors_of_its_plan(folder: Path) -> None:
    live = Live(hosts.of_folder(folder))
    assert live.changes() == NOTHING
    assert audit.unseen(live.audited()) == {}
    assert all(door.sure for own in audit.doors(live.audited()).values() for door in own)


def test_published_ports_have_the_doors_of_the_plan_by_both_families(annex: Live) -> None:
    assert annex.changes() == NOTHING
    assert annex.doors("collector", family=6)


# On a host with a container on its own network, its project is the host, too.
SELF = ("host", "dashboard")


def test_a_recorded_host_differs_only_where_a_program_chose_its_address() -> None:
    """The plan does not say at which address a program outside Docker listens; this one has no IPv6."""
    live = Live(hosts.of_folder(hosts.REPOSITORY), recording.load(RECORDED))
    assert live.changes() == (
        set(),
        {Entry(source, "variances-dashboard", "port", 6) for source in SELF},
    )


# --- ufw's rules ----------------------------------------------------------------------------------


def test_a_wider_rule_lets_more_in(es: Live) -> None:
    es.first("-A ufw-user-input -p tcp -m tcp --dport 5001 -j ACCEPT")
    more, less = es.changes()
    assert Entry("any", PROGRAM, "port", 4) in more
    assert {one.service for one in more} == {PROGRAM}
    assert less == set()
    assert es.let_in(PROGRAM, STRANGER) == STRANGER.addresses


def test_ufws_own_rules_let_datagrams_for_a_group_in() -> None:
    mdns = "      mdns: {port: 5353, via: process, protocol: udp, allow: []}\n"
    text = ANNEX.replace("    services:\n", f"    services:\n{mdns}")
    live = Live(hosts.declared(text.replace("ports: 6000-6099", "ports: [6000-6099, 5353]")))
    assert live.changes() == NOTHING
    found = {door.endpoint.address: door for door in live.doors("mdns")}
    assert found["224.0.0.251"].let_in(STRANGER) == STRANGER.addresses
    assert not found["224.0.0.251"].sure
    live.change(r"^-A ufw-before-input -d 224\.0\.0\.251/32 .*\n", "")
    assert live.let_in("mdns", STRANGER) == []


def test_an_earlier_deny_keeps_out(es: Live) -> None:
    es.first("-A ufw-user-input -s 192.168.4.0/24 -p tcp -m tcp --dport 5001 -j DROP")
    assert es.changes() == (set(), {Entry("lan", PROGRAM, "port", 4)})
    out = addresses("192.168.4.0/24")
    inside = addresses("192.168.0.0/16")
    assert es.let_in(PROGRAM, LAN) == [
        range(inside.start, out.start),
        range(out.stop, inside.stop),
    ]


@pytest.mark.parametrize("flushed", [True, False])
def test_without_ufw_the_policy_of_input_decides(es: Live, *, flushed: bool) -> None:
    es.change(r"^:INPUT DROP", ":INPUT ACCEPT")
    if flushed:
        es.change(r"^-A (INPUT|ufw-[a-z-]+) .*\n", "", times=len(_rules(es, "(INPUT|ufw-[a-z-]+)")))
    assert es.let_in(PROGRAM, STRANGER) == STRANGER.addresses
    assert es.changes()[1] == set()


def _rules(live: Live, chain: str) -> list[str]:
    return re.findall(rf"^-A {chain} .*$", live.kernel(), re.MULTILINE)


OPENED = "-p tcp -m tcp --dport 5001 -j ACCEPT"


@pytest.mark.parametrize(
    "rule",
    [
        f"-A ufw-user-input -i eth0 {OPENED}",
        f"-A ufw-user-input -i eth+ {OPENED}",
        f"-A ufw-user-input ! -i eth0 {OPENED}",
        "-A INPUT -i eth0 -j ACCEPT",
    ],
)
def test_a_rule_by_an_interface_that_no_zone_names_may_let_a_stranger_in(
    es: Live, rule: str
) -> None:
    es.first(rule)
    assert es.let_in(PROGRAM, STRANGER) == STRANGER.addresses
    assert Entry("any", PROGRAM, "port", 4) in es.changes()[0]
    assert [door.sure for door in es.doors(PROGRAM)] == [False]
    assert es.let_in(PROGRAM, LAN) == LAN.addresses


def test_the_guard_may_be_left_by_an_interface_that_no_zone_names(annex: Live) -> None:
    for table in ("filter", "mangle"):
        annex.first("-A PORTGEN-GUARD -i eth0 -j RETURN", table)
    assert annex.let_in("collector", STRANGER) == STRANGER.addresses
    assert not annex.doors("collector")[0].sure


@pytest.mark.parametrize(
    ("interface", "strangers"), [("tailscale0", False), ("tailscale0+", True), ("tail+", True)]
)
def test_a_rule_by_a_zones_interface_is_about_its_visitors_alone(
    annex: Live, interface: str, *, strangers: bool
) -> None:
    for table in ("filter", "mangle"):
        annex.first(f"-A PORTGEN-GUARD -i {interface} -j RETURN", table)
    by_zone = STRANGER._replace(interface="tailscale0")
    assert annex.let_in("collector", by_zone) == STRANGER.addresses
    assert bool(annex.let_in("collector", STRANGER)) == strangers
    assert annex.doors("collector")[0].sure != strangers


def test_a_zone_of_an_interface_that_no_rule_names_comes_like_others(annex: Live) -> None:
    annex.change(JUMP, "", times=2)
    visitor = STRANGER._replace(interface="tailscale0")
    assert annex.let_in("collector", visitor) == STRANGER.addresses


def test_what_cannot_be_answered_lets_in_and_is_not_sure(es: Live) -> None:
    es.first("-A ufw-user-input -p tcp -m tcp --dport 5001 -m limit --limit 3/min -j ACCEPT")
    assert es.let_in(PROGRAM, STRANGER)
    (door,) = es.doors(PROGRAM)
    assert not door.sure
    assert [door.sure for door in es.doors("fortigate-stats")] == [True]


def test_who_may_leave_a_chain_early_may_get_in(annex: Live) -> None:
    """A limit before the guard, with its RETURN: those packets are not asked about by the guard."""
    for table in ("filter", "mangle"):
        annex.first("-A PORTGEN-GUARD -m limit --limit 3/min -j RETURN", table)
    assert annex.let_in("collector", STRANGER)
    assert not annex.doors("collector")[0].sure


def test_a_rule_of_ipv6_alone_opens_it_for_ipv6_alone(annex: Live) -> None:
    annex.first("-A ufw6-user-input -p tcp -m tcp --dport 6000 -j ACCEPT", family=6)
    more, less = annex.changes()
    assert (Entry("any", "collector", "port", 6) in more, less) == (True, set())
    assert {one.family for one in more} == {6}


# --- docker's ports -------------------------------------------------------------------------------

GUARD = r"^-A PORTGEN-GUARD .*\n"
JUMP = r"^-A (DOCKER-USER|FORWARD) -j PORTGEN-GUARD\n"


def test_without_its_guard_everybody_comes_to_a_published_port() -> None:
    live = example("homelab")
    live.change(GUARD, "", times=len(_rules(live, "PORTGEN-GUARD")))
    more, less = live.changes()
    guarded = {guard.service for guard in live.host.guards}
    assert {one.service for one in more if one.source == "any"} <= guarded
    assert any(one.source == "any" and one.way == "port" for one in more)
    assert any(one.source.startswith("neighbour of") and one.way == "container" for one in more)
    assert less == set()


def test_a_guard_that_nothing_leads_to_does_not_close(annex: Live) -> None:
    annex.change(JUMP, "", times=2)
    more, less = annex.changes()
    assert Entry("any", "collector", "port", 4) in more
    assert Entry("neighbour of annex", "collector", "container", 4) in more
    assert {one.family for one in more} == {4}
    assert less == set()


@pytest.mark.parametrize("chain", ["DOCKER-USER", "FORWARD"])
def test_one_table_of_the_guard_is_enough(annex: Live, chain: str) -> None:
    annex.change(rf"^-A {chain} -j PORTGEN-GUARD\n", "")
    assert annex.changes() == NOTHING


@pytest.mark.parametrize("target", ["RETURN", "ACCEPT"])
def test_a_rule_before_the_guard_leads_past_it(annex: Live, target: str) -> None:
    annex.change(r"^-A FORWARD -j PORTGEN-GUARD\n", "")
    annex.change(r"^-A DOCKER-USER -j P", f"-A DOCKER-USER -j {target}\n-A DOCKER-USER -j P")
    assert annex.let_in("collector", STRANGER) == STRANGER.addresses


def test_without_dockers_rules_its_program_is_met_by_ufws(annex: Live) -> None:
    """After `iptables -t nat -F` visitors come to docker-proxy, as to any program of the host."""
    annex.change(r"^-A DOCKER .*-j DNAT.*\n", "", times=12)
    assert annex.let_in("collector", STRANGER) == []
    assert annex.let_in("collector", LAN) == LAN.addresses
    assert annex.changes()[0] == set()


def test_dockers_rules_that_lead_to_another_container_are_no_door(annex: Live) -> None:
    annex.change(r"(--dport 6000 -j DNAT --to-destination )172\.31\.0\.\d+", r"\g<1>172.31.0.200")
    assert annex.let_in("collector", LAN) == []


def test_a_published_port_needs_forward_too(annex: Live) -> None:
    annex.change(r"^-A FORWARD -o br-000000000000 -j DOCKER\n", "")
    less = annex.changes()[1]
    assert Entry("lan", "collector", "port", 4) in less
    annex.change(r"^:FORWARD DROP", ":FORWARD ACCEPT")
    assert annex.let_in("collector", LAN) == LAN.addresses


def _address(live: Live, service: str) -> str:
    return str(live.host.services[[one.name for one in live.host.services].index(service)].address)


def test_a_neighbours_packets_for_loopback_are_led_into_a_container(annex: Live) -> None:
    rule = "-A DOCKER -d 127.0.0.1/32 ! -i br-000000000000 -p tcp -m tcp --dport 6002 -j DNAT"
    inside = _address(annex, "inner")
    accepted = f"-d {inside}/32 ! -i br-000000000000 -o br-000000000000 -p tcp -m tcp --dport 5000"
    annex.first(f"-A DOCKER {accepted} -j ACCEPT")
    annex.change(r"^(-A PREROUTING -m addrtype .*)$", rf"\1\n{rule} --to-destination {inside}:5000")
    neighbour = Visitor("neighbour", 4, STRANGER.addresses, network="annex")
    assert annex.let_in("inner", neighbour) == []
    annex.change(r"^-A PORTGEN-GUARD .*--ctorigdst 127.*\n", "", times=2)
    assert annex.let_in("inner", neighbour) == STRANGER.addresses
    assert annex.let_in("inner", STRANGER) == []


def test_a_rule_of_docker_28_closes_a_containers_own_address(annex: Live) -> None:
    annex.change(JUMP, "", times=2)
    inside = _address(annex, "collector")
    neighbour = Visitor("neighbour", 4, STRANGER.addresses, network="annex")
    assert annex.let_in("collector", neighbour, "container") == STRANGER.addresses
    annex.first(f"-A PREROUTING -d {inside}/32 ! -i br-000000000000 -j DROP", "raw")
    assert annex.let_in("collector", neighbour, "container") == []
    assert annex.let_in("collector", STRANGER) == STRANGER.addresses  # that was rewritten


SIX = """\
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s fd00:31::/64 ! -o br-000000000000 -j MASQUERADE
-A DOCKER -i br-000000000000 -j RETURN
-A DOCKER ! -i br-000000000000 -p tcp -m tcp --dport 6000 -j DNAT --to-destination [fd00:31::2]:5000
COMMIT
"""


def test_docker_may_publish_by_rules_of_ipv6(annex: Live) -> None:
    """As docker does from 27 on: then the guard decides, not ufw."""
    accepted = (
        "-d fd00:31::2/128 ! -i br-000000000000 -o br-000000000000 -p tcp -m tcp --dport 5000"
    )
    annex.first(f"-A FORWARD {accepted} -j ACCEPT", family=6)
    annex.change(r"\A", SIX, family=6)
    assert annex.changes() == NOTHING
    annex.change(GUARD, "", family=6, times=14)
    more = annex.changes()[0]
    assert Entry("any", "collector", "port", 6) in more
    assert Entry("any", "relay", "port", 6) not in more  # still docker's program, and ufw


def test_a_network_may_keep_its_containers_apart(annex: Live) -> None:
    annex.change(
        r"^-A FORWARD -i br-000000000000 -o br-000000000000 -j ACCEPT",
        "-A FORWARD -i br-000000000000 -o br-000000000000 -j DROP",
    )
    less = annex.changes()[1]
    assert {one.way for one in less if one.family == 4} == {"container"}
    assert {one.source for one in less} == {"annex"}


def test_a_container_that_does_not_run_has_no_door(annex: Live, es: Live) -> None:
    _stop(annex, "collector")
    assert annex.doors("collector", "container") == []
    _stop(es, "smartnumbers")
    assert audit.doors(es.audited())["smartnumbers"] == []


def test_what_the_host_may_not_send_comes_to_no_container(es: Live) -> None:
    """`ufw default deny outgoing`: forwarders connect to their containers as the host."""
    es.change(r"^(:FORWARD DROP .*\n):OUTPUT ACCEPT", r"\1:OUTPUT DROP")
    es.change(r"^-A ufw-track-output .*\n", "", times=2)
    assert es.doors("smartnumbers") == []
    assert es.let_in(PROGRAM, LAN) == LAN.addresses
    assert es.let_in(PROGRAM, Visitor("host", 4, everyone(4)))  # by loopback


def test_dockers_program_leads_on_by_its_own_family(annex: Live) -> None:
    """With `IPV6=no` ufw closes OUTPUT, too: the program that listens on `::` reaches no container."""
    annex.change(r"^(:FORWARD DROP .*\n):OUTPUT ACCEPT", r"\1:OUTPUT DROP", family=6)
    annex.change(r"^-A ufw6-track-output .*\n", "", family=6, times=2)
    assert annex.doors("collector", family=6) == []
    assert annex.let_in("collector", LAN) == LAN.addresses


def test_whether_the_kernel_asks_about_packets_inside_a_network_is_not_known(annex: Live) -> None:
    """By IPv6 docker has no rule that lets them in, and ufw's would keep them out."""
    (door,) = annex.doors("collector", "container", 6)
    assert not door.sure
    assert annex.doors("collector", "container")[0].sure


def _stop(live: Live, service: str) -> None:
    for asked, said in live.seen.commands.items():
        if asked[:2] == ("docker", "inspect"):
            entries = [json.loads(line) for line in said.text.splitlines()]
            for entry in entries:
                if entry["labels"]["service"] == service:
                    entry["state"] = "exited"
            text = "".join(f"{json.dumps(entry)}\n" for entry in entries)
            live.seen.commands[asked] = said._replace(text=text)


# --- who listens ----------------------------------------------------------------------------------


def test_a_program_on_loopback_is_for_the_host_alone(es: Live) -> None:
    es.command("ss", r"0\.0\.0\.0:5007\b", "127.0.0.1:5007")
    assert es.let_in("smartnumbers", LAN) == []
    assert es.changes() == (set(), {Entry("lan", "smartnumbers", "port", 4)})


def test_a_program_at_one_address_is_there_alone(es: Live) -> None:
    es.command("ss", r"0\.0\.0\.0:5007\b", "192.168.1.9:5007")
    (door,) = es.doors("smartnumbers")
    assert door.endpoint.address == "192.168.1.9"
    assert es.let_in("smartnumbers", LAN) == LAN.addresses


def test_where_nobody_listens_there_is_no_door_and_no_route(es: Live) -> None:
    es.command("ss", r"^.*0\.0\.0\.0:5007\b.*\n", "")
    assert es.doors("smartnumbers") == []
    assert es.doors("smartnumbers", "route") == []
    assert es.doors("smartnumbers", "container")


def test_a_forwarder_to_somebody_else_is_no_door(es: Live) -> None:
    for pid, process in es.seen.processes.items():
        if process is not None and any("LISTEN:5007," in word for word in process.arguments):
            words = [
                re.sub(r"^TCP4:[0-9.]+:", "TCP4:172.30.0.99:", one) for one in process.arguments
            ]
            es.seen.processes[pid] = process._replace(arguments=tuple(words))
    assert es.doors("smartnumbers") == []
    assert es.doors("fortigate-stats")


def test_a_forwarder_to_another_service_is_a_door_of_that_one(es: Live) -> None:
    address = _address(es, "fortigate-stats")
    for pid, process in es.seen.processes.items():
        if process is not None and any("LISTEN:5007," in word for word in process.arguments):
            words = [
                re.sub(r"^TCP4:[0-9.]+:", f"TCP4:{address}:", one) for one in process.arguments
            ]
            es.seen.processes[pid] = process._replace(arguments=tuple(words))
    assert es.doors("smartnumbers") == []
    (door,) = [door for door in es.doors("fortigate-stats") if door.through]
    assert door.endpoint.port == 5007
    assert "portgen-smartnumbers.service" in door.through
    assert door.let_in(LAN) == LAN.addresses
    # Whoever reached the one by nginx, reaches the other by its route.
    routes = [door for door in es.doors("fortigate-stats", "route") if door.through]
    assert [door.route for door in routes] == ["/dashboard/smartnumbers/"]


def test_a_forwarder_that_leads_to_the_database_is_a_door_of_it(es: Live) -> None:
    """To a program of the host: it comes by loopback."""
    assert es.let_in("postgresql", STRANGER) == []
    for pid, process in es.seen.processes.items():
        if process is not None and any("LISTEN:5007," in word for word in process.arguments):
            words = [
                re.sub(r"^TCP4:[0-9.]+:[0-9]+", "TCP4:127.0.0.1:5432", one)
                for one in process.arguments
            ]
            es.seen.processes[pid] = process._replace(arguments=tuple(words))
    assert es.let_in("postgresql", LAN) == LAN.addresses
    assert es.let_in("postgresql", STRANGER, "route") == STRANGER.addresses


@pytest.mark.parametrize(
    "address",
    [
        "localhost",
        "127.1",
        "0",
        "0.0.0.0",
        "0x7f.0.0.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "[::]",
    ],
)
def test_a_forwarder_to_loopback_may_be_written_in_any_way(es: Live, address: str) -> None:
    _lead(es, "5007", "TCP4:[0-9.]+:[0-9]+", f"TCP:{address}:5432")
    assert es.let_in("postgresql", LAN) == LAN.addresses


@pytest.mark.parametrize("address", ["127.0.0.09", "1.2.3.4.5", "256.1", "there"])
def test_a_forwarder_to_another_address_is_no_door_to_loopback(es: Live, address: str) -> None:
    _lead(es, "5007", "TCP4:[0-9.]+:[0-9]+", f"TCP:{address}:5432")
    assert es.let_in("postgresql", LAN) == []


def test_a_forwarder_to_its_container_may_be_written_by_ipv6(es: Live) -> None:
    _lead(es, "5007", "TCP4:([0-9.]+)", r"TCP6:[::ffff:\1]")
    assert es.changes() == NOTHING


def _lead(live: Live, port: str, pattern: str, to: str) -> None:
    """Lead the forwarder at a port elsewhere."""
    for pid, process in live.seen.processes.items():
        if process is not None and any(f"LISTEN:{port}," in word for word in process.arguments):
            words = [re.sub(f"^{pattern}", to, one) for one in process.arguments]
            live.seen.processes[pid] = process._replace(arguments=tuple(words))


def test_a_port_that_docker_leads_into_a_container_of_another_service_is_a_door_of_it(
    annex: Live,
) -> None:
    inside = _address(annex, "inner")
    rule = r"^(-A DOCKER .*--dport 6000 -j DNAT --to-destination )172\.31\.0\.\d+"
    annex.change(rule, rf"\g<1>{inside}")
    assert annex.let_in("collector", LAN) == []
    doors_here = [door for door in annex.doors("inner") if door.endpoint.port == 6000]
    assert doors_here
    assert all(door.port.port == 6002 for door in doors_here)


@pytest.mark.parametrize(
    ("asked", "to", "ports"),
    [
        ("-p tcp -m multiport --dports 9990,9999", ":5000", {9990, 9999}),
        ("-p tcp -m tcp --dport 9990:9999", ":5000", {9990}),
        ("-d 192.168.7.5/32", "", {5000}),
    ],
)
def test_ports_that_a_rule_by_hand_leads_into_a_container_are_doors_of_it(
    annex: Live, asked: str, to: str, ports: set[int]
) -> None:
    annex.change(JUMP, "", times=2)
    inside = _address(annex, "inner")
    annex.first(f"-A PREROUTING {asked} -j DNAT --to-destination {inside}{to}", "nat")
    annex.first("-A FORWARD -j ACCEPT")
    found = [door for door in annex.doors("inner") if door.let_in(STRANGER)]
    assert {door.endpoint.port for door in found} == ports
    assert {door.port.port for door in found} == {6002}


@pytest.mark.parametrize(
    "rule",
    [
        "-p tcp -m tcp --dport 9998 -j REDIRECT --to-ports 5432",
        "-p tcp -m multiport --dports 9998,9999 -j DNAT --to-destination 127.0.0.1:5432",
        "-d 192.168.7.5/32 -j DNAT --to-destination 127.0.0.1",
    ],
)
def test_a_rule_by_hand_that_leads_to_a_program_on_loopback_is_a_door_of_it(
    es: Live, rule: str
) -> None:
    es.command("ss", r"\*:5432\b", "127.0.0.1:5432")
    es.first(f"-A PREROUTING {rule}", "nat")
    assert es.let_in("postgresql", STRANGER) == []  # ufw keeps them out, still
    es.first("-A ufw-user-input -p tcp -m tcp --dport 5432 -j ACCEPT")
    found = [door for door in es.doors("postgresql") if door.let_in(STRANGER)]
    assert found
    assert not any(door.sure for door in found)


def test_a_forwarders_unit_keeps_out_too(es: Live) -> None:
    _narrow(es, "portgen-smartnumbers.service")
    assert es.let_in("smartnumbers", LAN) == [addresses("192.168.7.0/24")]
    assert es.changes() == (set(), {Entry("lan", "smartnumbers", "port", 4)})


def test_a_forwarders_unit_closes_what_a_wide_rule_opens(es: Live) -> None:
    es.first("-A ufw-user-input -p tcp -m tcp --dport 5007 -j ACCEPT")
    assert es.changes() == NOTHING
    without = audit.doors(es.audited("sockets", "ufw", "docker", "nginx"))["smartnumbers"]
    assert any(door.let_in(STRANGER) for door in without)


def _narrow(live: Live, unit: str) -> None:
    for asked, said in live.seen.commands.items():
        if asked[0] == "systemctl":
            parts = said.text.split("\n\n")
            for place, part in enumerate(parts):
                if f"Names={unit}" in part:
                    assert "192.168.0.0/16" in part
                    parts[place] = part.replace("192.168.0.0/16", "192.168.7.0/24")
            live.seen.commands[asked] = said._replace(text="\n\n".join(parts))


# --- nginx ----------------------------------------------------------------------------------------

SNIPPET = "/etc/nginx/snippets/portgen-locations.conf"
SITE = "/etc/nginx/conf.d/portgen.conf"


def test_a_route_without_its_deny_is_for_all_who_come_to_nginx() -> None:
    live = example("mail-dns")
    visitor = live.sources.named("203.0.113.7/32").visitors[0]
    assert live.let_in("rspamd", visitor, "route") == []
    live.file(SNIPPET, r"^ *deny all;\n", "")
    assert live.let_in("rspamd", visitor, "route") == visitor.addresses
    more, less = live.changes()
    assert {(one.service, one.way) for one in more} == {("rspamd", "route")}
    assert less == set()


def test_a_route_that_lost_its_password_asks_for_none() -> None:
    live = example("mail-dns")
    assert {door.password for door in live.doors("rspamd", "route")} == {True}
    live.file(SNIPPET, r"^ *auth_basic.*\n", "")
    assert {door.password for door in live.doors("rspamd", "route")} == {False}


def test_a_site_that_nginx_does_not_have_has_no_door() -> None:
    live = example("homelab")
    live.file(SITE, r"^    server_name git\.home\.arpa;", "    server_name misspelt.invalid;")
    more, less = live.changes()
    assert more == set()
    assert {(one.service, one.way) for one in less} == {("gitea", "route")}


def test_files_that_nginx_does_not_include_serve_nobody(es: Live) -> None:
    es.file("/etc/nginx/nginx.conf", r"^.*conf\.d.*\n", "")
    assert {one.way for one in es.changes()[1]} == {"route"}
    assert es.doors("smartnumbers", "route") == []


def test_nginx_has_to_listen_at_a_sites_port(es: Live) -> None:
    port = es.doors("smartnumbers", "route")[0].endpoint.port
    es.command("ss", rf"^.*0\.0\.0\.0:{port}\b.*\n", "")
    assert es.doors("smartnumbers", "route") == []
    assert es.doors("smartnumbers", "route", 6)


def test_a_route_to_another_place_is_no_door(es: Live) -> None:
    es.file(SITE, r"^    server 127\.0\.0\.1:5007;", "    server 127.0.0.1:5010;")
    assert es.doors("smartnumbers", "route") == []
    routes = {door.route: door.through for door in es.doors("fortigate-stats", "route")}
    assert routes == {
        "/dashboard/fortigate-stats/": "",
        "/dashboard/smartnumbers/": "smartnumbers",
    }


def test_where_an_address_is_enough_nobody_else_needs_the_password(es: Live) -> None:
    route = r"^(location \^~ /dashboard/smartnumbers/ \{)$"
    es.file(
        SNIPPET,
        route,
        r"\1\n satisfy any; allow 192.168.0.0/16; deny all;"
        r" auth_basic x; auth_basic_user_file /etc/x;",
    )
    found = {door.password: door for door in es.doors("smartnumbers", "route")}
    assert found[False].let_in(LAN) == LAN.addresses
    assert found[False].let_in(STRANGER) == []
    assert found[True].let_in(STRANGER) == STRANGER.addresses


def test_a_proxy_by_hand_may_name_any_visitor() -> None:
    live = example("mail-dns")
    office = live.sources.named("203.0.113.7/32").visitors[0]
    live.file(SITE, r"\A", "set_real_ip_from 203.0.113.7/32;\n")
    assert live.let_in("rspamd", office, "route") == office.addresses


TEAMS = "/etc/nginx/sites-enabled/default"


@pytest.mark.parametrize(
    "block",
    [
        "location /x/ { proxy_pass http://127.0.0.1:5432/y; }",
        "location /x/ { if ($arg_a) { proxy_pass http://localhost:5432; } }",
        "location /x/ { set $to 127.0.0.1:5432; proxy_pass http://$to; }",
        "location /x/ { uwsgi_pass 127.1:5432; }",
        "location /x/ { grpc_pass grpc://teams; }",
    ],
)
def test_a_location_by_hand_that_leads_to_a_service_is_a_door_of_it(es: Live, block: str) -> None:
    upstream = "upstream teams { server 127.0.0.1:5432 weight=2; }\nserver { listen 81; }\n"
    es.file(TEAMS, r"\A", upstream)
    es.file(TEAMS, r"^\tserver_name _;", f"server_name _; {block}")
    (door,) = es.doors("postgresql", "route")
    assert (door.route, door.endpoint.port, door.sure, door.password) == ("/x/", 80, False, False)
    assert door.let_in(STRANGER) == STRANGER.addresses
    assert es.doors("postgresql", "route", 6)
    assert {one.service for one in es.changes()[0]} == {"postgresql"}


@pytest.mark.parametrize(
    "place", ["10.0.0.9:5432", "teams.invalid:5432", "unix:/run/x.sock", "$other", "127.0.0.1:5433"]
)
def test_a_location_by_hand_to_another_place_is_no_door(es: Live, place: str) -> None:
    block = f"location /x/ {{ proxy_pass http://{place}; }}"
    es.file(TEAMS, r"^\tserver_name _;", f"server_name _; {block}")
    assert es.changes() == NOTHING


def test_a_stream_by_hand_is_a_door_to_a_container(es: Live) -> None:
    inside = _address(es, "smartnumbers")
    port = es.doors("smartnumbers", "container")[0].endpoint.port
    stream = f"stream {{ server {{ listen 80; proxy_pass {inside}:{port}; }} }}\n"
    es.file("/etc/nginx/nginx.conf", r"^http \{", f"{stream}http {{")
    routes = {door.route for door in es.doors("smartnumbers", "route")}
    assert routes == {"/dashboard/smartnumbers/", "80"}


def test_a_new_location_in_portgens_own_file_is_a_door(es: Live) -> None:
    es.file(SNIPPET, r"\Z", "location /x/ { proxy_pass http://portgen_smartnumbers; }\n")
    found = {door.route: door.sure for door in es.doors("smartnumbers", "route")}
    assert found == {"/dashboard/smartnumbers/": True, "/x/": False}


# --- what was not seen ----------------------------------------------------------------------------


def test_a_service_is_not_called_closed_where_docker_was_not_seen(es: Live) -> None:
    for asked, said in es.seen.commands.items():
        if asked[0] == "docker":
            es.seen.commands[asked] = said._replace(code=1, text="", complaint="no daemon")
    audited = es.audited()
    missing = audit.unseen(audited)
    assert {gap.source for gap in missing["smartnumbers"]} == {"docker"}
    inside = {service.name for service in es.host.services if service.in_container}
    assert set(missing) == inside
    assert set(audit.doors(audited)) == {one.name for one in es.host.services} - inside


@pytest.mark.parametrize("source", ["sockets", "ufw"])
def test_without_sockets_or_rules_nothing_is_known(es: Live, source: str) -> None:
    audited = es.audited(*(one for one in SOURCES if one != source))
    assert audit.doors(audited) == {}
    assert {gap.source for gaps in audit.unseen(audited).values() for gap in gaps} == {source}


def test_without_nginx_only_services_with_routes_are_not_known(es: Live) -> None:
    audited = es.audited("sockets", "ufw", "docker", "systemd")
    routed = {service.name for service in es.host.services if service.routes}
    assert set(audit.unseen(audited)) == routed


def test_a_kernel_without_ipv6_has_no_door_by_it(annex: Live) -> None:
    for ask in annex.seen.folders:
        if ask.folder.startswith("/proc/sys/net/ipv6"):
            annex.seen.folders[ask] = ()
    assert annex.doors("collector", family=6) == []
    assert annex.let_in("collector", Visitor("host", 4, everyone(4)))
