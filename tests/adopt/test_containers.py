"""Containers as files and docker say them: which one has which port, and what another file takes back."""

from __future__ import annotations

import json

import pytest

from portgen import adopt
from portgen.adopt import Adopted, Sources, Text
from portgen.plan import planner
from portgen.plan.types import Service
from tests.limit import ends


def compose(text: str, folder: str = "stack", name: str = "docker-compose.yml") -> Text:
    return Text("compose", f"{folder}/{name}", text, name, folder)


def adopted(*texts: Text) -> Adopted:
    by_name = {one.name: one.text for one in texts}
    return adopt.adopt(Sources(texts, by_name.get), "box")


def services(result: Adopted) -> dict[str, Service]:
    return {one.name: one for one in planner.make(result.source.inventory).services}


def ports(result: Adopted) -> dict[str, tuple[str, ...]]:
    found = {}
    for service in services(result).values():
        found.update({f"{service.name} {port.endpoint}": port.sources for port in service.ports})
    return found


UNFIT = {
    "${LAN_IP}:8083:80": "an address that an inventory can't have, or a variable that is set nowhere",
    "[fe80::1]:8083:80": "an address that an inventory can't have, or a variable that is set nowhere",
    "8083:0": "not a port of a container",
    "8083:80/sctp": "an inventory knows ports of tcp and udp up to 65535",
    "30000-31999:30000-31999": "an entry of an inventory has at most 1,000 ports",
}


@pytest.mark.parametrize("mapping", UNFIT)
def test_what_an_inventory_can_not_have_opens_nothing(mapping: str) -> None:
    result = adopted(compose(f'services:\n  web:\n    ports: ["{mapping}"]\n'))
    assert result.source.inventory.projects == {}
    assert [one.why for one in result.lists.left] == [UNFIT[mapping]]


@pytest.mark.parametrize("mode", ["host", "none", "service:other", "container:vpn"])
def test_docker_publishes_nothing_of_a_container_without_a_network_of_its_own(mode: str) -> None:
    text = f'services:\n  web:\n    network_mode: "{mode}"\n    ports: ["8083:80"]\n'
    result = adopted(compose(text))
    assert result.source.inventory.projects == {}
    assert 4 in {one.said.line for one in result.lists.left}


def test_what_another_file_takes_back_is_not_published() -> None:
    base = 'services:\n  db:\n    ports: ["5432:5432"]\n  web:\n    ports: ["8080:80"]\n'
    override = (
        "services:\n  db:\n    ports: !reset []\n"
        '  web:\n    ports: !override ["127.0.0.1:8080:80"]\n'
    )
    result = adopted(compose(base), compose(override, name="docker-compose.override.yml"))
    assert ports(result) == {"web 8080/tcp": ()}
    assert {one.said.line for one in result.lists.left} == {3, 5}


def ps(name: str, mapping: str) -> Text:
    head = f"{'CONTAINER ID':<15}{'IMAGE':<8}{'PORTS':<40}NAMES"
    return Text("docker", "ps.txt", f"{head}\n{'0c55':<15}{'x':<8}{mapping:<40}{name}\n", "ps.txt")


