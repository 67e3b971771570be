"""What is written passes lint: who owns which ports, who is published unguarded, which address is whose."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portgen import adopt, chain
from portgen.adopt import Adopted, Sources, Text
from portgen.plan import planner
from portgen.plan.types import Service

HEAD = "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
DENY = Text("ufw", "ufw.txt", "Status: active\nDefault: deny (incoming)\n", "ufw.txt")


def compose(text: str, folder: str = "web", name: str = "docker-compose.yml") -> Text:
    shown = f"{folder}/{name}"
    return Text("compose", shown, text, shown, folder, shown)


def of_ports(*ports: str) -> Text:
    return compose(f"services:\n  app:\n    ports: {list(ports)}\n")


def socket(netid: str, local: str, program: str) -> str:
    state = "LISTEN" if netid == "tcp" else "UNCONN"
    return f'{netid} {state} 0 128 {local} *:* users:(("{program}",pid=7,fd=3))\n'


def ss(*sockets: str) -> Text:
    return Text("ss", "ss.txt", "".join((HEAD, *sockets)), "ss.txt")


def adopted(*texts: Text) -> Adopted:
    by_name = {one.name: one.text for one in texts}
    return adopt.adopt(Sources(texts, by_name.get), "box")


def errors(result: Adopted) -> list[tuple[str, str]]:
    problems = chain.check_source(result.source).problems
    return [(one.rule, one.message) for one in problems if chain.failed([one])]


def services(result: Adopted) -> dict[str, Service]:
    return {one.name: one for one in planner.make(result.source.inventory).services}


def owned(result: Adopted) -> dict[str, str]:
    projects = result.source.inventory.projects
    return {name: str(project.ports) for name, project in projects.items()}


def whys(result: Adopted) -> list[tuple[str, str]]:
    lists = result.lists
    return [(one.said.text, one.why) for one in (*lists.different, *lists.left)]


def test_a_port_of_one_protocol_is_not_joined_to_its_neighbours() -> None:
    listed = [socket("tcp", f"0.0.0.0:{port}", "docker-proxy") for port in (5000, 5001)]
    result = adopted(
        of_ports("5000:80", "5001:81"), ss(socket("udp", "0.0.0.0:5000", "player"), *listed)
    )
    assert owned(result) == {"web": "5000/tcp, 5001, 5100-5199", "programs": "5000/udp"}
    assert errors(result) == []


def test_neighbours_of_one_protocol_are_one_range() -> None:
    listed = [socket("udp", f"0.0.0.0:{port}", "player") for port in (5000, 5001, 5003)]
    result = adopted(of_ports("5000:80", "5001:81", "5002:82"), ss(*listed))
    assert owned(result) == {
        "web": "5000-5001/tcp, 5002, 5100-5199",
        "programs": "5000-5001/udp, 5003",
    }
    assert errors(result) == []


UNGUARDED = ["[::]:8001:80", "[2001:db8::1]:8001:80", "0.0.0.0:8001:80", "8001:80"]


@pytest.mark.parametrize("firewall", [[], [DENY]])
@pytest.mark.parametrize("mapping", UNGUARDED)
def test_what_docker_publishes_without_a_guard_is_written_as_it_is(
    mapping: str, firewall: list[Any]
) -> None:
    assert errors(adopted(of_ports(mapping), *firewall)) == []


def test_that_nobody_comes_by_ipv6_any_more_is_a_difference() -> None:
    result = adopted(of_ports("[::]:8001:80"), DENY)
    assert ("[::]:8001:80", "is published on 127.0.0.1, and not by IPv6") in whys(result)


TWICE = [
    ("0.0.0.0:8000", "[::1]:8000"),
    ("[::1]:8000", "0.0.0.0:8000"),
    ("192.168.1.5:8000", "[::1]:8000", "0.0.0.0:8000"),
    ("192.168.1.5:8000", "10.0.0.1:8000", "*:8000"),
]


@pytest.mark.parametrize("places", TWICE)
def test_a_program_at_all_addresses_of_a_family_has_the_port_once(places: tuple[str, ...]) -> None:
    result = adopted(ss(*(socket("tcp", place, "app") for place in places)))
    assert [port.bind for port in services(result)["app"].ports] == ["::"]
    assert (errors(result), result.conflicts) == ([], ())
    assert len(result.lists.taken) == len(places)


AT_ANOTHER = "app has this port at another address (ss.txt:"
ALL = "and an inventory has a program on one address, or on every one of both families"


@pytest.mark.parametrize("places", [("0.0.0.0:8000", "[::1]:8000"), ("[::1]:8000", "[::]:8001")])
def test_programs_at_single_addresses_keep_them(places: tuple[str, ...]) -> None:
    one, other = (
        socket("tcp", place, name) for place, name in zip(places, ("app", "other"), strict=True)
    )
    result = adopted(ss(one, other))
    assert errors(result) == []
    assert [one for _, one in whys(result)] == (
        [] if "[::]:8001" in places else [f"{AT_ANOTHER}2), {ALL}"]
    )


def test_a_program_at_all_ipv4_addresses_gives_way_to_a_container_at_one_of_ipv6() -> None:
    result = adopted(of_ports("[2001:db8::1]:8000:80"), ss(socket("tcp", "0.0.0.0:8000", "other")))
    assert list(services(result)) == ["app"]
    assert errors(result) == []
    whole = "app has this port at another address (web/docker-compose.yml:3)"
    assert [one for _, one in whys(result)] == [f"{whole}, {ALL}"]


NETWORK = "networks:\n  net: {ipam: {config: [{subnet: 172.20.0.0/24}]}}\n"
SAME_NUMBER = """\
services:
  dns: {ports: ["8000:53/udp"], networks: [net]}
  web: {ports: ["8000:80"], networks: [net]}
  other: {ports: ["8002:80"], networks: {net: {ipv4_address: 172.20.0.5}}}
  db: {image: postgres, networks: {net: {ipv4_address: 172.20.0.2}}}
