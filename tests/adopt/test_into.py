"""What an import adds to an existing inventory, and what of it gives way."""

from __future__ import annotations

import pytest

from portgen import adopt, chain
from portgen.adopt import Adopted, Sources, Text
from portgen.edits.edit import ByHand
from portgen.inventory.source import parse
from portgen.plan import planner

SSHD = 'tcp LISTEN 0 128 *:22 *:* users:(("sshd",pid=1,fd=3))\n'
NODE = 'tcp LISTEN 0 128 *:3055 *:* users:(("node",pid=2,fd=3))\n'
BASE = """\
version: 1
hosts: %s
projects:
  web:
    title: Web
    ports: 3000-3099 # the team's
    network: {name: web, subnet: 172.28.0.0/24}
    services:
      site: {title: Site, port: 3000}
"""
HOSTS = {
    "{server: {}}": "{server: {reserved: [22]}}",
    "{server: {zones: {lan: [10.0.0.0/8]}}}": "{server: {zones: {lan: [10.0.0.0/8]}, reserved: [22]}}",
    "{server: {reserved: 25}}": "{server: {reserved: [25, 22]}}",
    "\n  server:\n    ipv6: false": "\n  server:\n    ipv6: false\n    reserved: [22]",
}


def into(base: str, *texts: Text) -> str:
    source = parse(base.encode(), "inventory.yaml")
    onto = adopt.onto(source, planner.make(source.inventory), None)
    by_name = {one.name: one.text for one in texts}
    _, edited = adopt.adopt_into(Sources(texts, by_name.get), onto)
    return edited.text


def errors(text: str) -> list[str]:
    problems = chain.check_source(parse(text.encode(), "inventory.yaml")).problems
    return [one.message for one in problems if chain.failed([one])]


def compose(text: str) -> Text:
    return Text("compose", "docker-compose.yml", text, "docker-compose.yml", "web")


@pytest.mark.parametrize("host", HOSTS)
def test_ports_of_the_systems_daemons_are_reserved(host: str) -> None:
    ss = Text("ss", "ss.txt", SSHD)
    written = into(BASE % host, ss)
    assert written == BASE % HOSTS[host]
    assert into(written, ss) == written


def test_a_project_gives_up_the_ports_that_somebody_else_has() -> None:
    written = into(BASE % "{server: {}}", Text("ss", "ss.txt", NODE))
    assert "    ports: [3000-3054, 3056-3099] # the team's\n" in written
    assert written.endswith(
        """\
  programs:
    title: Programs
    ports: 3055
    services:
      node-3055:
        title: Node 3055
        port: 3055
        protocol: tcp
"""
    )


def test_its_groups_give_them_up_too() -> None:
    groups = """\
    groups:
      - {name: apis, ports: 3050-3059, purpose: theirs}
      - {name: rest, ports: [3040, 3055/udp]} # the rest
"""
    base = (BASE % "{server: {}}").replace("    network:", f"{groups}    network:")
    ss = Text("ss", "ss.txt", NODE)
    written = into(base, ss)
    assert "{name: apis, ports: [3050-3054, 3056-3059], purpose: theirs}" in written
    assert "{name: rest, ports: [3040]} # the rest" in written
    assert into(written, ss) == written
    with pytest.raises(ByHand, match="all ports of web's group apis are somebody else's"):
        into(base.replace("3050-3059", "3055"), ss)


def test_how_a_container_is_reached_follows_from_the_existing_project() -> None:
    """In a project with a network a container without `via` is behind a forwarder."""
    written = into(BASE % "{server: {}}", compose('services:\n  git:\n    ports: ["3022:22"]\n'))
    assert "      git:\n        title: Git\n        port: 3022\n" in written
    assert "        via: docker\n" in written
    assert "        allow: [any]\n" in written


