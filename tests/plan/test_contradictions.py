"""What the team's compose file says and the override would replace or contradict: refused by name, in verify
and in lint alike."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from portgen import whole
from portgen.formats import compose as composefile
from portgen.machine import programs
from portgen.plan import planner, team_files
from tests.conftest import Run
from tests.estates import line_of, loaded, only
from tests.limit import HANGS

Portgen = Callable[..., Run]

INVENTORY = """\
version: 1
hosts: {box: {nginx: {listen: 8080, allow: [any]}}}
projects:
  shop:
    ports: 5000-5099
    network: {name: shop-net, subnet: 172.31.8.0/24}
    compose: {file: stack/base.yml}
    defaults: {via: socat, container_port: 80}
    services:
      web: {port: 5000}
      api: {port: 5001, via: docker, allow: [any]}
      screen: {port: 5002, via: host}
      program: {port: 5003, via: process}
      later: {port: 5004, status: planned, compose_service: later_1}
"""


@pytest.fixture(autouse=True)
def no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is read from the files: the real program is asked nothing here."""
    only(monkeypatch, "compose")
    monkeypatch.setattr(programs, "find", lambda program: None)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "stack").mkdir()
    return tmp_path


def base(shop: Path, tail: str = "", **services: str) -> None:
    """The team's file: each service in a line, from the second on, then the services that the inventory does
    not name."""
    entries = {"web": "{image: x}", "api": "{image: x}", "screen": "{image: x}"}
    entries.update(services)
    written = "".join(f"  {name}: {entry}\n" for name, entry in entries.items())
    (shop / "stack/base.yml").write_text(f"services:\n{written}{tail}")


def findings(portgen: Portgen) -> list[str]:
    """What verify and lint say, which is the same: `LINE: severity: message`, and the hint behind it."""
    said = []
    for command, rule in (("verify", "verify-compose"), ("lint", "compose-file")):
        run = portgen(command, *(["--rendered"] if command == "verify" else []))
        lines = run.out.replace("\n    hint: ", " | ").splitlines()
        assert all(f"[{rule}]" in line for line in lines), run.out
        found = [line.replace(f" [{rule}]", "").removeprefix("inventory.yaml:") for line in lines]
        assert run.code == (1 if any(": error: " in line for line in found) else 0), (
            run.out + run.err
        )
        said.append(found)
    assert said[0] == said[1]
    return said[0]


NET = (
    "6:14: error: stack/base.yml:{line} says `{what}` of the network shop-net, and the "
    "override, which comes last, would replace that without a word"
)


@pytest.mark.parametrize(
    ("written", "line", "what"),
    [
        ("{internal: true}", 6, "internal: true"),
        ("{internal: yes}", 6, "internal: yes"),
        ("{driver: macvlan}", 6, "driver: macvlan"),
        ("{external: true}", 6, "external: true"),
        ("{external: {name: shop-net}}", 6, 'external: {"name": "shop-net"}'),
        ("{name: other}", 6, "name: other"),
        ("{enable_ipv6: true}", 6, "enable_ipv6: true"),
        ("{enable_ipv4: false, attachable: true}", 6, "attachable: true"),
        (
            "{driver_opts: {com.docker.network.driver.mtu: 1400}}",
            6,
            'driver_opts: {"com.docker.network.driver.mtu": 1400}',
        ),
        ("{labels: [a=b]}", 6, 'labels: ["a=b"]'),
        ("{ipam: {driver: mine}}", 6, "driver: mine"),
        ("{ipam: {options: {a: b}}}", 6, 'options: {"a": "b"}'),
        ("\n    internal: &yes true\n    driver: bridge", 7, "internal: true"),
        (
            "\n    ipam:\n      config:\n        - subnet: 172.31.8.0/24\n          gateway: 172.31.8.254",
            10,
            "gateway: 172.31.8.254",
        ),
        ("{ipam: {config: [{subnet: 172.31.9.0/24}]}}", 6, "subnet: 172.31.9.0/24"),
        ("{ipam: {config: [{ip_range: 172.31.8.0/25}]}}", 6, "ip_range: 172.31.8.0/25"),
        (
            "{ipam: {config: [{subnet: 172.31.8.0/24, aux_addresses: {a: 172.31.8.9}}]}}",
            6,
            'aux_addresses: {"a": "172.31.8.9"}',
        ),
        (
            "{ipam: {config: [{subnet: 172.31.8.0/24}, {subnet: fd00::/64}]}}",
            6,
            "subnet: fd00::/64",
        ),
        ('{internal: "${INTERNAL:-true}"}', 6, "internal: true"),
    ],
)
def test_what_the_team_s_file_says_of_the_network_and_portgen_s_does_not(
    written: str, line: int, what: str, shop: Path, portgen: Portgen
):
    base(shop, f"networks:\n  shop-net: {written}\n")
    (found,) = findings(portgen)
    assert found.startswith(NET.format(line=line, what=what)), found
    assert "remove" in found.partition(" | ")[2]