"""


def addresses(result: Adopted) -> dict[str, str]:
    return {name: str(one.address) for name, one in services(result).items()}


def test_two_containers_with_one_number_have_two_addresses() -> None:
    result = adopted(compose(SAME_NUMBER + NETWORK))
    assert errors(result) == []
    assert addresses(result) == {"dns": "172.20.0.16", "web": "172.20.0.3", "other": "172.20.0.5"}
    assert ("network net", "web gets a fixed address: 172.20.0.3") in whys(result)


def test_an_address_that_a_file_gives_to_another_is_not_taken() -> None:
    fixed = SAME_NUMBER.replace("172.20.0.5", "172.20.0.16")
    result = adopted(compose(fixed + NETWORK))
    assert errors(result) == []
    assert addresses(result)["other"] == "172.20.0.16"
    without = adopted(compose(SAME_NUMBER.replace("172.20.0.2}", "172.20.0.16}") + NETWORK))
    assert "172.20.0.16" not in addresses(without).values()


PUBLISHED = """\
services:
  web: {ports: ["127.0.0.1:8080:80"], networks: {net: {ipv4_address: 172.20.0.ADDRESS}}}
"""


def unit(listen: int, address: str, *options: str) -> Text:
    words = ["/usr/bin/socat", *options, f"TCP-LISTEN:{listen},fork,reuseaddr", f"TCP:{address}"]
    text = f"[Service]\nExecStart={' '.join(words)}\n"
    return Text("units", f"fw-{listen}.service", text, f"fw-{listen}.service")


def test_a_second_way_to_a_port_of_a_container_is_a_forwarder_to_its_address() -> None:
    text = compose(PUBLISHED.replace("ADDRESS", "5") + NETWORK)
    result = adopted(text, unit(9000, "172.20.0.5:80"), unit(9001, "172.20.0.5:81"))
    assert errors(result) == []
    assert {name: str(one.to or "") for name, one in services(result).items()} == {
        "web": "",
        "fw-9000": "172.20.0.5:80",
        "fw-9001": "",
    }


def test_it_is_left_where_the_address_changes() -> None:
    text = compose(PUBLISHED.replace("ADDRESS", "200") + NETWORK)
    rule = "### tuple ### allow tcp 9000 0.0.0.0/0 any 10.0.0.0/8 in"
    rules = Text("ufw", "user.rules", rule, "user.rules")
    why = "web has port 80 of the container already, and another way to it"
    for more in ((), (ss(socket("tcp", "0.0.0.0:9000", "socat")),)):
        result = adopted(text, unit(9000, "172.20.0.200:80"), rules, *more)
        assert list(services(result)) == ["web"]
        assert errors(result) == []
        assert why in [one for _, one in whys(result)]
        assert "rule-without-holder" not in {one.kind for one in result.conflicts}


TWO = 'services:\n  app:\n    ports: ["8080:80"]\n  two:\n    ports: ["8081:81"]\n'
MORE = 'services:\n  app:\n    environment: {A: b}\n    ports: ["8082:82"]\n'
BESIDE = ["docker-compose.override.yml", "compose.override.yaml", "docker-compose.prod.yml"]


@pytest.mark.parametrize("name", BESIDE)
def test_the_file_of_a_project_is_the_one_that_compose_reads_by_itself(name: str) -> None:
    beside, base = compose(MORE, name=name), compose(TWO)
    for texts in ((beside, base), (base, beside)):
        result = adopted(*texts)
        project = result.source.inventory.projects["web"]
        assert project.compose is not None
        assert project.compose.file == "web/docker-compose.yml"
        assert [port.port for port in services(result)["app"].ports] == [8080, 8082]


def test_an_override_alone_is_no_file_of_a_project() -> None:
    result = adopted(compose(MORE, name="docker-compose.override.yml"))
    assert result.source.inventory.projects["web"].compose is None


def test_what_stays_in_a_compose_file_is_named() -> None:
    several = '["8002:80", "9000-9003:9000", "5060:5060/sctp", "${UNSET}:80"]'
    text = f"services:\n  app:\n    image: x\n    ports: {several}\n"
    [step] = adopted(compose(text)).steps
    assert step == (
        "web/docker-compose.yml:4: take out of `ports:` what portgen's override publishes, and keep "
        "`9000-9003:9000`, `5060:5060/sctp`, `${UNSET}:80`: the inventory has no such port, and "
        "`ignore: {compose-file: …}` of its service says so"
    )
    [step] = adopted(of_ports("8002:80", "8003:81")).steps
    assert step.startswith("web/docker-compose.yml: take `ports:` out (line 3):")
    assert adopted(of_ports("5060:5060/sctp")).steps == ()


def test_a_protocol_may_have_capitals() -> None:
    result = adopted(of_ports("8104:80/TCP", "8105:81/Udp"))
    assert [str(port.endpoint) for port in services(result)["app"].ports] == [
        "8104/tcp",
        "8105/udp",
    ]
    assert errors(result) == []


def hosted(environment: str, image: str = "x", mode: str = "host") -> Text:
    app = f"{{image: {image}, network_mode: {mode}, environment: {environment}}}"
    return compose(f"services:\n  app: {app}\n  vpn: {{ports: ['8080:8080', '6379:6379']}}\n")


OTHERS = [
    "{DB_PORT: 5432}",
    "{SMTP_PORT: 587, SMTP_SERVER_PORT: 587}",
    "{SERVER_PORT: 9443, SERVER_HOST: up.example.com}",
    "[PORT=5432, HOST=db.example.com]",
    "{EXPORT: 5432, PORTS: 5432}",
]
OWN = [
    "{PORT: 3000}",
    "[WEBUI_PORT=3000]",
    "{APP_PORT: 3000, DB_PORT: 5432}",
    "{HTTP_PORT: 3000, HTTP_HOST: 0.0.0.0}",
    "{QBT_WEBUI_PORT: 3000}",
    "{app_http_port: 3000}",
]


@pytest.mark.parametrize("environment", OTHERS)
def test_a_variable_that_names_somebody_elses_port_is_none_of_the_containers(
    environment: str,
) -> None:
    assert "app" not in services(adopted(hosted(environment)))


@pytest.mark.parametrize("environment", OWN)
def test_a_variable_for_its_own_port_is(environment: str) -> None:
    app = services(adopted(hosted(environment)))["app"]
    assert [port.port for port in app.ports] == [3000]


def test_a_program_that_is_known_by_its_name_is_not_the_container() -> None:
    listed = ss(socket("tcp", "0.0.0.0:5432", "postgres"))
    found = services(adopted(hosted("{PORT: 5432}"), listed))
    assert {name: one.via for name, one in found.items() if name != "vpn"} == {
        "postgresql": "process"
    }
    found = services(adopted(hosted("{PORT: 5432}", "docker.io/postgres:16"), listed))
    assert {name: one.via for name, one in found.items() if name != "vpn"} == {"app": "host"}


def test_the_port_of_a_vpn_is_not_whose_variable_names_anothers() -> None:
    found = services(adopted(hosted("{REDIS_PORT: 6379, PORT: 8080}", mode='"service:vpn"')))
    assert {name: [port.port for port in one.ports] for name, one in found.items()} == {
        "app": [8080],
        "vpn": [6379],
    }


def test_a_container_takes_no_port_of_nginxs_or_the_systems() -> None:
    nginx = "server { listen 80; server_name a.example.com; location / { proxy_pass http://127.0.0.1:81; } }"
    texts = [
        hosted("{PORT: 80, HTTPS_PORT: 53}"),
        Text("nginx", "site.conf", nginx, "site.conf"),
        ss(
            socket("udp", "127.0.0.53:53", "systemd-resolve"),
            socket("tcp", "127.0.0.53:53", "systemd-resolve"),
        ),
    ]
    result = adopted(*texts)
    assert "app" not in services(result)
    assert errors(result) == []


def test_an_entry_for_each_family_is_no_difference() -> None:
    result = adopted(of_ports("0.0.0.0:8127:80", "[::]:8127:80"))
    assert whys(result) == []
    assert len(result.lists.taken) == 2
    one = adopted(of_ports("0.0.0.0:8127:80", "[::]:8127:80"), DENY)
    assert whys(one) == [("[::]:8127:80", "is published on 0.0.0.0, and not by IPv6")]


def container(number: int) -> dict[str, Any]:
    binding = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(9000 + number)}]}
    labels = {"com.docker.compose.project": "web", "com.docker.compose.service": "app"}
    return {
        "Id": f"id{number}",
        "Name": f"/web-app-{number}",
        "State": {"Running": True},
        "Config": {"Labels": labels},
        "HostConfig": {"PortBindings": binding},
        "NetworkSettings": {"Ports": binding},
    }


def test_that_a_service_has_several_containers_is_a_difference() -> None:
    why = "an inventory knows one container of a service: of web-app-1, web-app-2 it gets the ports of all"
    listed = json.dumps([container(1), container(2)], indent=1)
    result = adopted(Text("docker", "i.json", listed, "i.json"))
    seen = [(one.said.text, one.why) for one in result.lists.different if why in one.why]
    assert [text for text, _ in seen] == ["app: 0.0.0.0:9001->80/tcp", "app: 0.0.0.0:9002->80/tcp"]
    alone = adopted(Text("docker", "i.json", json.dumps([container(1)], indent=1), "i.json"))
    assert not any("one container" in one for _, one in whys(alone))


def test_two_projects_may_have_one_number_at_two_addresses() -> None:
    listed = ss(socket("tcp", "192.168.1.6:8003", "node"))
    result = adopted(of_ports("192.168.1.5:8003:80"), listed)
    assert sorted(services(result)) == ["app", "node-8003"]
    assert errors(result) == []


def test_docker_at_other_addresses_is_another_container() -> None:
    listed = ss(socket("tcp", "0.0.0.0:8000", "docker-proxy"))
    result = adopted(of_ports("[2001:db8::1]:8000:80"), listed)
    assert list(services(result)) == ["app"]
    assert errors(result) == []
    assert [one.said.file for one in result.lists.left] == ["ss.txt"]


def test_what_ss_shows_of_addresses_counts_more_than_a_units_command() -> None:
    text = "[Service]\nExecStart=/usr/bin/app --port 8000\n"
    listed = ss(socket("tcp", "127.0.0.1:8000", "app"))
    result = adopted(listed, Text("units", "app.service", text, "app.service"))
    assert [port.bind for port in services(result)["app"].ports] == ["127.0.0.1"]
