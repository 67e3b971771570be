"""Faults: what people and programs do to a host, so that others reach it than the inventory says.

In: a built `Copy`, and a source of chance. Out: it is done to the copy, and what it changes of docker's
answers. A kind of fault that the host has nothing for says so.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from portgen.plan.ports import EVERYWHERE, LOOPBACK, Endpoint
from tests.prove.contents import Box, Contents
from tests.prove.docker_chains import Published, chains
from tests.prove.host import DOCKER0, Copy, namespace
from tests.prove.sources import Sources, host_addresses

NGINX = "/etc/nginx/conf.d/portgen.conf"
LOCATIONS = "/etc/nginx/snippets/portgen-locations.conf"
UNITS = "/etc/systemd/system"
Inspected = dict[str, Any]


class DoesNotFit(Exception):  # noqa: N818 - it reads as a result
    """The host has nothing that such a fault could be done to."""


class Done(NamedTuple):
    """What was done. `inspected`: what it changes of docker's answers."""

    words: str
    inspected: Callable[[list[Inspected]], None] = lambda _: None


Fault = Callable[[Copy, Random], Done]


def _port(copy: Copy, chance: Random) -> Endpoint:
    """One of the host's ports at which something listens."""
    found = []
    for service in copy.host.services:
        found += [port.endpoint for port in service.ports]
    return _one(found, chance)


def _one(found: list[Any], chance: Random) -> Any:
    if not found:
        raise DoesNotFit
    return chance.choice(found)


def _shell(copy: Copy, script: str) -> Done:
    copy.shell(script)
    return Done(script)


# --- ufw's rules ----------------------------------------------------------------------------------


def allows_everybody(copy: Copy, chance: Random) -> Done:
    """`ufw allow 5007`, in a hurry."""
    port = _port(copy, chance)
    return _shell(copy, f"ufw allow {port.port}/{port.transport}")


def allows_a_wider_network(copy: Copy, chance: Random) -> Done:
    port = _port(copy, chance)
    network = _one(sampled(copy.host.zones.values()), chance)
    return _shell(copy, f"ufw allow proto {port.transport} from {network} to any port {port.port}")


def sampled(zones: Any) -> list[str]:
    """The networks around those of zones: each twice as large."""
    found: dict[str, None] = {}
    for members in zones:
        for member in members:
            if not member.startswith("%"):
                network = ipaddress.ip_network(member)
                if network.prefixlen > 2:
                    found[str(network.supernet())] = None
    return list(found)


def denies_before(copy: Copy, chance: Random) -> Done:
    port = _port(copy, chance)
    sources = [source for members in copy.host.zones.values() for source in members]
    sources = [source for source in sources if not source.startswith("%")]
    source = _one([*sources, "any"], chance)
    rule = f"deny proto {port.transport} from {source} to any port {port.port}"
    # ufw numbers rules of IPv6 behind those of IPv4.
    return _shell(copy, f"ufw prepend {rule}")


def deletes_a_rule(copy: Copy, chance: Random) -> Done:
    rules = re.findall(r"^(ufw allow .*portgen:.*)$", copy.shell("ufw show added"), re.MULTILINE)
    rule = _one(rules, chance).removeprefix("ufw ")
    return _shell(copy, f"ufw delete {rule}")


def limits(copy: Copy, chance: Random) -> Done:
    """ufw's `limit`: who comes six times in half a minute is kept out for a while. Nobody is asked from so
    often, where the host has few addresses."""
    if len(host_addresses(copy.contents, copy.sources)) > 4:
        raise DoesNotFit
    port = _port(copy, chance)
    return _shell(copy, f"ufw limit {port.port}/{port.transport}")


def allows_by_default(copy: Copy, chance: Random) -> Done:
    return _shell(copy, "ufw default allow incoming")


def is_disabled(copy: Copy, chance: Random) -> Done:
    return _shell(copy, "ufw disable")


def leaves_ipv6_alone(copy: Copy, chance: Random) -> Done:
    return _shell(copy, "sed -i 's/^IPV6=.*/IPV6=no/' /etc/default/ufw; ufw reload")


def forwards_by_default(copy: Copy, chance: Random) -> Done:
    return _shell(copy, "ufw default allow routed")


# --- the kernel's chains --------------------------------------------------------------------------


def _needs_guard(copy: Copy) -> None:
    if "ufw/portgen-after.rules" not in copy.files:
        raise DoesNotFit


