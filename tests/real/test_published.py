"""Ports that docker publishes, which ufw's own rules do not see: the guard keeps `allow` true for them.

The estate here is the repository's, extended by published services, udp, and services of several ports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.estates import planned
from tests.limit import HANGS
from tests.prove import docker_chains
from tests.prove.contents import contents
from tests.real.estate import HOST, NEIGHBOUR, Estate, edit
from tests.real.testhost import wait_until

# Joins the dashboard project, whose defaults it inherits: container port 5000, allow: [lan], a route.
EXTENSION = """\
      published-to-lan:
        title: Published to the LAN
        port: 5300
        via: docker
      published-here:
        title: Published on this host only
        port: 5301
        via: docker
        allow: []
      published-to-all:
        title: Published to everybody
        port: 5302
        via: docker
        allow: [any]
      published-ports:
        title: Published on several ports
        via: docker
        route: null
        ports:
          - {port: 5303, container_port: 5353, protocol: udp}
          - {port: 5304, container_port: 5432, protocol: tcp}
      forwarded-ports:
        title: Forwarded from several ports
        ports:
          - {port: 5305, container_port: 5000}
          - {port: 5306, container_port: 5432, protocol: tcp}
          - {port: 5307, container_port: 5353, protocol: udp}
      forwarded-to-all:
        title: Forwarded to everybody
        port: 5308
        allow: [any]

  es-inventory-hub:
    title: ES Inventory Hub
"""

# What ufw-docker (github.com/chaifeng/ufw-docker) adds to after.rules, its `:DOCKER-USER` line that
# empties the chain at each reload included.
UFW_DOCKER = """\
# BEGIN UFW AND DOCKER
*filter
:ufw-user-forward - [0:0]
:ufw-docker-logging-deny - [0:0]
:DOCKER-USER - [0:0]
-A DOCKER-USER -j ufw-user-forward

-A DOCKER-USER -j RETURN -s 10.0.0.0/8
-A DOCKER-USER -j RETURN -s 172.16.0.0/12
-A DOCKER-USER -j RETURN -s 192.168.0.0/16

-A DOCKER-USER -p udp -m udp --sport 53 --dport 1024:65535 -j RETURN

-A DOCKER-USER -j ufw-docker-logging-deny -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -d 192.168.0.0/16
-A DOCKER-USER -j ufw-docker-logging-deny -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -d 10.0.0.0/8
-A DOCKER-USER -j ufw-docker-logging-deny -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -d 172.16.0.0/12
-A DOCKER-USER -j ufw-docker-logging-deny -p udp -m udp --dport 0:32767 -d 192.168.0.0/16
-A DOCKER-USER -j ufw-docker-logging-deny -p udp -m udp --dport 0:32767 -d 10.0.0.0/8
-A DOCKER-USER -j ufw-docker-logging-deny -p udp -m udp --dport 0:32767 -d 172.16.0.0/12

-A DOCKER-USER -j RETURN

-A ufw-docker-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW DOCKER BLOCK] "
-A ufw-docker-logging-deny -j DROP