def test_a_further_port_of_a_known_container_says_whose_it_may_be() -> None:
    more = compose('services:\n  site:\n    ports: ["3000:80", "3001:81"]\n')
    base = BASE.replace("port: 3000", "port: 3000, container_port: 80, via: docker")
    written = into(base % "{server: {}}", more)
    assert "      # in one container with site: it may be one of its `ports`\n" in written


def test_no_zone_is_added_that_only_known_services_would_need() -> None:
    base = BASE.replace("port: 3000", "port: 3000, via: process, allow: [lan]")
    base %= "{server: {zones: {lan: [10.0.0.0/8, 192.168.0.0/16]}}}"
    rules = "### tuple ### allow tcp 3000 0.0.0.0/0 any 10.0.0.0/8 in"
    ss = NODE.replace("3055", "3000")
    texts = [Text("ss", "ss.txt", ss), Text("ufw", "user.rules", rules, "user.rules")]
    assert into(base, *texts) == base


def test_a_rule_of_another_hosts_port_is_not_taken_over() -> None:
    """Both hosts have a service of one name and port: only the one that was looked at counts."""
    base = """\
version: 1
hosts: {one: {}, other: {zones: {lan: [10.0.0.0/8]}}}
projects:
  here:
    title: Here
    host: one
    ports: 3000-3099
    services:
      app: {title: App, port: 3000}
  there:
    title: There
    host: other
    ports: 3000-3099
    services:
      app: {title: App, port: 3000, allow: [lan]}
"""
    source = parse(base.encode(), "inventory.yaml")
    onto = adopt.onto(source, planner.make(source.inventory), "one")
    rules = "### tuple ### allow tcp 3000 0.0.0.0/0 any 10.0.0.0/8 in"
    texts = [
        Text("ss", "ss.txt", NODE.replace("3055", "3000")),
        Text("ufw", "user.rules", rules, "user.rules"),
    ]
    result, edited = adopt.adopt_into(Sources(texts, {}.get), onto)
    assert edited.text == base
    assert [(one.said.file, one.why) for one in result.lists.different] == [
        ("user.rules", "the inventory does not open 3000/tcp of app to these sources")
    ]


def test_a_port_that_another_container_has_is_a_conflict() -> None:
    base = (
        BASE.replace("port: 3000", "port: 3000, container_port: 80, via: docker") % "{server: {}}"
    )
    source = parse(base.encode(), "inventory.yaml")
    onto = adopt.onto(source, planner.make(source.inventory), None)
    text = compose('services:\n  other:\n    ports: ["127.0.0.1:3000:9000"]\n')
    result, edited = adopt.adopt_into(Sources([text], {text.name: text.text}.get), onto)
    assert edited.text == base
    assert [one.kind for one in result.conflicts] == ["two-holders"]
    assert [one.why for one in result.lists.left] == ["port 3000/tcp is site's in the inventory"]
    assert result.steps == ()


def test_a_new_service_takes_no_address_of_the_inventorys() -> None:
    """By its port it would have that of the one with the same number and the other protocol."""
    base = (BASE % "{server: {}}").replace(
        "title: Site, port: 3000", "title: Site, port: 3000, protocol: udp"
    )
    text = compose('services:\n  git:\n    ports: ["3000:80"]\n')
    written = into(base, text)
    assert "        address: 172.28.0.2\n" in written
    assert into(written, text) == written


OF_ONE_PROTOCOL = """\
version: 1
hosts: {server: {}}
projects:
  media:
    title: Media
    ports: %s
    services:
      player: {title: Player, port: 8003, protocol: udp, via: process}
"""
ONE_PROTOCOL = {
    "8003": '["8003/udp"]',
    "8003/udp": "8003/udp",
    "8000-8099": '[8000-8002, "8003/udp", 8005-8099]',
    "[8000-8003, 8050]": '[8000-8002, "8003/udp", 8050]',
}