@pytest.mark.parametrize(
    "written",
    [
        "",
        "{}",
        (
            "{internal: false, external: no, attachable: false, enable_ipv6: false, labels: {}, "
            "driver_opts: {}, x-note: ours}"
        ),
        "{name: shop-net, driver: bridge}",
        (
            "{ipam: {driver: default, config: [{subnet: 172.31.8.0/24, gateway: 172.31.8.1, "
            "ip_range: 172.31.8.128/25}]}}"
        ),
        "{ipam: {config: [{subnet: 172.31.8.0/24}]}, enable_ipv4: true}",
        '{internal: "${INTERNAL:-false}", name: "${NAME}"}',
    ],
)
def test_what_says_the_same_or_nothing_is_no_contradiction(
    written: str, shop: Path, portgen: Portgen
):
    base(shop, f"networks:\n  shop-net: {written}\n  other: {{internal: true}}\n")
    assert findings(portgen) == []


@pytest.fixture
def six(shop: Path) -> Path:
    """The same project, with IPv6 in its network."""
    subnet = "subnet: 172.31.8.0/24"
    text = INVENTORY.replace(subnet, f"{subnet}, subnet6: 'fd00:8::/64'")
    (shop / "inventory.yaml").write_text(text)
    return shop


def test_a_network_with_ipv6_may_be_said_to_have_it(six: Path, portgen: Portgen):
    pools = "{subnet: 172.31.8.0/24}, {subnet: 'fd00:8::/64', gateway: 'fd00:8::1'}"
    tail = f"networks:\n  shop-net: {{enable_ipv6: true, ipam: {{config: [{pools}]}}}}\n"
    inside = "{image: x, networks: {shop-net: {ipv6_address: 'fd00:8::7'}}}"
    base(six, tail, mail=inside)
    assert findings(portgen) == []


def test_another_subnet_or_address_in_ipv6_is_a_contradiction(six: Path, portgen: Portgen):
    pools = "{subnet: 172.31.8.0/24}, {subnet: 'fd00:9::/64'}"
    outside = "{image: x, networks: {shop-net: {ipv6_address: 'fd00:9::7'}}}"
    base(six, f"networks:\n  shop-net: {{ipam: {{config: [{pools}]}}}}\n", mail=outside)
    address, definition = findings(portgen)
    assert definition.startswith(NET.format(line=7, what="subnet: fd00:9::/64"))
    assert "mail the address fd00:9::7 in shop-net, which is outside of fd00:8::/64" in address


@pytest.mark.parametrize(
    "written",
    ["{name: shop-net}", "{external: true, name: shop-net}", "{external: {name: shop-net}}"],
)
def test_a_network_under_another_key_would_be_joined_twice(
    written: str, shop: Path, portgen: Portgen
):
    base(shop, f"networks:\n  back: {written}\n")
    (found,) = findings(portgen)
    assert found.startswith(
        "6:14: error: stack/base.yml:6 calls its network `back` by the name shop-net"
    )


