"""Which port a program's own unit says that it listens at."""

from __future__ import annotations

import pytest

from portgen import adopt
from portgen.adopt import Sources, Text
from portgen.adopt.sighted import Sighted
from portgen.plan import planner
from portgen.plan.ports import PlannedPort
from tests.limit import ends

COMMANDS = {
    "/usr/bin/gunicorn app:app -b 0.0.0.0:5400": [("0.0.0.0", 5400)],
    "/usr/bin/app --port=5400": [("", 5400)],
    "/usr/bin/app --port 5400 --redis 10.0.0.9:6379": [("", 5400)],
    "/usr/bin/app --redis 10.0.0.9:6379 --port 5400": [("", 5400)],
    "/usr/bin/app --redis 10.0.0.9:6379": [],
    "/usr/bin/app --redis=10.0.0.9:6379": [],
    "/usr/bin/app --listen [::1]:5400": [("::1", 5400)],
    "/usr/bin/app -listen-address :9100": [("", 9100)],
    "/opt/manage.py runserver localhost:8000": [("127.0.0.1", 8000)],
    "/usr/bin/python3 -m http.server 8000": [],
    "/usr/bin/autossh -N -p 2222 box.example.com": [],
    "-/usr/bin/ssh -p 2222 box.example.com": [],
    "/usr/bin/app --workers 4": [],
}


def sighted(command: str, *others: Text) -> Sighted:
    unit = f"[Service]\nExecStart={command}\n"
    texts = [Text("units", "app.service", unit, "app.service"), *others]
    return adopt.sight(Sources(texts, {}.get))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_names_its_own_port_and_not_that_of_others(command: str) -> None:
    listeners = sighted(command).listeners
    assert [(one.bind, one.endpoint.port) for one in listeners] == COMMANDS[command]


def test_a_program_that_ss_does_not_show_does_not_listen() -> None:
    """Its unit may be one that nobody starts."""
    unit = Text(
        "units", "app.service", "[Service]\nExecStart=/usr/bin/app --port 5400\n", "app.service"
    )
    ss = Text("ss", "ss.txt", 'tcp LISTEN 0 128 *:22 *:* users:(("sshd",pid=1,fd=3))\n', "ss.txt")
    assert [*adopt.adopt(Sources([unit], {}.get), "box").source.inventory.projects] == ["programs"]
    result = adopt.adopt(Sources([unit, ss], {}.get), "box")
    assert result.source.inventory.projects == {}
    assert [(one.said.place, one.why) for one in result.lists.left] == [
        ("app.service:2", "no program listens there, as `ss` shows")
    ]


RANGES = {
    "range=10.0.5.0/24": ("10.0.5.0/24",),
    "range=10.0.5.0:255.255.255.0": ("10.0.5.0/24",),
    "range=[fd00::]/8": (),  # it listens by IPv4 alone
    "range=somewhere": None,
    "tcpwrap=socat": None,
    "range=10.0.5.0/24,tcpwrap": None,
    "reuseaddr": ("0.0.0.0/0",),
}


@pytest.mark.parametrize("option", RANGES)
@pytest.mark.parametrize("is_unit", [True, False])
def test_whom_socat_keeps_out_the_inventory_keeps_out(option: str, is_unit: bool) -> None:
    command = f"/usr/bin/socat TCP-LISTEN:8090,fork,{option} TCP:127.0.0.1:80"
    one = Text("units", "start.sh", f"#!/bin/sh\n{command} &\n", "start.sh")
    if is_unit:
        one = Text("units", "a.service", f"[Service]\nExecStart={command}\n", "a.service")
    rules = "Status: active\n\n8090/tcp ALLOW Anywhere\n8090/tcp (v6) ALLOW Anywhere (v6)\n"
    result = adopt.adopt(Sources([one, Text("ufw", "u.txt", rules, "u.txt")], {}.get), "box")
    wanted = RANGES[option]
    forwarders = [
        service
        for service in planner.make(result.source.inventory).services
        if service.via == "socat"
    ]
    assert [service.ports[0].sources for service in forwarders] == (
        [] if wanted is None else [wanted]
    )
    if wanted is None:
        left = [entry.said for entry in result.lists.left if entry.said.file == one.name]
        assert [said.line for said in left] == [2]