def guard_is_flushed(copy: Copy, chance: Random) -> Done:
    _needs_guard(copy)
    return _shell(copy, "iptables -F PORTGEN-GUARD; iptables -t mangle -F PORTGEN-GUARD")


def guard_by_ipv6_is_flushed(copy: Copy, chance: Random) -> Done:
    if "ufw/portgen-after6.rules" not in copy.files:
        raise DoesNotFit
    return _shell(copy, "ip6tables -F PORTGEN-GUARD; ip6tables -t mangle -F PORTGEN-GUARD")


def guard_is_flushed_in_one_table(copy: Copy, chance: Random) -> Done:
    _needs_guard(copy)
    return _shell(copy, f"iptables -t {_one(['filter', 'mangle'], chance)} -F PORTGEN-GUARD")


def guard_loses_its_jumps(copy: Copy, chance: Random) -> Done:
    _needs_guard(copy)
    return _shell(
        copy,
        "iptables -D DOCKER-USER -j PORTGEN-GUARD; iptables -t mangle -D FORWARD -j PORTGEN-GUARD",
    )


def docker_user_returns_before(copy: Copy, chance: Random) -> Done:
    """Whoever writes into DOCKER-USER, too; the guard is in the table mangle as well."""
    _needs_guard(copy)
    target = _one(["RETURN", "ACCEPT"], chance)
    only = "; iptables -t mangle -D FORWARD -j PORTGEN-GUARD" * chance.randrange(2)
    return _shell(copy, f"iptables -I DOCKER-USER -j {target}{only}")


def docker_user_comes_last(copy: Copy, chance: Random) -> Done:
    """Rules of FORWARD in another order: docker's own accept before DOCKER-USER is asked."""
    _needs_guard(copy)
    only = "; iptables -t mangle -D FORWARD -j PORTGEN-GUARD" * chance.randrange(2)
    return _shell(
        copy, f"iptables -D FORWARD -j DOCKER-USER; iptables -A FORWARD -j DOCKER-USER{only}"
    )


def docker_writes_its_chains_again(copy: Copy, chance: Random) -> Done:
    """As after `systemctl restart docker`: nothing opens."""
    if not copy.contents.nets:
        raise DoesNotFit
    return _shell(
        copy,
        """
        iptables-save | grep -E -- '-A FORWARD .*(DOCKER|br-|docker0)' | sed 's/^-A/-D/' >/run/gone
        while read -r rule; do eval "iptables $rule"; done </run/gone
        sed 's/^-D FORWARD/-I FORWARD/' /run/gone | tac >/run/back
        while read -r rule; do eval "iptables $rule"; done </run/back
        """,
    )


def accepts_by_hand(copy: Copy, chance: Random) -> Done:
    """A rule of somebody's own before ufw's chains."""
    port = _port(copy, chance)
    program = _one(["iptables", "ip6tables"], chance)
    return _shell(copy, f"{program} -I INPUT -p {port.transport} --dport {port.port} -j ACCEPT")


def drops_by_hand(copy: Copy, chance: Random) -> Done:
    port = _port(copy, chance)
    return _shell(copy, f"iptables -I INPUT -p {port.transport} --dport {port.port} -j DROP")


def policy_is_accept(copy: Copy, chance: Random) -> Done:
    """Of the kernel's own chain alone: ufw's rules are there."""
    chain = _one(["INPUT", "FORWARD"], chance)
    return _shell(copy, f"iptables -P {chain} ACCEPT; ip6tables -P {chain} ACCEPT")


# --- containers -----------------------------------------------------------------------------------


def container_moves(copy: Copy, chance: Random) -> Done:
    """A container at another address than the fixed one."""
    box = _one([box for box in copy.contents.boxes if not box.address6], chance)
    net = copy.contents.net(box.network)
    address = str(net.pool[-9])
    place, bits = namespace(box.name), net.subnet.prefixlen
    copy.shell(f"""
        ip -n {place} addr del {box.address}/{bits} dev eth0
        ip -n {place} addr add {address}/{bits} dev eth0
        ip -n {place} route replace default via {net.gateway}
    """)
    copy.contents, copy.sources = _at(copy.contents, copy.sources, box, address)
    _rewrite(copy, [_led(one, box.address, address) for one in copy.contents.published])

    def inspected(entries: list[Inspected]) -> None:
        for entry in _entries(entries, box):
            entry["networks"][0]["address"] = address

    return Done(f"{box.name} has {address} in place of {box.address}", inspected)


