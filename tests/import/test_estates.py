"""Imagined hosts of the kinds that people have: their files, and what is so there, written down by hand
before anything was imported.

`estates/<name>/` has the sources, `arguments` (what `portgen import` is given), `facts.yaml` (what is so, by
hand) and `inventory.yaml` (what comes out, for whoever reviews a change of it).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from portgen import adopt, chain, whole
from portgen.adopt import Adopted, Sources, Text
from portgen.cli import portgen
from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.plan.facts import single
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, PlannedPort, is_loopback
from portgen.plan.types import Host, Plan, Service

ESTATES = Path(__file__).parent / "estates"
NAMES = sorted(path.parent.name for path in ESTATES.glob("*/arguments"))

for_each = pytest.mark.parametrize("name", NAMES)


def arguments(name: str) -> list[str]:
    return shlex.split((ESTATES / name / "arguments").read_text())


def sources(name: str) -> Sources:
    """The sources as the command reads them."""
    words = arguments(name)
    folder = ESTATES / name
    texts: list[Text] = []
    for option, path in zip(words[::2], words[1::2], strict=True):
        place = folder / path
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for file in files:
            if file.is_file():
                shown = str(file.relative_to(folder))
                below = str(file.relative_to(place)) if place.is_dir() else file.name
                text = file.read_text()
                one = Text(option.removeprefix("--"), shown, text, below, file.parent.name, shown)
                texts.append(one)

    def read(path: str) -> str | None:
        return whole.text(str(folder / path))

    return Sources(texts, read)


def adopted(name: str) -> Adopted:
    return adopt.adopt(sources(name), "server")


def facts(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ESTATES / name / "facts.yaml").read_text())
    return read


def planned(name: str) -> Plan:
    return planner.make(adopted(name).source.inventory)


# --- what is so -----------------------------------------------------------------------------------


def everybody_by(bind: str, sources: list[str]) -> list[str]:
    """Sources as they can come to an address: by IPv4 to one of IPv4."""
    if bind in ("any", "::") or ":" in bind:
        return sorted(sources)
    return sorted("0.0.0.0/0" if source == "any" else source for source in sources)


def found_ports(host: Host) -> dict[str, dict[str, Any]]:
    """The ports of a plan, as `facts.yaml` has them."""
    ports: dict[str, dict[str, Any]] = {}
    for service in host.services:
        for port in service.ports:
            ports.setdefault(str(port.endpoint._replace(address="")), of_port(service, port))
    for opening in host.openings:
        if opening.service == "nginx":
            found = ports.setdefault(str(opening.endpoint), {"via": "nginx", "from": []})
            found["from"].append(opening.source)
    return ports


def of_port(service: Service, port: PlannedPort) -> dict[str, Any]:
    found: dict[str, Any] = {"via": service.via}
    if service.via in ("docker", "host") or (service.via == "socat" and service.to is None):
        found["container"] = f"{service.project}/{service.compose_service}"
    if service.to is not None:
        found["to"] = str(service.to)
    else:
        found["inside"] = port.container_port
    found["bind"] = port.bind
    found["from"] = sorted(map(single, port.sources))
    return found


@for_each
def test_the_ports_are_held_as_they_were(name: str) -> None:
    host = planned(name).hosts[0]
    found = found_ports(host)
    wanted = facts(name)["ports"]
    # Without `ss`, a rule is taken for a program that listens there.
    assumed = facts(name).get("assumed") or []
    assert sorted(found) == sorted([*wanted, *assumed])
    for port, fact in wanted.items():
        one = found[port]
        assert one["via"] == fact["via"], port
        if "container" in fact and "/" not in fact["container"]:
            assert one["container"] == f"containers/{fact['container']}", port
        elif "container" in fact:
            assert one["container"].replace("_", "-") == fact["container"].replace("_", "-"), port
        if "to" in one:
            assert one["to"] == fact["to"], port
        elif "inside" in fact:
            assert one["inside"] == fact["inside"], port
        if fact["from"] == "unknown":
            continue
        bind = str(fact.get("bind", "any"))
        assert everybody_by(bind, one["from"]) == everybody_by(bind, fact["from"]), port
        is_one = bind not in ("any", EVERYWHERE, EVERYWHERE6) and bool(fact["from"])
        if is_one or (is_loopback(bind) and fact["via"] != "host"):
            assert one["bind"] == bind, port


@for_each
def test_the_routes_lead_where_they_led(name: str) -> None:
    host = planned(name).hosts[0]
    wanted = {
        f"{place.rstrip('/')}/": fact for place, fact in (facts(name).get("routes") or {}).items()
    }
    names = host.server.sites[0].names if host.server and host.server.sites else ()
    found = {}
    for route in host.routes:
        at = route.host or (names[0] if names else "")
        found[f"{at}{route.path}"] = route
    assert sorted(found) == sorted(wanted)
    for place, fact in wanted.items():
        route = found[place]
        assert route.port.port == fact["to"] or route.backend == fact["to"], place
        if "strip" in fact and route.path != "/":
            assert route.strip == fact["strip"], place
        assert sorted(map(single, route.clients)) == sorted(fact["from"]), place


@for_each
def test_the_networks_and_the_reserved_ports_are_those_of_the_host(name: str) -> None:
    plan = planned(name)
    found = {}
    for project in plan.projects:
        network = project.network
        if network is not None and network.pool is not None:
            found[network.name] = str(network.pool.subnet)
    wanted = facts(name)
    assert {key: found.get(key) for key in wanted["networks"] or {}} == (wanted["networks"] or {})
    reserved = plan.hosts[0].reserved
    known: set[str] = set()
    for transport in ("tcp", "udp"):
        for part in reserved.of(transport) if reserved is not None else ():
            known.update(f"{port}/{transport}" for port in part)
    assert set(wanted["reserved"] or ()) <= known


# --- the three lists ------------------------------------------------------------------------------


@for_each
def test_what_differs_and_what_is_left_is_said(name: str) -> None:
    lists = adopted(name).lists
    different = {one.said.place for one in lists.different}
    left = {one.said.place for one in lists.left}
    wanted = facts(name)
    assert set(wanted["different"] or ()) - different - left == set()
    # What holds a port for something that an inventory has no word for counts as a difference.
    assert set(wanted["left"] or ()) - left - different == set()


@for_each
def test_each_thing_is_in_one_list_only(name: str) -> None:
    lists = adopted(name).lists
    every = [one.said for part in (lists.taken, lists.different, lists.left) for one in part]
    assert len(every) == len(set(every))
    assert all(one.why for one in (*lists.different, *lists.left))


@for_each
def test_what_is_wrong_in_the_sources_is_reported(name: str) -> None:
    conflicts = adopted(name).conflicts
    found = [(one.kind, {said.place for said in one.at}) for one in conflicts]
    for fact in facts(name)["conflicts"] or ():
        places = set(fact["at"])
        assert any(kind == fact["kind"] and places <= at for kind, at in found), fact
    wanted = facts(name)["conflicts"] or ()
    assert len(found) <= len(wanted), list(conflicts)


# Directives and keys that say something of ports, addresses, names, sources or containers, counted by
# other means than portgen's readers.
NGINX = re.compile(
    r"(?:listen|server_name|location|proxy_pass|grpc_pass|fastcgi_pass|uwsgi_pass|allow|deny|return|rewrite"
    r"|alias|root|try_files|auth_basic|auth_basic_user_file|proxy_set_header|set_real_ip_from|real_ip_header"
    r"|ssl_certificate|ssl_certificate_key|upstream|resolver|auth_request|proxy_redirect|proxy_bind)\b"
)
SERVICE_KEYS = {
    "container_name",
    "dns",
    "expose",
    "external_links",
    "extra_hosts",
    "hostname",
    "links",
    "mac_address",
    "network_mode",
    "profiles",
    "scale",
}


# What a line has to look like to say something, by the kind of its source.
RULE = re.compile(
    r"### tuple ###|\s*(?:sudo )?ufw (?:allow|deny|limit|reject|route|insert|prepend|rule)\b"
)
ROW = re.compile(r".*\b(?:ALLOW|DENY|LIMIT|REJECT)\b")
UNIT = re.compile(
    r"(?:IPAddress(?:Allow|Deny)|Listen(?:Stream|Datagram))="
    r"|(?:ExecStart=|[^#]*[\s/]|)socat(?:\s+-\S+(?:\s+[0-9.]+)?)*\s+(?:TCP|UDP)"
)
SOCKET = re.compile(r".*\b(?:LISTEN|UNCONN)\b")
LISTED = re.compile(r".*->")
INSPECTED = re.compile(r'\s*"HostPort": "[1-9]')


def relevant(kind: str, text: str) -> Iterator[int]:
    """The lines that say something, perhaps several times over."""
    if kind == "nginx":
        yield from _of_nginx(text)
    elif kind == "compose":
        yield from _of_compose(text)
    else:
        pattern = {"units": UNIT, "ss": SOCKET, "docker": LISTED, "ufw": RULE}[kind]
        if text.lstrip().startswith("["):
            pattern = INSPECTED
        elif text.startswith("Status: "):
            pattern = ROW
        for number, line in enumerate(text.split("\n"), 1):
            if pattern.match(line):
                yield number


def _of_nginx(text: str) -> Iterator[int]:
    """Statements that begin with one of the words; what stands in quotes or comments is none."""
    for number, line in enumerate(text.split("\n"), 1):
        bare = re.sub(r"#.*", "", line)
        for statement in re.split(r"[;{}]", bare):
            if NGINX.match(statement.strip()):
                yield number


def _of_compose(text: str) -> Iterator[int]:
    root: Any = yaml.compose(text, yaml.SafeLoader)
    for key, value in root.value:
        if key.value == "networks":
            yield from (_line(network) for network, _ in value.value)
        elif key.value == "services":
            for _, service in value.value:
                yield from _of_service(service)


def _of_service(service: Any) -> Iterator[int]:
    for field, value in service.value:
        if field.value in SERVICE_KEYS:
            yield _line(field)
        elif field.value in ("ports", "networks"):
            for item in value.value:
                yield _line(item[0] if isinstance(item, tuple) else item)


def _line(node: Any) -> int:
    line: int = node.start_mark.line
    return line + 1


@for_each
def test_nothing_is_dropped_in_silence(name: str) -> None:
    """Each line that says something is in one of the lists, or its file is named as not read."""
    result = adopted(name)
    lists = result.lists
    known = {
        (one.said.file, one.said.line)
        for part in (lists.taken, lists.different, lists.left)
        for one in part
    }
    # A key may stand above its value, as a network above its address.
    near = known | {(file, line - 1) for file, line in known}
    silent = []
    for text in sources(name).texts:
        if text.name in lists.unread:
            continue
        for line in relevant(text.kind, text.text):
            if (text.name, line) not in near:
                silent.append(f"{text.name}:{line}: {text.text.split(chr(10))[line - 1].strip()}")
    assert silent == []


# --- the inventory --------------------------------------------------------------------------------


@for_each
def test_the_inventory_is_what_a_person_would_have_written(name: str) -> None:
    """Whoever changes it sees it in review: `UPDATE_ESTATES=1` writes it anew."""
    kept = ESTATES / name / "inventory.yaml"
    text = adopted(name).source.text
    if os.environ.get("UPDATE_ESTATES"):
        kept.write_text(text)
    assert text == kept.read_text()


@for_each
def test_it_has_no_error_and_renders(name: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        portgen,
        [
            "-C",
            str(ESTATES / name),
            "import",
            *arguments(name),
            "--save",
            str(tmp_path / "i.yaml"),
            "-y",
        ],
    )
    assert result.exit_code == 0, result.output
    (tmp_path / "i.yaml").rename(tmp_path / "inventory.yaml")
    rendered = CliRunner().invoke(portgen, ["-C", str(tmp_path), "render", "--yes"])
    assert rendered.exit_code == 0, rendered.output


@for_each
def test_a_second_import_adds_nothing(name: str) -> None:
    """What was taken over is known: the next difference is empty."""
    first = adopted(name)
    checked = chain.check_source(parse(first.source.text.encode(), "inventory.yaml"))
    base = adopt.onto(checked.source, checked.plan, None)
    second, edited = adopt.adopt_into(sources(name), base)
    assert edited.text == first.source.text
    assert [one.said for one in second.lists.left] == [one.said for one in first.lists.left]


@for_each
def test_the_command_reads_the_same(name: str) -> None:
    """The sources are read here as the command reads them."""
    words = ["-C", str(ESTATES / name), "import", "-q", *arguments(name)]
    done = CliRunner().invoke(portgen, words)
    assert done.exit_code == 0, done.output
    assert done.output == adopted(name).source.text


def test_there_are_a_dozen() -> None:
    assert len(NAMES) >= 12