@pytest.mark.parametrize(
    ("service", "written", "place", "said"),
    [
        ("other", "172.31.8.16", "10:", "which web has"),
        ("other", "172.31.8.1", "6:", "which is its gateway's"),
        ("other", "172.31.8.0", "6:", "which is the network's own"),
        (
            "other",
            "172.31.8.200",
            "6:",
            "which lies among those that docker gives away by itself (172.31.8.128/25)",
        ),
        ("other", "172.31.9.2", "6:", "which is outside of 172.31.8.0/24: docker would refuse it"),
        ("other", "${IP:-172.31.8.17}", "11:", "which api has"),
        ("web", "172.31.8.99", "10:", "and the override would replace that by 172.31.8.16"),
    ],
)
def test_a_fixed_address_of_the_team_s_that_clashes_with_ours(
    service: str, written: str, place: str, said: str, shop: Path, portgen: Portgen
):
    base(shop, **{service: f'{{image: x, networks: {{shop-net: {{ipv4_address: "{written}"}}}}}}'})
    (found,) = [line for line in findings(portgen) if ": error: " in line]
    line = line_of(shop / "stack/base.yml", f"  {service}:")
    assert found.startswith(place)
    assert f"stack/base.yml:{line} gives {service} the address " in found
    assert said in found


def test_addresses_that_clash_with_nothing(shop: Path, portgen: Portgen):
    base(
        shop,
        web="{image: x, networks: {shop-net: {ipv4_address: 172.31.8.16}}}",
        api="{image: x, networks: {back: {ipv4_address: 10.0.0.1}, shop-net: }}",
        other="{image: x, networks: {shop-net: {ipv4_address: 172.31.8.99}, back: {ipv4_address: "
        "172.31.8.16}}}",
        further='{image: x, networks: {shop-net: {ipv4_address: "${ONLY_THE_HOST_KNOWS}"}}}',
        tail="networks: {back: }\n",
    )
    assert findings(portgen) == []


@pytest.mark.parametrize(
    ("service", "mode", "hint"),
    [
        ("web", "service:proxy", "name `compose_service: proxy` here"),
        ("web", "service:api", "name `compose_service: api` here, and leave `network_mode` there"),
        ("web", "container:proxy", "give the inventory's entry to the service that runs that one"),
        ("web", "none", "take web out of the inventory"),
        ("web", "bridge", "remove it there"),
        ("web", "host", "or say `via: host` here"),
        ("web", "${MODE:-service:proxy}", "name `compose_service: proxy` here"),
        ("screen", "none", "take screen out of the inventory"),
        ("screen", "bridge", "remove it there"),
        ("screen", "service:proxy", "name `compose_service: proxy` here"),
        ("screen", "container:x", "give the inventory's entry to the service that runs that one"),
        ("screen", "shop-net", "remove it there"),
    ],
)
def test_another_network_mode_is_refused_each_with_a_hint_of_its_own(
    service: str, mode: str, hint: str, shop: Path, portgen: Portgen
):
    base(shop, **{service: f'{{image: x, network_mode: "{mode}"}}'})
    (found,) = findings(portgen)
    assert " has `network_mode: " in found
    assert hint in found
    assert ("via: host" in found) == (mode == "host")


def test_a_network_mode_that_says_what_the_inventory_says(shop: Path, portgen: Portgen):
    base(
        shop,
        screen="{image: x, network_mode: host}",
        side='{image: x, network_mode: "service:web"}',
    )
    assert findings(portgen) == []


def test_a_container_without_a_network_of_its_own_publishes_nothing(shop: Path, portgen: Portgen):
    (shop / "inventory.yaml").write_text(
        "version: 1\nhosts: {box: {}}\nprojects:\n  p:\n    ports: 5000-5001\n"
        "    compose: {file: stack/base.yml}\n    services:\n"
        "      a: {port: 5000, via: docker, allow: [any]}\n      b: {port: 5001, via: docker, allow: [any]}\n"
    )
    (shop / "stack/base.yml").write_text(
        "services:\n  a: {image: x, network_mode: bridge}\n  b: {image: x, network_mode: 'service:a'}\n"
    )
    (found,) = findings(portgen)
    assert found.startswith(
        "9:10: error: stack/base.yml:3 has `network_mode: service:a` for b, whose ports the "
        "inventory publishes"
    )