OPENING = {
    "/bin/sh -c 'exec socat TCP-LISTEN:${PORT},fork TCP:10.0.0.1:80'": "not a forwarder",
    "/usr/bin/docker run --rm -p 8099:80 nginx": "a container",
    "/usr/bin/ssh -N -L 0.0.0.0:15432:10.0.0.2:5432 box": "a tunnel",
}


@pytest.mark.parametrize("command", OPENING)
def test_a_command_that_opens_a_port_for_another_is_listed(command: str) -> None:
    found = sighted(command)
    assert found.listeners == []
    assert [one.why.startswith(OPENING[command]) for one in found.left] == [True]


def test_one_program_at_an_address_and_at_each_is_at_each() -> None:
    """As samba listens, in whichever order."""
    lines = [
        'udp UNCONN 0 0 192.168.1.255:137 0.0.0.0:* users:(("nmbd",pid=9,fd=16))',
        'udp UNCONN 0 0 0.0.0.0:137 0.0.0.0:* users:(("nmbd",pid=9,fd=14))',
        'tcp LISTEN 0 50 [::]:445 [::]:* users:(("smbd",pid=8,fd=28))',
    ]
    for order in (lines, lines[::-1]):
        text = "\n".join(order)
        result = adopt.adopt(Sources([Text("ss", "ss.txt", text, "ss.txt")], {}.get), "box")
        services = result.source.inventory.projects["programs"].services
        assert list(services) == ["samba"]
        assert [one.address for one in ports_of(result)] == ["", ""]


def ports_of(result: adopt.Adopted) -> list[PlannedPort]:
    services = planner.make(result.source.inventory).services
    return [port for service in services for port in service.ports]


def test_programs_of_one_interpreter_are_services_of_their_own() -> None:
    ss = Text(
        "ss",
        "ss.txt",
        'tcp LISTEN 0 128 *:5400 *:* users:(("python3",pid=1,fd=3))\n'
        'tcp LISTEN 0 128 *:5401 *:* users:(("python3",pid=2,fd=3))\n'
        'tcp LISTEN 0 128 *:5402 *:* users:(("nodejs",pid=3,fd=3))\n',
    )
    unit = "[Service]\nExecStart=/usr/bin/python3 /srv/hub.py --port 5400\n"
    hub = Text("units", "inventory-hub.service", unit, "inventory-hub.service")
    result = adopt.adopt(Sources([ss, hub], {}.get), "box")
    services = result.source.inventory.projects["programs"].services
    assert list(services) == ["inventory-hub", "python3-5401", "nodejs-5402"]


def outcome(unit: str, name: str = "a.service", *others: Text) -> tuple[list[int], list[int]]:
    """The ports of the forwarders of a unit, and which of its lines are left."""
    result = adopt.adopt(Sources([Text("units", name, unit, name), *others], {}.get), "box")
    services = planner.make(result.source.inventory).services
    held = [port.port for one in services if one.via == "socat" for port in one.ports]
    return held, [one.said.line for one in result.lists.left if one.said.file == name]


def forwards(listens: str, leads: str = "TCP:127.0.0.1:80", options: str = "") -> str:
    return f"[Service]\nExecStart=/usr/bin/socat {options} {listens} {leads}\n"