NAMES = {
    "jelly": "    container_name: jelly\n",
    "my-app-web-1": "",
    "my-app_web_1": "",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_container_that_docker_lists_is_the_one_of_the_file(name: str) -> None:
    """So its narrower address counts, and it is nobody else's port."""
    text = f'services:\n  web:\n{NAMES[name]}    ports: ["8096:80"]\n'
    result = adopted(compose(text, "my-app"), ps(name, "127.0.0.1:8096->80/tcp"))
    assert result.conflicts == ()
    assert ports(result) == {"web 8096/tcp": ()}


def container(name: str, *, runs: bool, port: str, transport: str = "tcp") -> dict[str, object]:
    binding = {f"80/{transport}": [{"HostIp": "127.0.0.1" if runs else "", "HostPort": port}]}
    return {
        "Id": name,
        "Name": f"/{name}",
        "State": {"Running": runs},
        "HostConfig": {"PortBindings": binding},
        "NetworkSettings": {"Ports": binding if runs else {}},
    }


def test_a_container_that_runs_has_its_port_whatever_another_asks_for() -> None:
    listed = [
        container("old-web", runs=False, port="8080"),
        container("new-web", runs=True, port="8080"),
    ]
    result = adopted(Text("docker", "i.json", json.dumps(listed), "i.json"))
    assert ports(result) == {"new-web 8080/tcp": ()}
    assert [one.kind for one in result.conflicts] == ["two-holders"]
    assert "write a compose file for new-web" in result.steps[0]


def test_a_port_of_sctp_is_not_one_of_tcp() -> None:
    listed = [container("core", runs=True, port="38412", transport="sctp")]
    result = adopted(Text("docker", "i.json", json.dumps(listed), "i.json"))
    assert result.source.inventory.projects == {}
    assert {one.why for one in result.lists.left} == {"an inventory knows ports of tcp and udp"}


def test_two_projects_whose_names_look_alike_stay_two() -> None:
    one = compose('services:\n  web:\n    ports: ["8080:80"]\n', "my_app")
    other = compose('services:\n  web:\n    ports: ["8081:3000"]\n', "my-app")
    result = adopted(one, other)
    assert list(result.source.inventory.projects) == ["my-app", "my-app-2"]
    assert {name: one.project for name, one in services(result).items()} == {
        "web": "my-app",
        "my-app-2-web": "my-app-2",
    }


def test_a_project_may_not_be_called_as_a_word_of_an_inventory() -> None:
    result = adopted(compose('services:\n  web:\n    ports: ["8080:80"]\n', "any"))
    assert list(result.source.inventory.projects) == ["any-project"]


ISOLATED = """\
services:
  proxy: {ports: ["8080:80"], networks: [web]}
  db: {ports: ["127.0.0.1:5432:5432"], networks: [back]}
networks:
  web: {name: web, ipam: {config: [{subnet: 172.28.0.0/24}]}}
  back: {internal: true}
"""


def test_no_container_is_put_into_a_network_that_it_is_not_in() -> None:
    """All who are in it would reach the database from then on."""
    result = adopted(compose(ISOLATED))
    assert [project.network for project in result.source.inventory.projects.values()] == [None]
    together = adopted(compose(ISOLATED.replace("[back]", "[back, web]")))
    networks = [project.network for project in together.source.inventory.projects.values()]
    assert [network.name for network in networks if network] == ["web"]


SHARED = """\
services:
  {name}: {{ports: ["{port}:80"], networks: [proxy]}}
networks:
  proxy: {{external: true, ipam: {{config: [{{subnet: 172.28.0.0/24}}]}}}}
"""


def test_projects_in_one_network_have_an_address_for_each_port() -> None:
    texts = [
        compose(SHARED.format(name=name, port=port), name)
        for name, port in (("chat", 3000), ("wiki", 4000), ("mail", 5000))
    ]
    result = adopted(*texts)
    ranges = [str(project.ports) for project in result.source.inventory.projects.values()]
    assert ranges == ["3000-3009", "4000-4009", "5000-5009"]
    assert all(service.address is not None for service in services(result).values())


def test_an_address_of_the_half_that_docker_chooses_from_changes() -> None:
    text = """\
services:
  web: {ports: ["8080:80"], networks: {front: {ipv4_address: 172.28.0.200}}}
networks:
  front: {name: front, ipam: {config: [{subnet: 172.28.0.0/24}]}}
"""
    result = adopted(compose(text))
    whys = [one.why for one in result.lists.different]
    assert len(whys) == 1
    assert whys[0].startswith("the address of web becomes 172.28.0.")


BINDING = "com.docker.network.bridge.host_binding_ipv4"
LOCAL = f"{{driver_opts: {{{BINDING}: 192.168.1.9}}}}"
BOUND = {
    "its network": ("networks: [a], ", f"{{a: {LOCAL}}}", ["192.168.1.9"]),
    "the default network": ("", f"{{default: {LOCAL}}}", ["192.168.1.9"]),
    "each of its networks": ("networks: [a, b], ", f"{{a: {LOCAL}, b: {LOCAL}}}", ["192.168.1.9"]),
    "a network of others": ("", f"{{a: {LOCAL}}}", [""]),
    "docker's own network": ("network_mode: bridge, ", f"{{default: {LOCAL}}}", [""]),
    "every address": ("", f"{{default: {LOCAL.replace('192.168.1.9', '0.0.0.0')}}}", [""]),
    "one of its networks": ("networks: [a, b], ", f"{{a: {LOCAL}, b: {{}}}}", []),
    "an unknown variable": ("", f"{{default: {LOCAL.replace('192.168.1.9', '$WHERE')}}}", []),
    "no mapping": ("", f"{{default: {{driver_opts: ['{BINDING}=192.168.1.9']}}}}", []),
}


@pytest.mark.parametrize("case", BOUND)
def test_a_port_without_an_address_has_that_of_its_network(case: str) -> None:
    """docker publishes it there, and everybody could come to it elsewhere."""
    networks, options, wanted = BOUND[case]
    text = (
        f'services:\n  web: {{{networks}ports: ["8002:80", "192.168.1.5:8003:80"]}}\n'
        f"networks: {options}\n"
    )
    result = adopted(compose(text))
    planned = [port for one in services(result).values() for port in one.ports]
    assert [port.address for port in planned if port.port == 8002] == wanted
    assert [port.address for port in planned if port.port == 8003] == ["192.168.1.5"]
    left = [one.why for one in result.lists.left if one.said.text == "8002:80"]
    assert [BINDING in why for why in left] == ([] if wanted else [True])


def test_the_options_of_a_network_count_in_each_file_that_names_it() -> None:
    base = f"services: {{}}\nnetworks:\n  a: {LOCAL}\n"
    other = (
        'services:\n  web: {networks: [x], ports: ["8002:80"]}\n'
        "networks: {x: {external: true, name: base_a}}\n"
    )
    for order in ([0, 1], [1, 0]):
        files = [compose(base, "base"), compose(other)]
        assert ports(adopted(*(files[one] for one in order))) == {
            "web 192.168.1.9:8002/tcp": ("0.0.0.0/0",)
        }


def test_a_network_of_this_host_alone_opens_nothing() -> None:
    text = f'services:\n  web: {{ports: ["8002:80"]}}\nnetworks: {{default: {LOCAL}}}\n'
    status = Text("ufw", "u.txt", "Status: active\nDefault: deny (incoming)\n", "u.txt")
    result = adopted(compose(text.replace("192.168.1.9", "127.0.0.1")), status)
    assert [port.sources for one in services(result).values() for port in one.ports] == [()]
    assert result.conflicts == ()


@pytest.mark.parametrize(
    ("beside", "is_own"),
    [
        ("HTTP_HOST: db", False),
        ("HTTPHOST: db", False),
        ("http_address: 10.0.0.5", False),
        ("HTTP_HOST: 0.0.0.0", True),
        ("HTTP_HOST_NAME: db", True),
        ("WEB_HOST: db", True),
    ],
)
def test_a_port_beside_its_host_is_that_hosts(beside: str, is_own: bool) -> None:
    content = (
        "services:\n  app:\n    image: x\n    network_mode: host\n    environment:\n"
        f"      HTTP_PORT: '5400'\n      {beside}\n"
    )
    text = Text("compose", "c.yml", content, "c.yml", "web")
    found = adopt.sight(Sources([text], {"c.yml": content}.get))
    assert [one.port for one in found.hints] == [5400] * is_own


def test_many_variables_take_no_time() -> None:
    pairs = "".join(f"      A{n}_PORT: '{n}'\n      A{n}_HOST: db\n" for n in range(10, 5000))
    content = f"services:\n  app:\n    network_mode: host\n    environment:\n{pairs}"
    text = Text("compose", "c.yml", content, "c.yml", "web")
    with ends():
        assert adopt.sight(Sources([text], {"c.yml": content}.get)).hints == []