@pytest.mark.parametrize(
    ("mapping", "holder"),
    [
        ('"${PORT:-5000}:80"', "web"),
        ('"${PORT-5000}:80"', "web"),
        ('"${UNSET:-${PORT:-5000}}:80"', "web"),
        ('"${WEB_PORT}:80"', "web"),
        ('"${WEB_PORT:?say which}:80"', "web"),
        ('"$WEB_PORT:80"', "web"),
        ('"${EMPTY:-5000}:80"', "web"),
        ('"${WEB_PORT:+5003}:80"', "program"),
        ('"127.0.0.1:${PORT:-5000}:80"', "web"),
        ('"4999-${PORT:-5000}:80-81"', "web"),
        ('"[::]:5000:80"', "web"),
        ('"0.0.0.0:5003:80"', "program"),
        ('"10.0.0.5:5003:80"', "program"),
        ('{target: 80, published: "${PORT:-5000}"}', "web"),
        ('{target: 80, published: "5000-5000", host_ip: 127.0.0.1}', "web"),
    ],
)
def test_a_port_of_another_service_is_seen_in_whatever_form(
    mapping: str, holder: str, shop: Path, portgen: Portgen
):
    base(
        shop,
        other=f"{{image: x, networks: [back], ports: [{mapping}]}}",
        tail="networks: {back: }\n",
    )
    (shop / "stack/.env").write_text("# ports\nexport WEB_PORT='5000'\nEMPTY=\nBROKEN LINE\n")
    (found,) = findings(portgen)
    assert f", which {holder} holds" in found
    assert "stack/base.yml:5 publishes " in found


@pytest.mark.parametrize(
    "mapping",
    [
        '"10.0.0.5:5000:80"',  # web's forwarder listens on 127.0.0.1
        '"[fd00::1]:5000:80"',
        '{target: 80, published: 5000, host_ip: "10.0.0.5"}',
        '"${WEB_PORT:-5000}:80"',  # the .env says 5099
        '"${ONLY_THE_HOST_KNOWS}:80"',
        '"$$5000:80"',
        '"127.0.0.1::5000"',
        '"5000/udp"',
        '"5000:80/udp"',
    ],
)
def test_a_port_that_collides_with_nobody_is_fine(mapping: str, shop: Path, portgen: Portgen):
    base(
        shop,
        other=f"{{image: x, networks: [back], ports: [{mapping}]}}",
        tail="networks: {back: }\n",
    )
    (shop / "stack/.env").write_text("WEB_PORT=5099 # not 5000\n")
    assert findings(portgen) == []


def test_a_planned_service_s_own_port_is_its_own(shop: Path, portgen: Portgen):
    base(
        shop,
        later_1='{image: x, networks: [back], ports: ["5004:80"]}',
        tail="networks: {back: }\n",
    )
    assert findings(portgen) == []


def test_what_comes_by_extends_is_seen_in_this_file_and_in_another(shop: Path, portgen: Portgen):
    base(
        shop,
        web="{extends: parent}",
        api="{extends: {file: ../common/shared.yml, service: api}}",
        screen="{image: x, extends: {file: missing.yml, service: x}}",
        parent='{image: x, networks: [back], ports: ["9000:80"]}',
        tail="networks: {back: }\n",
    )
    (shop / "common").mkdir()
    (shop / "common/shared.yml").write_text(
        "services:\n  api: {extends: {service: deeper}}\n  deeper: {image: x, network_mode: none}\n"
    )
    note, web, api = findings(portgen)
    assert note.startswith(
        "7:21: note: stack/base.yml:4 extends a service of stack/missing.yml, which can't be read"
    )
    assert "has `ports:` for web (9000:80)" in web
    assert "has `network_mode: none` for api" in api


def test_services_that_extend_each_other_in_a_circle_end(shop: Path, portgen: Portgen):
    base(shop, web="{extends: api}", api="{extends: web}")
    assert findings(portgen) == []


def test_who_stays_on_the_default_network_is_said_once(shop: Path, portgen: Portgen):
    base(shop, redis="{image: x}", side='{image: x, network_mode: "service:redis"}')
    (found,) = findings(portgen)
    assert found.startswith(
        "6:14: warning: stack/base.yml: web, api would leave the default network for "
        "shop-net, but redis would stay there"
    )
    base(
        shop,
        web="{image: x, networks: [default]}",
        api="{image: x, networks: [default]}",
        redis="{image: x}",
    )
    assert findings(portgen) == []