def _at(made: Contents, seen: Sources, box: Box, address: str) -> tuple[Contents, Sources]:
    """Both addresses of a container are asked; from the old one nobody asks any more."""
    visitors = []
    for one in seen.visitors:
        if one.place == box.name and one.address == box.address:
            one = one._replace(address=address)  # noqa: PLW2901 - the same visitor
        visitors.append(one)
    boxes = (*made.boxes, box._replace(address=address))
    return made._replace(boxes=boxes), seen._replace(visitors=tuple(visitors))


def _led(one: Published, old: str, new: str) -> Published:
    return one._replace(to=new) if one.to == old else one


def _entries(entries: list[Inspected], box: Box) -> list[Inspected]:
    found = []
    for entry in entries:
        if (entry["labels"]["ours"], entry["labels"]["service"]) == (box.project, box.service):
            found.append(entry)
    return found


def _rewrite(copy: Copy, published: list[Published]) -> None:
    """docker's rules for other published ports. Its proxies of before go, new ones come."""
    bridges = [DOCKER0, *(net.bridge for net in copy.contents.nets)]
    for family, program in ((4, "iptables"), (6, "ip6tables")):
        written = chains(family, bridges, published, ip6tables=copy.ip6tables)
        if written is None:
            continue
        ports = [f"*{table}\n:DOCKER - [0:0]" for table in ("filter", "nat")]
        for number, table in enumerate(("filter", "nat")):
            rules = written.tables[table]["DOCKER"]
            ports[number] += "".join(f"\n-A DOCKER {rule}" for rule in rules) + "\nCOMMIT"
        text = "\n".join(ports)
        copy.shell(f"{program}-restore --noflush <<'RULES'\n{text}\nRULES")
    copy.publish(published)


def container_publishes_wider(copy: Copy, chance: Random) -> Done:
    """A port that is published on 127.0.0.1 alone is there on every address."""
    narrow = [one for one in copy.contents.published if one.at == LOOPBACK]
    found: Published = _one(narrow, chance)
    wider = found._replace(at=EVERYWHERE)
    _rewrite(copy, [wider if one == found else one for one in copy.contents.published])
    box = next(box for box in copy.contents.boxes if box.address == found.to)

    def inspected(entries: list[Inspected]) -> None:
        for entry in _entries(entries, box):
            for place in ("ports", "asked"):
                for binding in entry[place].get(f"{found.inside}/{found.transport}", ()):
                    if binding == {"HostIp": found.at, "HostPort": str(found.port)}:
                        binding["HostIp"] = EVERYWHERE

    return Done(f"{box.name} publishes {found.port}/{found.transport} everywhere", inspected)


# --- forwarders -----------------------------------------------------------------------------------


def _unit(copy: Copy, chance: Random, words: str) -> tuple[str, str]:
    """A forwarder's unit with these words in its command."""
    found = []
    for path, text in copy.files.items():
        if path.startswith("systemd/") and re.search(words, text):
            found.append(path.removeprefix("systemd/"))
    unit = _one(found, chance)
    return unit, copy.files[f"systemd/{unit}"]


def _run_as(copy: Copy, unit: str, text: str) -> None:
    """The unit's file is another one, and so is what runs."""
    copy.files[f"systemd/{unit}"] = text
    copy.write(f"{UNITS}/{unit}", text)
    copy.forward({f"systemd/{unit}": text})


def forwarder_listens_everywhere(copy: Copy, chance: Random) -> Done:
    unit, text = _unit(copy, chance, f",bind={re.escape(LOOPBACK)},")
    _run_as(copy, unit, text.replace(f",bind={LOOPBACK},", f",bind={EVERYWHERE},"))
    return Done(f"{unit} listens everywhere")


def forwarder_listens_on_loopback(copy: Copy, chance: Random) -> Done:
    unit, text = _unit(copy, chance, f",bind={re.escape(EVERYWHERE)},")
    _run_as(copy, unit, text.replace(f",bind={EVERYWHERE},", f",bind={LOOPBACK},"))
    return Done(f"{unit} listens on loopback only")