KNOWN = [
    forwards("TCP-LISTEN:8080,fork,reuseaddr,backlog=64,nodelay,keepalive,max-children=9"),
    forwards("TCP-LISTEN:8080,FORK,ReuseAddr,so-keepalive,su=nobody"),
    forwards(
        "TCP-LISTEN:8080,fork", "TCP:10.0.0.5:80,connect-timeout=3,retry=5", "-d -d -ly -T 60"
    ),
    forwards("TCP-LISTEN:8080,fork", "UNIX-CONNECT:/run/x.sock", "-v -lpname"),
    forwards("TCP6-LISTEN:8080,fork,ipv6-v6only=0"),
    forwards("TCP6-LISTEN:8080,bind=[fd00::1],fork,ipv6only"),
    forwards("UDP-LISTEN:8080,fork", "UDP:10.0.0.5:53", "-t 5"),
    forwards("TCP-LISTEN:8080,fork", "TCP:10.0.0.5:80", "-lf /var/log/socat.log -lp name -b 512"),
    forwards("TCP-LISTEN:8080,fork", "TCP:10.0.0.5:80", "-lf/var/log/socat.log -T 60"),
    forwards("TCP-LISTEN:8080,fork,pf=ip4", "TCP:10.0.0.5:80,pf=ip4", "-6"),
    forwards("tcp4-l:8080,fork,Protocol-Family=ipv4"),
    forwards("TCP-LISTEN:8080,fork") + "PrivateNetwork=no\nIPAddressDeny=\n",
]
UNKNOWN = [
    forwards("TCP-LISTEN:8080,so-bindtodevice=wg0,fork,reuseaddr"),
    forwards("TCP-LISTEN:8080,fork,interface=wg0"),
    forwards("TCP-LISTEN:8080,fork,if=wg0"),
    forwards("TCP-LISTEN:8080,fork,pf=ip6"),
    forwards("TCP6-LISTEN:8080,fork,pf=ip4"),
    forwards("TCP-LISTEN:8080,fork,bind=localhost", options="-6"),
    forwards("TCP6-LISTEN:8080,fork,bind=localhost"),
    forwards("TCP-LISTEN:8080,fork", "TCP:localhost:80", "-6"),
    forwards("TCP-LISTEN:8080,fork", "TCP6:localhost:80"),
    forwards("TCP-LISTEN:8080,fork", "TCP:localhost:80,pf=ip6"),
    forwards("TCP-LISTEN:8080,fork", "TCP:10.0.0.5:80", "-L /run/x.lock"),
    forwards("TCP-LISTEN:8080,fork,netns=blue"),
    forwards("TCP-LISTEN:8080,fork,sourceport=99"),
    forwards("TCP-LISTEN:8080,fork", "TCP:10.0.0.5:80,bind=10.0.0.9"),
    forwards("TCP-LISTEN:8080,fork", "TCP:10.0.0.5:80,sourceport=99"),
    forwards("TCP-LISTEN:8080,fork", "TCP:10.0.0.5:80,crlf"),
    forwards("TCP-LISTEN:8080,fork", "TCP:10.0.0.5:80", "-u"),
    forwards("TCP-LISTEN:8080,fork", "UDP:10.0.0.5:53"),
    forwards("UDP-LISTEN:8080,fork", "TCP:10.0.0.5:53"),
    forwards("UDP-LISTEN:8080,fork", "UNIX-CONNECT:/run/x.sock"),
    forwards("TCP6-LISTEN:8080,fork,ipv6only=1"),
    forwards("TCP6-LISTEN:8080,fork,ipv6-v6only"),
    forwards("TCP-LISTEN:8080,fork") + "NetworkNamespacePath=/run/netns/blue\n",
    forwards("TCP-LISTEN:8080,fork") + "PrivateNetwork=yes\n",
    forwards("TCP-LISTEN:8080,fork") + "RestrictNetworkInterfaces=wg0\n",
    forwards("TCP-LISTEN:8080,fork") + "[Unit]\nJoinsNamespaceOf=b.service\n",
    forwards("TCP-LISTEN:8080,fork") + "Environment=SOCAT_DEFAULT_LISTEN_IP=6\n",
]


@pytest.mark.parametrize("unit", KNOWN)
def test_options_that_change_nothing_for_visitors_are_left_out(unit: str) -> None:
    assert outcome(unit) == ([8080], [])


@pytest.mark.parametrize("unit", UNKNOWN)
def test_what_else_a_forwarder_says_keeps_it_the_teams(unit: str) -> None:
    rules = Text("ufw", "u.txt", "Status: active\n\n8080 ALLOW Anywhere\n", "u.txt")
    assert outcome(unit, "a.service", rules) == ([], [2])


@pytest.mark.parametrize("program", ["", "socat", "node"])
def test_the_port_of_a_forwarder_that_stays_is_nobody_elses(program: str) -> None:
    """No rule for it is one without a holder, and nobody is made up who has it."""
    rules = Text("ufw", "u.txt", "Status: active\n\n8080/tcp ALLOW Anywhere\n", "u.txt")
    unit = Text("units", "a.service", forwards("TCP-LISTEN:8080,fork,if=wg0"), "a.service")
    line = f'tcp LISTEN 0 5 0.0.0.0:8080 0.0.0.0:* users:(("{program}",pid=1,fd=5))\n'
    sockets = [Text("ss", "ss.txt", line, "ss.txt")] * bool(program)
    result = adopt.adopt(Sources([unit, rules, *sockets], {}.get), "box")
    assert result.conflicts == ()
    assert [one.port for one in ports_of(result)] == [8080] * (program == "node")
    left = {one.said.file for one in result.lists.left}
    stays = {"a.service", "u.txt", "ss.txt"} if program == "socat" else {"a.service", "u.txt"}
    assert left == ({"a.service"} if program == "node" else stays)