@pytest.mark.parametrize("written", ["scale: 2", "deploy: {replicas: 3}", 'scale: "${COPIES:-2}"'])
def test_copies_cannot_share_an_address(written: str, shop: Path, portgen: Portgen):
    base(shop, web=f"{{image: x, {written}}}")
    (found,) = findings(portgen)
    assert found.startswith("10:12: error: stack/base.yml:2 runs ")


def test_a_container_name_that_two_share(shop: Path, portgen: Portgen):
    base(
        shop,
        web="{image: x, container_name: a}",
        api="{image: x, container_name: a}",
        screen='{image: x, container_name: "${X}"}',
    )
    (found,) = findings(portgen)
    assert found.startswith(
        "11:12: error: stack/base.yml:3 names the container of api a, as web's is named"
    )


def test_a_profile_that_a_plain_up_leaves_out(shop: Path, portgen: Portgen):
    base(shop, web="{image: x, profiles: [extra]}")
    (found,) = findings(portgen)
    assert found.startswith("10:12: warning: stack/base.yml:2 puts web into the profile extra")
    (shop / "stack/.env").write_text("COMPOSE_PROFILES=other,extra\n")
    assert findings(portgen) == []


def test_a_service_ignores_what_is_found_for_it_and_no_other(shop: Path, portgen: Portgen):
    base(shop, web="{image: x, scale: 2}", api="{image: x, scale: 2}")
    text = INVENTORY.replace(
        "web: {port: 5000}", "web: {port: 5000, ignore: {compose-file: as it is}}"
    )
    (shop / "inventory.yaml").write_text(text)
    (found,) = findings(portgen)
    assert found.startswith("11:12: error: ")


# --- lint and the disk ---------------------------------------------------------------------------


def test_lint_where_the_file_is_not_there_is_a_note_and_verify_an_error(
    shop: Path, portgen: Portgen
):
    run = portgen("lint", "--strict")
    assert run.code == 0
    assert run.out.startswith(
        "inventory.yaml:7:21: note: the compose file stack/base.yml can't be read here: it "
        "was not checked [compose-file]"
    )
    assert portgen("verify", "--rendered").code == 1


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "huge", "bytes"])
def test_what_is_no_text_of_a_bearable_size_is_never_read_on(
    kind: str, shop: Path, portgen: Portgen
):
    path = shop / "stack/base.yml"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "huge":
        path.write_bytes(b"services: {}\n" + b"#" * whole.MOST_TEXT)
    else:
        path.write_bytes(b"services:\n  web: {image: \xff}\n")
    run = portgen("lint")
    assert run.code == (1 if kind == "bytes" else 0)
    if kind == "bytes":
        assert "stack/base.yml:2: not UTF-8" in run.out
    else:
        assert "can't be read here" in run.out


def test_a_file_that_grows_with_each_variable_is_bounded(shop: Path, portgen: Portgen):
    doubled = "A0=xxxxxxxxxxxxxxxx\n" + "".join(f"A{n}=$A{n - 1}$A{n - 1}\n" for n in range(1, 200))
    (shop / "stack/.env").write_text(doubled)
    nested = "${A:-" * 4000 + "}" * 4000
    base(
        shop,
        other=f'{{image: "{"$A199" * 500}", networks: [back], ports: ["{nested}:80"]}}',
        tail="networks: {back: }\n",
    )
    assert findings(portgen) == []


def test_lint_reads_the_team_s_file_each_time(shop: Path, portgen: Portgen):
    base(shop)
    assert portgen("lint").out == ""
    base(shop, web="{image: x, scale: 2}")
    assert "runs 2 copies of web" in portgen("lint").out
    base(shop)
    assert portgen("lint").out == ""


def test_a_render_does_not_ask_for_the_team_s_file(shop: Path, portgen: Portgen):
    base(shop, web="{image: x, scale: 2}")
    assert portgen("render", "--yes").code == 0
    assert portgen("render", "--check").out == ""


# --- what compose itself does --------------------------------------------------------------------