def forwarder_leads_elsewhere(copy: Copy, chance: Random) -> Done:
    """To another container's place."""
    unit, text = _unit(copy, chance, r" TCP4:[0-9.]+:\d+,")
    now = re.search(r" TCP4:([0-9.]+:\d+),", text)
    assert now is not None
    others = []
    for one in copy.contents.answers:
        for box in copy.contents.boxes:
            if one.where == box.name and one.transport == "tcp":
                others.append(f"{box.address}:{one.port}")
    other = _one([place for place in others if place != now[1]], chance)
    _run_as(copy, unit, text.replace(now[0], f" TCP4:{other},"))
    return Done(f"{unit} leads to {other}")


def forwarder_stops(copy: Copy, chance: Random) -> Done:
    unit, _ = _unit(copy, chance, "ExecStart=")
    words = copy.running[unit]
    endpoint = re.search(r"LISTEN:(\d+)", " ".join(words))
    assert endpoint is not None
    copy.stop(unit)
    return Done(f"{unit} does not run")


# --- nginx ----------------------------------------------------------------------------------------


def _edit(copy: Copy, path: str, pattern: str, new: str, chance: Random) -> Done:
    """One of the places in a file of nginx's, changed; then nginx is reloaded."""
    text = copy.shell(f"cat {path} 2>/dev/null || true")
    match = _one(list(re.finditer(pattern, text, re.MULTILINE)), chance)
    copy.write(path, text[: match.start()] + match.expand(new) + text[match.end() :])
    copy.reload_nginx()
    return Done(f"{path}: {match[0].strip()!r} became {match.expand(new).strip()!r}")


def nginx_loses_its_allow(copy: Copy, chance: Random) -> Done:
    """A location without `deny all`: all may come."""
    path = _one([LOCATIONS, NGINX], chance)
    return _edit(copy, path, r"^ *deny all;\n", "", chance)


def nginx_allows_more(copy: Copy, chance: Random) -> Done:
    path = _one([LOCATIONS, NGINX], chance)
    return _edit(copy, path, r"^( *)deny all;\n", r"\1allow 198.18.0.0/15;\n\1deny all;\n", chance)


def nginx_loses_its_password(copy: Copy, chance: Random) -> Done:
    return _edit(
        copy, LOCATIONS, r"^ *auth_basic(_user_file)? [^\n]*\n( *auth_basic[^\n]*\n)?", "", chance
    )


def nginx_listens_elsewhere(copy: Copy, chance: Random) -> Done:
    return _edit(copy, NGINX, r"^( *)listen (\d+)( ssl[^;]*)?;", r"\1listen 65530\3;", chance)


def nginx_has_another_name(copy: Copy, chance: Random) -> Done:
    """A server whose name is misspelt: its routes are found by nobody who asks for the right one."""
    return _edit(
        copy, NGINX, r"^( *)server_name [^;~_]+;", r"\1server_name misspelt.invalid;", chance
    )


def nginx_leads_elsewhere(copy: Copy, chance: Random) -> Done:
    """An upstream with another server: the route of one service shows another."""
    servers = re.findall(r"^    server ([^;]+);", copy.shell(f"cat {NGINX} || true"), re.MULTILINE)
    other = _one(servers, chance)
    return _edit(copy, NGINX, r"^    server [^;]+;", f"    server {other};", chance)


def nginx_stops(copy: Copy, chance: Random) -> Done:
    if copy.host.server is None:
        raise DoesNotFit
    return _shell(copy, "nginx -s quit; while ss -Htlnp | grep -q nginx; do sleep 0.02; done")


KINDS: dict[str, Fault] = {
    kind.__name__: kind
    for kind in (
        *(allows_everybody, allows_a_wider_network, denies_before, deletes_a_rule, limits),
        *(allows_by_default, is_disabled, leaves_ipv6_alone, forwards_by_default),
        *(guard_is_flushed, guard_by_ipv6_is_flushed),
        *(guard_is_flushed_in_one_table, guard_loses_its_jumps),
        *(docker_user_returns_before, docker_user_comes_last, docker_writes_its_chains_again),
        *(accepts_by_hand, drops_by_hand, policy_is_accept),
        *(container_moves, container_publishes_wider),
        *(forwarder_listens_everywhere, forwarder_listens_on_loopback),
        *(forwarder_leads_elsewhere, forwarder_stops),
        *(nginx_loses_its_allow, nginx_allows_more, nginx_loses_its_password),
        *(nginx_listens_elsewhere, nginx_has_another_name, nginx_leads_elsewhere, nginx_stops),
    )
}