@pytest.mark.parametrize("is_unit", [True, False])
def test_localhost_is_an_address_of_ipv4(is_unit: bool) -> None:
    text = forwards("TCP-LISTEN:8080,fork,bind=localhost", "TCP4:localhost:9099")
    name = "a.service"
    if not is_unit:
        text, name = text.partition("ExecStart=")[2], "a.sh"
    result = adopt.adopt(Sources([Text("units", name, text, name)], {}.get), "box")
    services = list(planner.make(result.source.inventory).services)
    assert [(one.via, str(one.to), one.ports[0].bind) for one in services] == [
        ("socat", "127.0.0.1:9099", "127.0.0.1")
    ]
    assert result.lists.left == ()


OPENED = {
    "/usr/bin/socat TCP-LISTEN:8082,fork,reuseaddr TCP:nas.lan:5000": True,
    "/usr/bin/socat openssl-listen:8082,fork,cert=/etc/x.pem TCP:10.0.0.5:80": True,
    "/usr/bin/socat EXEC:/usr/bin/x tcp-l:8082": True,
    "-/bin/sh -c 'exec /usr/bin/socat TCP-LISTEN:8082,fork TCP:10.0.0.5:80 | tee /x'": True,
    "/bin/bash -c 'socat TCP-LISTEN:8082,fork TCP:$(dig +short x | head -1):80 # \"'": True,
    "/usr/bin/env SOCAT_DEFAULT_LISTEN_IP=6 socat TCP-LISTEN:8082,fork TCP:10.0.0.5:80": True,
    "/usr/bin/ssh -NL 0.0.0.0:8082:10.0.0.2:5432 box": True,
    "/usr/bin/autossh -M 0 -N -L [::]:8082:/run/x.sock box": True,
    "/usr/bin/ssh -N -D 8082 box": True,
    "/usr/bin/ssh -N -R 8082:10.0.0.2:5432 box": False,
    "/usr/bin/ip netns exec blue socat TCP-LISTEN:8082,fork TCP:10.0.0.5:80": False,
}


@pytest.mark.parametrize("command", OPENED)
def test_a_port_that_a_command_opens_for_another_is_nobody_elses(command: str) -> None:
    rules = Text("ufw", "u.txt", "Status: active\n\n8082/tcp ALLOW Anywhere\n", "u.txt")
    for name in ("ExecStart", "ExecStartPost"):
        line = f"[Service]\n{name}={command}\n"
        unit = Text("units", "a.service", line, "a.service")
        result = adopt.adopt(Sources([unit, rules], {}.get), "box")
        assert len(result.conflicts) == (not OPENED[command])
        assert [one.port for one in ports_of(result)] == [8082] * (not OPENED[command])


@pytest.mark.parametrize(
    ("name", "settings", "is_held"),
    [
        ("a@.service", "", True),
        ("a.service", "RestrictNetworkInterfaces=wg0\n", True),
        ("a.service", "Environment=SOCAT_DEFAULT_LISTEN_IP=6\n", True),
        ("a.service", "PrivateNetwork=yes\n", False),
    ],
)
def test_a_unit_that_stays_holds_its_port_unless_it_is_in_another_network(
    name: str, settings: str, is_held: bool
) -> None:
    rules = Text("ufw", "u.txt", "Status: active\n\n8080/tcp ALLOW Anywhere\n", "u.txt")
    unit = Text("units", name, forwards("TCP-LISTEN:8080,fork") + settings, name)
    result = adopt.adopt(Sources([unit, rules], {}.get), "box")
    assert len(result.conflicts) == (not is_held)
    assert [one.port for one in ports_of(result)] == [8080] * (not is_held)