@pytest.mark.parametrize("ports", ONE_PROTOCOL)
def test_a_project_keeps_the_protocol_that_its_own_service_has(ports: str) -> None:
    base = OF_ONE_PROTOCOL % ports
    text = compose('services:\n  app:\n    ports: ["8003:80", "8004:81"]\n')
    written = into(base, text)
    assert f"    ports: {ONE_PROTOCOL[ports]}\n" in written
    assert '    ports: ["8003/tcp", 8004, 8100-8199]\n' in written
    assert errors(written) == []
    assert into(written, text) == written


def test_a_project_gets_the_protocol_that_it_lacks() -> None:
    base = (OF_ONE_PROTOCOL % "8003/udp").replace("media", "programs")
    written = into(base, Text("ss", "ss.txt", NODE.replace("3055", "8003")))
    assert '    ports: ["8003/udp", "8003/tcp"]\n' in written
    assert errors(written) == []


def test_a_project_without_any_port_left_is_for_a_person() -> None:
    base = BASE.replace("3000-3099", "3055").replace("port: 3000", "via: host") % "{server: {}}"
    with pytest.raises(ByHand, match="all ports of web are somebody else's"):
        into(base, Text("ss", "ss.txt", NODE))


def test_a_new_project_stands_behind_the_new_services_of_the_last_one() -> None:
    base = (OF_ONE_PROTOCOL % "8003/udp").replace("media", "programs")
    texts = [
        compose('services:\n  app:\n    ports: ["8001:80"]\n'),
        Text("ss", "ss.txt", NODE.replace("3055", "8100")),
    ]
    written = into(base, *texts)
    loaded = parse(written.encode(), "inventory.yaml").inventory.projects
    assert {name: list(one.services) for name, one in loaded.items()} == {
        "programs": ["player", "node-8100"],
        "web": ["app"],
    }
    assert errors(written) == []


KNOWN = """\
version: 1
hosts: {server: {}}
projects:
  web:
    title: Web
    ports: 8000-8099
    services:
      app: {title: App, port: 8080, container_port: 80, via: docker, allow: [any]}
"""


def result_of(base: str, *texts: Text) -> tuple[Adopted, str]:
    source = parse(base.encode(), "inventory.yaml")
    onto = adopt.onto(source, planner.make(source.inventory), None)
    by_name = {one.name: one.text for one in texts}
    result, edited = adopt.adopt_into(Sources(texts, by_name.get), onto)
    return result, edited.text


def test_a_second_port_of_the_host_for_one_of_a_container_is_for_a_person() -> None:
    text = compose(
        'services:\n  app:\n    ports: ["8080:80", "192.168.1.5:8081:80", "8443:443", "8082:80/udp"]\n'
    )
    entry = "{port: 8081, container_port: 80, bind: 192.168.1.5}"
    why = f"port 80 of the container is app's: write it as one of its `ports`: {entry}"
    result, written = result_of(KNOWN, text)
    assert [(one.said.text, one.why) for one in result.lists.left] == [("192.168.1.5:8081:80", why)]
    assert "ports: [{port: 8443, container_port: 443}, {port: 8082" in written
    assert errors(written) == []


def test_the_firewalls_rule_of_a_port_that_is_left_is_not_for_nobody() -> None:
    text = compose('services:\n  app:\n    ports: ["8080:80", "8081:80"]\n')
    rule = "### tuple ### allow tcp 8081 0.0.0.0/0 any 10.0.0.0/8 in"
    result, written = result_of(KNOWN, text, Text("ufw", "user.rules", rule, "user.rules"))
    assert written == KNOWN
    assert "rule-without-holder" not in {one.kind for one in result.conflicts}
    assert "who holds the port is not taken over: it stays as it is" in {
        one.why for one in result.lists.left
    }


def test_a_known_container_is_in_the_project_that_the_inventory_has_it_in() -> None:
    base = KNOWN.replace("  web:", "  portal:")
    written = into(base, compose('services:\n  app:\n    ports: ["8080:80", "8443:443"]\n'))
    assert list(parse(written.encode(), "x").inventory.projects) == ["portal"]
    assert errors(written) == []