@pytest.mark.programs
def test_the_last_file_s_network_is_the_whole_network_to_compose(
    shop: Path, need: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
):
    """Why all of this is refused: compose 1 takes ours and says nothing."""
    program = need("docker-compose")
    base(
        shop,
        "networks:\n  shop-net: {internal: true, driver: macvlan, labels: {a: b}}\n",
        web='{image: x, network_mode: "none"}',
    )
    over = "services:\n  web: {network_mode: host}\nnetworks:\n  shop-net: {driver: bridge}\n"
    (shop / "over.yml").write_text(over)
    argv = [program, "-f", "stack/base.yml", "-f", "over.yml", "config"]
    ran = subprocess.run(argv, cwd=shop, capture_output=True, text=True, check=True, timeout=HANGS)
    merged = yaml.safe_load(ran.stdout)
    assert ran.stderr == ""
    assert merged["services"]["web"]["network_mode"] == "host"
    assert merged.get("networks", {}).get("shop-net", {}) in ({}, {"driver": "bridge"})


# --- whatever the file says ----------------------------------------------------------------------

KEYS = st.sampled_from(
    [
        "ports",
        "networks",
        "network_mode",
        "extends",
        "file",
        "service",
        "scale",
        "deploy",
        "replicas",
        "profiles",
        "container_name",
        "shop-net",
        "ipv4_address",
        "published",
        "target",
        "host_ip",
        "protocol",
        "name",
        "external",
        "driver",
        "ipam",
        "config",
        "subnet",
        "web",
        "api",
    ]
)
SCALARS = st.sampled_from(
    [
        None,
        True,
        0,
        2,
        -1,
        5000,
        1.5,
        "",
        "web",
        "service:web",
        "5000:80",
        "${A:-5000}:80",
        "$",
        "::",
        "shop-net",
        "172.31.8.1",
        "é",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
SERVICES = st.dictionaries(
    st.sampled_from(["web", "api", "screen", "other", "later_1"]),
    st.dictionaries(KEYS, VALUES, max_size=4) | VALUES,
)


@given(
    services=SERVICES,
    networks=st.dictionaries(st.sampled_from(["shop-net", "back", "default"]), VALUES) | VALUES,
    env=st.text("A=$B{}'\"# \n", max_size=20),
)
def test_nothing_that_a_file_says_ends_in_a_crash(services: object, networks: object, env: str):
    source = loaded(INVENTORY)
    files = {
        "stack/base.yml": json.dumps({"services": services, "networks": networks}),
        "stack/.env": env,
    }
    plan = planner.make(source.inventory)
    team = composefile.load("stack/base.yml", files.get)
    assert isinstance(team, composefile.TeamFile)
    (one,) = plan.hosts
    for found in team_files.contradictions(one, one.overrides[0], team):
        assert found.message
        assert source.at(found.key_path).line > 1


# --- a network that compose does not make ----------------------------------------------------------


@pytest.fixture
def outside(shop: Path) -> Path:
    """The same project in a network that somebody makes by hand."""
    network = "network: {name: shop-net, "
    (shop / "inventory.yaml").write_text(INVENTORY.replace(network, f"{network}external: true, "))
    return shop


@pytest.mark.parametrize(
    "written",
    ["{external: true}", "{external: true, name: shop-net}", "{external: {name: shop-net}}", "{}"],
)
def test_an_external_network_may_be_external_there_too(
    written: str, outside: Path, portgen: Portgen
):
    base(outside, f"networks:\n  shop-net: {written}\n")
    assert findings(portgen) == []


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("{driver: bridge}", "driver: bridge"),
        ("{ipam: {config: [{subnet: 172.31.8.0/24}]}}", "subnet: 172.31.8.0/24"),
        ("{external: true, name: other}", "name: other"),
    ],
)
def test_what_would_make_an_external_network_is_a_contradiction(
    written: str, what: str, outside: Path, portgen: Portgen
):
    base(outside, f"networks:\n  shop-net: {written}\n")
    found = findings(portgen)
    assert found[0].startswith(NET.format(line=6, what=what)), found


def test_addresses_in_an_external_network_are_compared_too(outside: Path, portgen: Portgen):
    taken = "{image: x, networks: {shop-net: {ipv4_address: 172.31.8.16}}}"
    base(outside, mail=taken)
    (found,) = findings(portgen)
    assert "gives mail the address 172.31.8.16 in shop-net, which web has" in found
