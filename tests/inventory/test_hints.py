"""What a person who thinks of compose, of YAML 1.1 or of another word is told to write."""

from __future__ import annotations

import pytest

from portgen.inventory.source import parse
from portgen.problem import PortgenError

INVENTORY = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16]}
    nginx: {server_name: box.example.com}
projects:
  wiki:
    ports: 5000-5099
    network: {name: wiki, subnet: 172.30.0.0/24}
    services:
      web: {port: 5000}
"""
NAMES = (
    "the names that visitors type are nginx's `server_name`; "
    "a service with a name of its own has `route: {host: grafana.example.com}`"
)
VERSION = "write `version: 1`: it is the inventory's version, not compose's"
COMPOSE = "stays in the team's own compose file: here are ports, routes and who may come"


def hints(text: str) -> list[str | None]:
    """The hints of all faults of an inventory."""
    with pytest.raises(PortgenError) as refused:
        parse(text.encode(), "inventory.yaml")
    return [problem.hint for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ("allow: all", "write [any]"),
        ("allow: localhost", "this host may always come: leave it out"),
        ("container_port: 6000-6009", "write the first, `6000`: the others follow"),
        ("allow: [::/0]", "quote an IPv6 address: `'::/0'`"),
        ("allow: [{any: ::}]", "quote an IPv6 address: `'::'`"),
        ("allow: [2001:db8::]", "quote an IPv6 address: `'2001:db8::'`"),
        ("allow: 2001:db8::", "quote an IPv6 address: `'2001:db8::'`"),
        ("allow: [*]", "quote a text that begins with `*` or `&`; in `allow`, `any` is everybody"),
        ("via:process", "a blank belongs after the colon: `via: process`"),
        ("route: {path: /a/, strip: yes}", "write `true`"),
        ("route: {path: /a/, strip: True}", "write `true`"),
        ("route: {path: /a/, strip: 'true'}", "write `true` without quotes"),
        ("route: {path: /a/, buffering: off}", "write `false`"),
        ("route: {path: /a/, buffering: no}", "write `false`"),
        ("route: false", "leave it out; `null` cancels a project's default"),
        ("route: {path: /a/, domain: a.example.com}", "it is called `host` here"),
        ("route: {path: /a/, max_body: 10MB}", "write `10m`"),
        ("domain: a.example.com", NAMES),
        ("image: nginx", f"`image` {COMPOSE}"),
        ("restart: always", f"`restart` {COMPOSE}"),
        ("via: none", "write `process`"),
        ("network_mode: host", "write `via: host`"),
        ("network_mode: bridge", f"`network_mode` {COMPOSE}"),
        ("description: A", "it is called `purpose` here"),
        ("desc: A", "it is called `purpose` here"),
        ("name: A", "it is called `title` here"),
        ("host_port: 5001", "it is called `port` here"),
        ("internal_port: 80", "it is called `container_port` here"),
        ("expose: 80", "it is called `container_port` here"),
        ("container-port: 80", "did you mean `container_port`?"),
        ("Port: 80", "did you mean `port`?"),
        ("port: '5001:80'", "write `port: 5001` and `container_port: 80`"),
        ("port: 53/udp", "write `port: 53` and `protocol: udp`"),
        (
            "ports: ['5001:80/udp']",
            "write `ports: [{port: 5001, container_port: 80, protocol: udp}]`",
        ),
        ("ports: [5001-5003]", "write `{port: 5001-5003}`"),
        ("ports: [5001-5003/udp]", "write `{port: 5001-5003, protocol: udp}`"),
        ("port: 5001-5003", "a range is an entry of a service's `ports`: [{port: 5001-5003}]"),
        ("ports: ['5001:80']", "write `{port: 5001, container_port: 80}`"),
        ("ports: [5001/udp]", "write `{port: 5001, protocol: udp}`"),
        ("via: container", "write `docker`"),
        (
            "via: nginx",
            "leave it out: nginx is the service's `route`, `via` is what listens on the host's port",
        ),
        ("status: disabled", "write `retired`"),
        ("status: false", "write `retired`"),
        ("status: true", "write `active`"),
        ("auth: true", "`auth_file` is the route's: `route: {path: /wiki/, auth_file: FILE}`"),
        ("protocol: ssh", "write `tcp`"),
        ("protocol: tls", "write `https`"),
        ("protocol: HTTPS", "write `https`"),
        ("via: Docker", "write `docker`"),
        (
            "protocol: tcp/udp",
            "an entry for each: `ports: [{port: 53, protocol: tcp}, {port: 53, protocol: udp}]`",
        ),
        ("health: api/up", "write `/api/up`"),
        ("health: 'http://localhost:80/up'", "write the path alone: `/up`"),
        ("allow: [Internet]", "`any` is everybody"),
        ("allow: lan", "write [lan]"),
        ("allow: 'lan, 10.1.0.0/16'", "write [lan, 10.1.0.0/16]"),
        ("allow: ['300.1.*']", "`any`, a zone, a project, or a CIDR"),
        ("allow: ['192.168.*']", "write `192.168.0.0/16`"),
        ("allow: ['10.1.2.*']", "write `10.1.2.0/24`"),
        ("address: 172.30.0.20/24", "leave the prefix length out"),
    ],
)
def test_a_service_that_is_written_otherwise(fields: str, hint: str) -> None:
    assert hints(INVENTORY.replace("{port: 5000}", f"{{{fields}}}")) == [hint]


@pytest.mark.parametrize(
    ("written", "instead", "hint"),
    [
        ("web:", "my_app:", "write `my-app`, and `compose_service: my_app` if compose calls it that"),
        ("web:", "My App:", "write `my-app`"),
        ("wiki:", "Wiki:", "write `wiki`"),
        ("{port: 5000}", "5000", "write `{port: 5000}`"),
        ("{port: 5000}", "", "indent its fields below it; `{}` stands for none"),
        ("      web: ", "      - ", "each has a name and a `:`, and no `-` before it: `NAME: …`"),
        ("5000-5099", "5000..5099", "write 5000-5099"),
        ("5000-5099", "5000 to 5099", "write 5000-5099"),
        ("5000-5099", "'5000, 5001'", "write [5000, 5001]"),
        ("{name: wiki, subnet: 172.30.0.0/24}", "wiki", "such as `{name: wiki, subnet: 172.30.0.0/24}`"),
        ("box.ex", "https://box.ex", "write `box.example.com`: ports are `listen` and `listen_tls`"),
        ("version: 1", "version: '3'", VERSION),
        ("version: 1\n", "", "such as `version: 1`"),
    ],
)  # fmt: skip
def test_a_part_that_is_written_otherwise(written: str, instead: str, hint: str) -> None:
    assert hints(INVENTORY.replace(written, instead, 1)) == [hint]


PLACES = {
    "server_name": ("server_name: box.example.com", "server_name: {}"),
    "sites": ("server_name: box.example.com", "sites: {{{}: {{}}}}"),
    "host": ("{port: 5000}", "{{port: 5000, route: {{host: {}}}}}"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("bücher.example", "write `xn--bcher-kva.example`, as browsers send it"),
        ("straße.example.", "write `xn--strae-oqa.example`, as browsers send it"),
        ("Bücher.Example", "write `xn--bcher-kva.example`, as browsers send it"),
        ("https://Bücher.example/", "write `xn--bcher-kva.example`: ports are `listen` and `listen_tls`"),
        ("Grafana.example.com", "write `grafana.example.com`: names are in small letters"),
        ("grafana.example.com.", "write `grafana.example.com`, without the dot at its end"),
    ],
)  # fmt: skip
def test_a_host_name_in_another_form(place: str, written: str, hint: str) -> None:
    old, new = PLACES[place]
    text = INVENTORY.replace(old, new.format(written))
    if place == "server_name" and written.isascii():
        parse(text.encode(), "inventory.yaml")  # it is taken as it is meant
    else:
        assert hints(text) == [hint]


@pytest.mark.parametrize(
    ("version", "hint"),
    [
        ("1.30", 'write it in quotes, as it is on the host: `"1.3"`, or `"1.30"`'),
        ("1.22", 'write it in quotes, as it is on the host: `"1.22"`'),
        ("'1.x'", 'nginx\'s version, in quotes: `"1.22"`'),
    ],
)
def test_a_version_of_nginx_without_quotes(version: str, hint: str) -> None:
    text = INVENTORY.replace("{server_name", f"{{version: {version}, server_name")
    assert hints(text) == [hint]


def test_a_port_s_name_that_is_a_number() -> None:
    fields = "{ports: [{port: 5000, name: 5000}]}"
    (hint,) = hints(INVENTORY.replace("{port: 5000}", fields))
    assert hint == "Lower-case letters, digits and single hyphens, not digits alone"


def test_a_compose_file_in_place_of_the_inventory() -> None:
    text = "version: '3'\nservices:\n  web:\n    image: nginx\n"
    assert hints(text)[1] == "services stand below a project: `projects: {NAME: {services: …}}`"


@pytest.mark.parametrize(
    ("value", "written"),
    [("gzip on;", "[gzip on;]"), ('add_header A "b, c";', "['add_header A \"b, c\";']")],
)
def test_a_list_of_one_is_written_as_yaml_reads_it(value: str, written: str) -> None:
    fields = f"route: {{path: /a/, extra: '{value}'}}"
    assert hints(INVENTORY.replace("{port: 5000}", f"{{{fields}}}")) == [f"write {written}"]


@pytest.mark.parametrize(
    "value", ["a_" * 5000, "1:2" * 5000, "http://a/" + "b" * 5000, "5," * 5000]
)
@pytest.mark.parametrize(
    "fields",
    ["'{}': 1", "port: '{}'", "health: '{}'", "via: '{}'", "allow: ['{}']", "address: '{}'"],
)
def test_a_hint_is_short_however_long_the_value_is(fields: str, value: str) -> None:
    text = INVENTORY.replace("{port: 5000}", "{" + fields.format(value) + "}")
    for hint in hints(text):
        assert len(hint or "") < 300


@pytest.mark.parametrize(
    ("ports", "hint"),
    [
        ("30000-30019/udp", "write `[{port: 30000-30019, protocol: udp}]`"),
        ("5000:80", "write `[{port: 5000, container_port: 80}]`"),
        ("5000", "write [5000]"),
    ],
)
def test_ports_without_a_list(ports: str, hint: str) -> None:
    assert hints(INVENTORY.replace("{port: 5000}", f"{{ports: {ports}}}")) == [hint]