def test_a_unit_with_a_drop_in_holds_its_port() -> None:
    rules = Text("ufw", "u.txt", "Status: active\n\n8080/tcp ALLOW Anywhere\n", "u.txt")
    unit = Text("units", "a.service", forwards("TCP-LISTEN:8080,fork"), "a.service")
    path = "a.service.d/x.conf"
    drop_in = Text("units", path, "[Service]\nNice=5\n", path)
    result = adopt.adopt(Sources([unit, drop_in, rules], {}.get), "box")
    assert (result.conflicts, ports_of(result)) == ((), [])


@pytest.mark.parametrize(
    ("setting", "is_there"),
    [("PrivateNetwork=yes", False), ("NetworkNamespacePath=/run/netns/x", False), ("Nice=5", True)],
)
def test_a_program_in_another_network_holds_no_port_of_the_host(
    setting: str, is_there: bool
) -> None:
    found = adopt.sight(
        Sources(
            [
                Text("units", name, f"[{section}]\n{line}\n{setting}\n", name)
                for name, section, line in (
                    ("a.service", "Service", "ExecStart=/usr/bin/app --port 5400"),
                    ("b.socket", "Socket", "ListenStream=5401"),
                )
            ],
            {}.get,
        )
    )
    assert [one.endpoint.port for one in found.listeners] == [5400, 5401] * is_there
    assert [one.said.line for one in found.left] == [2, 2] * (not is_there)


def test_a_socket_of_ipv6_alone_is_one() -> None:
    unit = "[Socket]\nListenStream=5401\nBindIPv6Only=ipv6-only\n"
    found = adopt.sight(Sources([Text("units", "b.socket", unit, "b.socket")], {}.get))
    assert [one.bind for one in found.listeners] == ["::"]


def test_an_empty_command_takes_back_those_before_it() -> None:
    nc = "ExecStart=/usr/sbin/nc --port 5400\n"
    unit = forwards("TCP-LISTEN:8080,fork").replace("\n", f"\n{nc}ExecStart=\n", 1)
    assert outcome(unit) == ([8080], [2])
    result = adopt.adopt(Sources([Text("units", "a.service", unit, "a.service")], {}.get), "box")
    assert [one.said.line for one in result.lists.different] == [4]  # nobody is let in
    assert outcome(f"{unit}ExecStart=\n{nc}") == ([], [2, 4])


def test_what_a_unit_runs_besides_is_listed_where_it_opens_a_port() -> None:
    unit = forwards("TCP-LISTEN:8080,fork")
    assert outcome(
        f"{unit}ExecStartPost=/usr/bin/socat TCP-LISTEN:8081,fork TCP:10.0.0.5:80\n"
    ) == (
        [8080],
        [3],
    )


def test_a_template_is_no_forwarder_by_itself() -> None:
    for name in ("five@.service", "app@.service"):
        command = "TCP-LISTEN:8080,fork" if name.startswith("five") else "TCP-LISTEN:%i,fork"
        assert outcome(forwards(command), name) == ([], [2])
    assert outcome(forwards("TCP-LISTEN:8080,fork"), "five@one.service") == ([8080], [])


LONG = {
    "tunnel": "/usr/bin/" + "ssh " * 60_000 + "-",
    "options": "/usr/bin/socat TCP-LISTEN:80," + "fork," * 200_000 + " TCP:10.0.0.1:80",
    "brackets": "/usr/bin/socat TCP-LISTEN:80,range=[::1]/128,"
    + "fork," * 200_000
    + " TCP:10.0.0.1:80",
    "open brackets": "/usr/bin/socat TCP-LISTEN:80," + "[," * 200_000 + " TCP:10.0.0.1:80",
}


@pytest.mark.parametrize("kind", LONG)
def test_a_long_command_takes_no_time(kind: str) -> None:
    with ends():
        sighted(LONG[kind])


def test_a_socket_of_both_families_is_one_of_both() -> None:
    """Without `ipv6only` a socket at `::` takes IPv4, too."""
    rules = "Status: active\n\n8081 ALLOW Anywhere\n8081 (v6) ALLOW Anywhere (v6)\n"
    unit = Text("units", "a.service", forwards("TCP6-LISTEN:8081,fork"), "a.service")
    result = adopt.adopt(Sources([unit, Text("ufw", "u.txt", rules, "u.txt")], {}.get), "box")
    assert result.lists.different == ()
    assert [one.sources for one in ports_of(result)] == [("any",)]