COMMIT
# END UFW AND DOCKER
"""

RULES = "/etc/ufw/after.rules"
SCRIPT = "/srv/portgen/output/es-docker/ufw/portgen-ufw.sh"


def chain(estate: Estate, name: str) -> list[str]:
    """The rules of a chain, in order; none where it does not exist."""
    return [
        line
        for line in estate.host.run("iptables", "-S", name, check=False).stdout.splitlines()
        if line.startswith("-A")
    ]


def test_without_the_guard_anyone_reaches_a_published_port_whatever_ufw_says(
    estate: Estate,
) -> None:
    """Why there is a guard at all. Were this to fail, the tests below would prove nothing."""
    options = (
        "--detach",
        "--rm",
        "--name",
        "unguarded",
        "--network",
        "es-dashboards",
        "--publish",
        "0.0.0.0:5390:5000",
    )
    app = "/srv/dashboard/app.py:/app.py:ro"
    try:
        estate.host.run(
            "docker",
            "run",
            *options,
            "--volume",
            app,
            "--env",
            "NAME=unguarded",
            "dashboard",
            "python3",
            "/app.py",
        )
        estate.host.run("ufw", "deny", "5390/tcp")
        address = estate.host.run(
            "docker",
            "inspect",
            "--format",
            "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
            "unguarded",
        ).stdout
        targets = [(HOST["outside"], 5390, "tcp"), (address.strip(), 5000, "tcp")]
        wait_until("it is open", lambda: estate.reach("outside", targets) == ["open", "open"])
    finally:
        estate.host.run("ufw", "delete", "deny", "5390/tcp")
        estate.host.run("docker", "stop", "--time", "1", "unguarded")


def extended(folder: Path, *replacements: tuple[str, str]) -> Path:
    """The extended project, with texts of the extension replaced."""
    return edit(
        folder, ("  es-inventory-hub:\n    title: ES Inventory Hub\n", EXTENSION), *replacements
    )


@pytest.fixture(scope="module")
def published(installed: Estate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """The extended estate; when it goes, nothing of the guard may stay."""
    project = extended(tmp_path_factory.mktemp("published") / "project")
    before = (
        installed.host.read(RULES),
        installed.host.run("sh", "-c", "cat /etc/ufw/after.init; ls -l /etc/ufw").stdout,
    )
    with installed.changed(project):
        yield installed
    assert "PORTGEN-GUARD" not in installed.host.run("iptables-save").stdout
    after = (
        installed.host.read(RULES),
        installed.host.run("sh", "-c", "cat /etc/ufw/after.init; ls -l /etc/ufw").stdout,
    )
    assert after[0] == before[0]
    assert "PORTGEN-GUARD" not in after[1]


def holds(estate: Estate) -> None:
    """What `allow` says is reachable, by any of the host's addresses; nothing else is, nor a
    container by its own address.

    Two exceptions that take nothing from that: who is allowed by `any` may as well use the
    container's address, and a udp forwarder answers from the address that faces the visitor, so
    only that one is tried where it should be open.
    """
    addresses = estate.addresses()
    services = [service for service in estate.declared.services if 5300 <= service.port <= 5308]
    assert len(services) == 6
    for netns, source in NEIGHBOUR.items():
        expected: dict[tuple[str, int, str], bool] = {}
        for service in services:
            may = estate.declared.allows(service, source)
            for port in service.ports:
                for place, address in HOST.items():
                    if not (
                        may
                        and port.transport == "udp"
                        and service.via == "socat"
                        and place != netns
                    ):
                        expected[address, port.number, port.transport] = may
                if service.via == "socat" or service.allow != ("any",):
                    expected[addresses[service.name], port.container, port.transport] = False
        seen = dict(zip(expected, estate.reach(netns, expected), strict=True))
        wrong = {target: how for target, how in seen.items() if (how == "open") != expected[target]}
        assert wrong == {}, f"from {netns}"


def test_a_published_port_is_reachable_by_those_it_allows_and_by_no_other_way(
    published: Estate,
) -> None:
    holds(published)


def test_a_published_service_is_found_by_its_route_whoever_may_use_its_port(
    published: Estate,
) -> None:
    for netns in NEIGHBOUR:
        services = [
            published.declared.service(name)
            for name in (
                "published-to-lan",
                "published-here",
                "published-to-all",
                "forwarded-ports",
            )
        ]
        assert published.who_answers(services, netns=netns) == {
            service.name: service.name for service in services
        }


def test_a_published_container_still_reaches_the_host_and_its_neighbours(published: Estate) -> None:
    """The guard stands in the way of visitors, not of answers."""
    listener = published.host.start(
        "python3",
        "-m",
        "http.server",
        "8000",
        "--bind",
        NEIGHBOUR["outside"],
        netns="outside",
    )
    try:
        ask = (
            f"import urllib.request as u; print(u.urlopen('http://{NEIGHBOUR['outside']}:8000/', "
            "timeout=3).status)"
        )
        listening = [(NEIGHBOUR["outside"], 8000, "tcp")]
        wait_until(
            "the neighbour listens",
            lambda: published.reach("outside", listening) == ["open"],
        )
        for name in ("published-to-lan", "published-here"):
            assert published.compose("exec", "-T", name, "python3", "-c", ask).strip() == "200"
        ask = "import urllib.request as u; print(u.urlopen('http://published-here:5000/', timeout=3).status)"
        assert (
            published.compose("exec", "-T", "smartnumbers", "python3", "-c", ask).strip() == "200"
        )
    finally:
        # Ending `docker exec` would not end what runs in the host.
        published.host.run("pkill", "--full", "http.server 8000")
        listener.communicate(timeout=HANGS)


def test_the_copies_of_hosts_have_dockers_own_chains(published: Estate) -> None:
    """Copies of hosts, on which `make prove` asks who reaches what, have no dockerd: their chains are written
    as dockerd would. Here is one that has written them."""
    plan = planned((published.project / "inventory.yaml").read_bytes())
    made = contents(plan.hosts[0])
    text = published.host.run("iptables-save").stdout
    subnet = re.search(r"-A POSTROUTING -s (\S+) ! -o docker0 ", text)
    assert subnet is not None
    bridges = [docker_chains.Bridge("docker0", subnet[1])]
    links = {}
    for net in made.nets:
        shown = published.host.run("docker", "network", "inspect", "--format", "{{.Id}}", net.name)
        links[net.link] = f"br-{shown.stdout[:12]}"
        bridges.append(net.bridge._replace(link=links[net.link]))
    ports = [one._replace(link=links[one.link]) for one in made.published]
    wanted = docker_chains.chains(4, bridges, ports, ["-j PORTGEN-GUARD"])
    assert wanted is not None
    assert len(ports) > 4
    found = docker_chains.alike(docker_chains.saved(text))
    assert found == docker_chains.alike(wanted.tables)


def test_while_ports_are_swapped_nobody_ever_gets_what_is_not_for_them(
    published: Estate, tmp_path: Path
) -> None:
    """A service for the lan and one for all exchange their ports: visitors from outside never meet the
    former, on neither."""
    project = extended(
        tmp_path / "project",
        *(
            ("        port: 5300\n", "        port: 5302#\n"),
            ("        port: 5302\n", "        port: 5300\n"),
            ("5302#", "5302"),
        ),
        *(("- {port: 5305,", "- {port: 5308,"), ("        port: 5308\n", "        port: 5305\n")),
    )
    at = HOST["outside"]
    doors = {
        5300: "published-to-all",
        5302: "published-to-all",
        5305: "forwarded-to-all",
        5308: "forwarded-to-all",
    }
    places = [
        {"url": f"http://{at}:{port}/api/health", "name": name, "timeout": 1}
        for port, name in doors.items()
    ]
    with published.watched() as inside, published.watched(places, netns="outside") as outside:
        with published.changed(project):
            assert [published.declared.service(name).port for name in doors.values()] == [
                5300,
                5300,
                5305,
                5305,
            ]
            holds(published)
        holds(published)
    assert (inside["wrong"], outside["wrong"]) == ([], [])
    assert outside["answers"] > 10


@pytest.mark.parametrize(
    "event",
    [
        "ufw reload",
        "systemctl restart docker",
        "ufw disable, ufw --force enable",
        "the script once more",
    ],
)
def test_the_guard_holds_after(published: Estate, event: str) -> None:
    guard, jumps = chain(published, "PORTGEN-GUARD"), chain(published, "DOCKER-USER")
    assert guard
    for command in (SCRIPT if event == "the script once more" else event).split(", "):
        published.host.run(*command.split())
    wait_until("every route is back", published.all_well)
    assert (chain(published, "PORTGEN-GUARD"), chain(published, "DOCKER-USER")) == (guard, jumps)
    holds(published)


@pytest.mark.parametrize("place", ["before ours", "after ours"])
def test_beside_ufw_docker_neither_loses_or_doubles_a_rule_in_three_reloads(
    published: Estate, place: str
) -> None:
    host, before = published.host, published.host.read(RULES)
    users = chain(published, "DOCKER-USER")
    try:
        host.put(
            RULES,
            UFW_DOCKER + before if place == "before ours" else before + UFW_DOCKER,
            mode=0o640,
        )
        seen = []
        for _ in range(3):
            host.run("ufw", "reload")
            seen.append(
                [
                    chain(published, name)
                    for name in ("DOCKER-USER", "PORTGEN-GUARD", "ufw-docker-logging-deny")
                ]
            )
        holds_beside(published)
        assert seen[0] == seen[1] == seen[2]
        user, guard, theirs = seen[0]
        assert [rule for rule in user if "PORTGEN-GUARD" in rule] == [
            "-A DOCKER-USER -j PORTGEN-GUARD"
        ]
        assert len([rule for rule in user if "PORTGEN-GUARD" not in rule]) == UFW_DOCKER.count(
            "\n-A DOCKER-USER "
        )
        assert len(set(user)) == len(user)
        assert guard
        assert len(theirs) == 2
        host.run(SCRIPT)
        assert UFW_DOCKER in host.read(RULES)
        assert [
            chain(published, name)
            for name in ("DOCKER-USER", "PORTGEN-GUARD", "ufw-docker-logging-deny")
        ] == seen[0]
    finally:
        host.put(RULES, before, mode=0o640)
        # What ufw-docker leaves in the chain stays until somebody empties it; the last rule is docker's own.
        host.sh("iptables -F DOCKER-USER; iptables -A DOCKER-USER -j RETURN; ufw reload")
    assert chain(published, "DOCKER-USER") == users


def holds_beside(estate: Estate) -> None:
    """Beside ufw-docker: what it allows that we do not is closed by us, and the other way round."""
    address = estate.addresses()["published-to-lan"]
    assert estate.reach("lan", [(HOST["lan"], 5300, "tcp"), (address, 5000, "tcp")]) == [
        "open",
        "silent",
    ]
    assert estate.reach("outside", [(HOST["outside"], 5300, "tcp"), (address, 5000, "tcp")]) == [
        "silent",
        "silent",
    ]


@pytest.fixture(scope="module")
def rebooted(published: Estate) -> tuple[Estate, list[list[str]]]:
    """The estate after a reboot, and the guard's chains from before it. Only for the last tests of this
    module."""
    chains = [chain(published, name) for name in ("PORTGEN-GUARD", "DOCKER-USER")]
    published.host.put("/run/before-the-reboot", "memory is lost")
    published.host.reboot()
    assert published.host.run("test", "-e", "/run/before-the-reboot", check=False).returncode == 1
    return published, chains


def test_after_a_reboot_everything_is_back_without_help(rebooted: tuple[Estate, object]) -> None:
    estate, _ = rebooted
    wait_until("every route is back", estate.all_well)
    assert (
        estate.reach("lan", [(HOST["lan"], port, "tcp") for port in (5007, 5400, 443)])
        == ["open"] * 3
    )
    assert estate.reach(
        "outside", [(HOST["outside"], port, "tcp") for port in (5007, 5400, 443)]
    ) == ["silent", "silent", "open"]
    assert (
        estate.host.run("systemctl", "list-units", "--failed", "--plain", "--no-legend").stdout
        == ""
    )


def test_after_a_reboot_the_guard_holds(rebooted: tuple[Estate, list[list[str]]]) -> None:
    estate, chains = rebooted
    assert [chain(estate, name) for name in ("PORTGEN-GUARD", "DOCKER-USER")] == chains
    holds(estate)