FORWARDED = """\
services:
  app: {ports: ["8080:80"]}
  api: {ports: ["8085:85"], networks: {net: {ipv4_address: 172.20.0.5}}}
networks:
  net: {ipam: {config: [{subnet: 172.20.0.0/24}]}}
"""


def forwarder(listen: int, to: str, *options: str) -> Text:
    words = ["/usr/bin/socat", *options, f"TCP-LISTEN:{listen},fork,reuseaddr", f"TCP:{to}"]
    text = f"[Service]\nExecStart={' '.join(words)}\n"
    return Text("units", f"fw-{listen}.service", text, f"fw-{listen}.service")


def test_a_forwarder_into_a_project_without_a_network_is_left() -> None:
    result, written = result_of(KNOWN, compose(FORWARDED), forwarder(8090, "172.20.0.5:90"))
    assert "      api:\n" in written
    assert "8090" not in written
    why = (
        "a forwarder needs a container with a fixed address: "
        "give web a `network` with a `subnet`, and import again"
    )
    assert (why, "fw-8090.service") in {(one.why, one.said.file) for one in result.lists.left}
    assert not any("systemctl" in step for step in result.steps)
    assert errors(written) == []


def test_a_container_closed_to_some_is_written_into_a_project_without_a_network() -> None:
    text = compose('services:\n  db:\n    ports: ["127.0.0.1:8005:5432"]\n')
    written = into(KNOWN, text)
    assert "        ignore:\n          container-unguarded: " in written
    assert errors(written) == []
    assert into(written, text) == written


def test_a_project_keeps_a_port_that_somebody_has_at_another_address() -> None:
    base = KNOWN.replace("port: 8080", "port: 8080, bind: 192.168.1.5")
    ss = Text("ss", "ss.txt", NODE.replace("*:3055", "192.168.1.6:8080"))
    written = into(base, ss)
    assert "    ports: 8000-8099\n" in written
    assert "node-8080:" in written
    assert errors(written) == []
    assert into(written, ss) == written


OTHER = """\
services:
  api: {ports: ["8200:80"], networks: {web: {ipv4_address: 172.21.0.5}}}
networks:
  web: {ipam: {config: [{subnet: 172.21.0.0/24}]}}
"""


def test_a_network_has_no_name_that_another_projects_has_in_the_inventory() -> None:
    text = Text("compose", "chat/docker-compose.yml", OTHER, "docker-compose.yml", "chat")
    written = into(BASE % "{server: {}}", text)
    assert "    network: {name: chat_web, subnet: 172.21.0.0/24}\n" in written
    assert errors(written) == []
    assert into(written, text) == written


def test_a_network_keeps_its_name_in_the_inventory() -> None:
    base = (BASE % "{server: {}}").replace("{name: web,", "{name: front,")
    text = compose(OTHER.replace("172.21.", "172.28.").replace("8200", "3001"))
    written = into(base, text)
    assert "        address: 172.28.0.5\n" in written
    assert errors(written) == []


def test_a_program_at_all_addresses_is_the_one_that_the_inventory_has_at_one() -> None:
    base = OF_ONE_PROTOCOL.replace("protocol: udp,", "protocol: tcp, bind: '::1',") % "8003"
    node = NODE.replace("*:3055", "0.0.0.0:8003").replace("node", "player")
    assert into(base, Text("ss", "ss.txt", node)) == base


def test_a_number_of_another_project_at_another_address_is_for_a_person() -> None:
    base = KNOWN.replace("port: 8080", "port: 8080, bind: 192.168.1.5")
    base += "  programs: {title: Programs, ports: 9000-9099}\n"
    ss = Text("ss", "ss.txt", NODE.replace("*:3055", "192.168.1.6:8080"))
    result, written = result_of(base, ss)
    assert written == base
    [why] = [one.why for one in result.lists.left]
    assert why.startswith("app of web has this number at another address: write it by hand")
