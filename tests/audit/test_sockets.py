"""What listens, beside what should: each fault alone, and what could not be seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portgen import audit
from portgen.audit import Audited, Found, Places
from portgen.formats import ss
from portgen.plan import live
from portgen.plan.live import Process
from portgen.problem import Severity
from portgen.targets import Said
from tests.audit import answers_sockets, hosts, numbers
from tests.audit.numbers import pid
from tests.estates import REPOSITORY, wall

INSTALL = "install --yes"
FORWARDER = "      web: {port: 5000, allow: [lan]}\n"
EVERY_WAY = """\
      web: {port: 5000, allow: [lan]}
      local: {port: 5001}
      six: {port: 5002, allow: [any]}
      shown: {port: 5003, via: docker, allow: [lan]}
      hidden: {port: 5004, via: docker, container_port: 80}
      net: {port: 5005, via: host}
      prog: {port: 5006, via: process, unit: prog.service}
      free: {port: 5007, via: process, bind: 127.0.0.1}
      later: {port: 5008, status: planned}
      gone: {port: 5009, status: retired}
      dns: {port: 5010, protocol: udp, allow: [lan]}
      relay: {via: process, ports: [{port: 5020-5029, protocol: udp}]}
"""
NGINX = "zones: {lan: [192.168.0.0/16]}, nginx: {server_name: box.example.com}"


def of(services: str, host: str = NGINX) -> hosts.Declared:
    return hosts.declared(wall(services, host=host))


class Host:
    """A clean host whose sockets a test changes."""

    def __init__(self, services: str = EVERY_WAY, host: str = NGINX) -> None:
        self.declared = of(services, host)
        self.seen = hosts.clean(*self.declared)

    def without(self, *ports: int) -> Host:
        """Nothing listens on these."""
        lines = self.lines
        return self.with_lines(
            line for line in lines if not any(f":{port} " in line for port in ports)
        )

    @property
    def lines(self) -> list[str]:
        return self.seen.said(*ss.COMMAND).splitlines()

    def with_lines(self, lines: object) -> Host:
        text = "".join(f"{line}\n" for line in lines)  # type: ignore[attr-defined]
        self.seen.commands[ss.COMMAND] = Said(0, text)
        return self

    def with_program(
        self,
        port: int,
        address: str = "0.0.0.0",
        *,
        transport: str = "tcp",
        program: str = "python3",
        number: int = 700,
        group: str = "/system.slice/stranger.service",
        arguments: tuple[str, ...] = (),
    ) -> Host:
        process = Process(number, 1, hosts.AT - 60, program, group, arguments)
        self.seen.processes[number] = process
        line = answers_sockets.Listening(transport, address, port, (process,)).line
        return self.with_lines([*self.lines, line])

    def found(self, *sources: str) -> list[Found]:
        host, rendered = self.declared
        return hosts.found(host, self.seen, rendered, *(sources or ("sockets",)))

    def audited(self, *sources: str) -> Audited:
        host, rendered = self.declared
        places = Places(self.seen.folder, f"{self.seen.out}/{host.name}", self.seen.compose)
        return Audited(host, self.seen, rendered, places, sources or ("sockets",))

    def rules(self, *sources: str) -> list[tuple[str, str | None]]:
        return [(one.rule, one.finding.service) for one in self.found(*sources)]


def one(host: Host, *sources: str) -> Found:
    (found,) = host.found(*sources)
    return found


def test_a_clean_host_has_none() -> None:
    assert Host().found() == []


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_a_clean_host_of_each_inventory_has_none(folder: Path) -> None:
    declared = hosts.of_folder(folder)
    seen = hosts.clean(*declared)
    assert hosts.found(declared.host, seen, declared.rendered, "sockets") == []
    assert len(seen.said(*ss.COMMAND).splitlines()) > 4


def test_a_connection_that_a_forwarder_has_just_passed_on_says_nothing() -> None:
    """socat's child has the socket only until it begins its own work."""
    host = Host()
    lines = [
        line.replace('users:(("socat",', 'users:(("socat",pid=999,fd=5),("socat",')
        for line in host.lines
    ]
    assert lines != host.lines
    host.with_lines(lines).seen.processes[999] = None
    assert host.found() == []
    assert host.audited().gaps == []


def test_the_raw_output_of_a_real_host_is_as_declared() -> None:
    """The one of the test host, with its processes' control groups."""
    host, rendered = hosts.of_folder(REPOSITORY)
    seen = hosts.clean(host, rendered)
    lines = (Path(__file__).parent / "ss-es-docker.txt").read_text().splitlines()
    seen.commands[ss.COMMAND] = Said(0, "\n".join(lines))
    seen.processes.clear()
    assert hosts.found(host, seen, rendered, "sockets") == []


@pytest.mark.parametrize(
    ("port", "service", "do"),
    [
        (5000, "web", "systemctl start portgen-web.service"),
        (5002, "six", "systemctl start portgen-six.service"),
        (5003, "shown", INSTALL),
        (5005, "net", INSTALL),
        (5006, "prog", "systemctl start prog.service"),
        (5007, "free", ""),
        (5010, "dns", "systemctl start portgen-dns.service"),
    ],
)
def test_nothing_listens_on_a_declared_port(port: int, service: str, do: str) -> None:
    found = one(Host().without(port))
    assert (found.rule, found.finding.service) == ("port-silent", service)
    assert found.finding.port is not None
    assert found.finding.port.port == port
    assert f"nothing listens on port {port}" in found.finding.message
    assert do in found.finding.do
    assert bool(do) == bool(found.finding.do)
    assert found.severity is Severity.ERROR


def test_a_unit_that_runs_without_listening_begins_anew() -> None:
    host = Host().without(5000)
    audited = host.audited("sockets", "systemd")
    unit = audited.units.get("portgen-web.service")
    assert unit is None or unit.active != "failed"


def test_docker_may_publish_without_a_program_that_listens() -> None:
    """Then its containers say what is published; without them nobody knows."""
    host = Host().without(5003, 5004)
    assert host.rules() == [("port-silent", "shown"), ("port-silent", "hidden")]


def test_a_range_of_a_program_may_be_silent() -> None:
    assert Host().without(*range(5020, 5030)).found() == []


def test_nginx_does_not_listen_on_one_of_its_ports() -> None:
    tls = "tls: {certificate: /etc/a.crt, key: /etc/a.key}"
    host = Host(
        EVERY_WAY,
        "zones: {lan: [192.168.0.0/16]}, nginx: {server_name: box.example.com, " + tls + "}",
    )
    found = one(host.without(443))
    assert (found.rule, found.finding.service) == ("port-silent", "nginx")
    assert found.finding.do == "nginx -t && systemctl reload-or-restart nginx"


def test_nginx_does_not_run() -> None:
    found = one(Host().without(80))
    assert (found.rule, found.finding.service) == ("nginx-stopped", "nginx")
    assert found.finding.message == "nginx does not run: nothing listens on 80"
    assert found.finding.do == "systemctl start nginx"


@pytest.mark.parametrize(
    ("port", "service", "back"),
    [
        (5000, "web", "systemctl start portgen-web.service"),
        (5003, "shown", INSTALL),
        (5006, "prog", "systemctl start prog.service"),
        (80, "nginx", "nginx -t && systemctl reload-or-restart nginx"),
    ],
)
def test_another_program_has_a_declared_port(port: int, service: str, back: str) -> None:
    found = one(Host().without(port).with_program(port))
    assert (found.rule, found.finding.service) == ("port-stranger", service)
    assert found.finding.found == "python3 (process 700, stranger.service)"
    assert found.finding.do.startswith("systemctl stop stranger.service && ")
    assert back in found.finding.do


def test_a_program_without_a_unit_is_ended_as_a_process() -> None:
    host = Host().without(5000).with_program(5000, group="/user.slice/session-3.scope")
    assert one(host).finding.do == (
        "kill 700 && timeout 10 tail --pid=700 -f /dev/null && systemctl start portgen-web.service"
    )


@pytest.mark.parametrize(
    "group",
    [
        "/user.slice/user-1000.slice/user@1000.service/app.slice/wiki.service",
        "/system.slice/ssh.service",
        "/system.slice/docker.service",
    ],
)
def test_a_unit_that_is_more_than_what_listens_is_not_stopped(group: str) -> None:
    host = Host().without(5000).with_program(5000, group=group)
    assert one(host).finding.do.startswith("kill 700 ")


@pytest.mark.parametrize(
    ("program", "unit"), [("nginx", "nginx"), ("dockerd", "docker"), ("sshd", "ssh")]
)
@pytest.mark.parametrize("port", [5000, 5050])
def test_what_others_need_is_neither_stopped_nor_ended(port: int, program: str, unit: str) -> None:
    """It has to listen elsewhere, by its own configuration."""
    host = Host().without(port)
    host.with_program(port, program=program, group=f"/system.slice/{unit}.service")
    assert one(host).finding.do == ""


def test_a_forwarder_of_another_service_has_the_port() -> None:
    """An install stops it: it has an old definition, or is not wanted any more."""
    host = Host().without(5000)
    host.with_program(5000, program="socat", group="/system.slice/portgen-old.service")
    found = one(host)
    assert found.rule == "port-stranger"
    assert "portgen-old.service" in found.finding.message
    assert INSTALL in found.finding.do
    assert "stop" not in found.finding.do.split("|")[0]


@pytest.mark.parametrize(("port", "service"), [(5008, "later"), (5009, "gone")])
def test_planned_and_retired_services_hold_their_ports(port: int, service: str) -> None:
    found = one(Host().with_program(port, "*"))
    assert (found.rule, found.finding.service) == ("port-stranger", service)
    assert found.finding.declared == "nobody"
    assert found.finding.do == "systemctl stop stranger.service"


def test_the_other_protocol_is_another_port() -> None:
    assert Host().with_program(5000, transport="udp").rules() == [("port-undeclared", None)]


@pytest.mark.parametrize(
    ("address", "severity"),
    [("0.0.0.0", "error"), ("*", "error"), ("127.0.0.1", "warning"), ("::1", "warning")],
)
def test_nobody_holds_a_port_of_a_project(address: str, severity: str) -> None:
    found = one(Host().with_program(5050, address))
    assert (found.rule, found.severity) == ("port-undeclared", severity)
    assert found.finding.key_path == ("projects", "wall")
    assert found.finding.do == "systemctl stop stranger.service"
    assert "port 5050" in found.finding.message
    assert "wall" in found.finding.message


def test_a_program_with_both_families_is_one_finding() -> None:
    host = Host().with_program(5050).with_program(5050, "::")
    assert one(host).finding.found == (
        "python3 (process 700, stranger.service) at 0.0.0.0 and [::]"
    )


@pytest.mark.parametrize("port", [22, 4999, 5100])
def test_ports_outside_of_all_projects_are_not_portgens_business(port: int) -> None:
    assert Host().with_program(port).found() == []


def test_reserved_ports_are_somebody_elses() -> None:
    host = Host(EVERY_WAY, "zones: {lan: [192.168.0.0/16]}, reserved: [5050]")
    assert host.with_program(5050).found() == []


@pytest.mark.parametrize(
    ("port", "declared", "address", "do"),
    [
        (5001, "127.0.0.1", "0.0.0.0", "systemctl restart portgen-local.service"),
        (5000, "0.0.0.0", "*", "systemctl restart portgen-web.service"),
        (5002, "0.0.0.0 and [::]", "0.0.0.0", "systemctl restart portgen-six.service"),
        (5004, "127.0.0.1", "0.0.0.0", INSTALL),
        (5007, "127.0.0.1", "*", ""),
        (5007, "127.0.0.1", "192.168.1.5", ""),
    ],
)
def test_a_port_listens_elsewhere(port: int, declared: str, address: str, do: str) -> None:
    host = Host()
    (before,) = [
        one
        for one in answers_sockets.listening(host.declared.host)
        if one.port == port and one.transport == "tcp"
    ]
    after = before._replace(address=address)
    host.with_lines([line.replace(before.line, after.line) for line in host.lines])
    found = one(host)
    assert (found.rule, found.finding.declared) == ("port-address", declared)
    assert do in found.finding.do
    assert bool(do) == bool(found.finding.do)


def test_loopback_besides_does_no_harm() -> None:
    host = Host().without(5007).with_program(5007, "127.0.0.1")
    assert host.with_program(5007, "::1").found() == []


@pytest.mark.parametrize("address", ["127.0.0.1%lo", "[::ffff:127.0.0.1]"])
def test_addresses_as_ss_writes_them(address: str) -> None:
    host = Host()
    lines = host.lines
    (before,) = [line for line in lines if ":5007 " in line]
    after = before.replace(" 127.0.0.1:", f" {address}:")
    assert after != before
    assert host.with_lines([*(line for line in lines if line != before), after]).found() == []


def test_without_control_groups_the_units_process_decides() -> None:
    host = Host()
    for number, process in host.seen.processes.items():
        if process is not None:
            host.seen.processes[number] = process._replace(group="")
    assert host.found() == []


def test_without_root_nobody_is_taken_for_a_stranger() -> None:
    host = Host()
    host.seen.root = False
    host.with_lines([line.partition("users:")[0] for line in host.lines])
    assert host.found() == []
    assert [gap.whole for gap in host.audited().gaps] == [False]


def test_what_can_not_be_asked_is_a_gap() -> None:
    host = Host()
    host.seen.commands[ss.COMMAND] = Said(1, "", why="ss is not there")
    assert host.found() == []
    (gap,) = host.audited().gaps
    assert (gap.source, gap.whole) == ("sockets", True)
    assert "ss is not there" in gap.why


def test_lines_that_nobody_can_read_are_a_gap() -> None:
    host = Host()
    host.with_lines([*host.lines, "tcp LISTEN what is this"])
    assert host.found() == []
    assert [gap.whole for gap in host.audited().gaps] == [True]


def test_two_addresses_of_a_port_have_two_holders() -> None:
    """A name server and the host's own resolver share port 53."""
    host, rendered = hosts.of_folder(REPOSITORY / "examples" / "homelab")
    seen = hosts.clean(host, rendered)
    text = seen.said(*ss.COMMAND)
    lines = [line for line in text.splitlines() if "127.0.0.53:53 " not in line]
    assert len(lines) == len(text.splitlines()) - 2
    seen.commands[ss.COMMAND] = Said(0, "\n".join(lines))
    found = hosts.found(host, seen, rendered, "sockets")
    assert [(one.rule, one.finding.service) for one in found] == [
        ("port-silent", "systemd-resolved")
    ] * 2


def container(service: str, **changed: object) -> live.Container:
    """A container of the project's, as docker has it."""
    values: dict[str, object] = {
        "id": numbers.container_id("wall", service),
        "name": numbers.container_name("wall", service),
        "state": "running",
        "project": "wall",
        "service": service,
        "ours": "wall",
        **changed,
    }
    return live.Container(**values)  # type: ignore[arg-type]


def with_containers(host: Host, *containers: live.Container) -> list[Found]:
    """What is found where docker was seen, too."""
    audited = host.audited()
    audited.containers[:] = containers
    return audit.check(audited)


def test_docker_without_a_proxy_says_by_its_containers_what_is_published() -> None:
    host = Host().without(5003, 5004)
    there = [
        container("shown", published=("0.0.0.0:5003:5003",)),
        container("hidden", published=("127.0.0.1:5004:80",)),
    ]
    assert with_containers(host, *there) == []
    found = with_containers(host, there[0], container("hidden", published=("5004:80",)))
    assert [(one.rule, one.finding.service) for one in found] == [("port-address", "hidden")]
    stopped = container("hidden", published=("127.0.0.1:5004:80",), state="exited")
    (found_,) = with_containers(host, there[0], stopped)
    assert (found_.rule, found_.finding.do) == ("port-silent", "docker start wall_hidden_1")


def proxy(host: Host, port: int, address: str) -> Host:
    return host.with_program(
        port,
        program="docker-proxy",
        group="/system.slice/docker.service",
        arguments=("/usr/sbin/docker-proxy", "-container-ip", address, "-container-port", "80"),
    )


def at_address(address: str) -> dict[str, live.Attachment]:
    return {"wall": live.Attachment(address, 23, "172.30.0.1")}


def test_a_published_port_leads_to_another_container() -> None:
    host = proxy(Host().without(5003), 5003, "172.30.0.99")
    shown = container("shown")
    other = container("odd", ours=None, project="elsewhere", networks=at_address("172.30.0.99"))
    (found,) = with_containers(host, shown, other)
    assert (found.rule, found.finding.service) == ("port-stranger", "shown")
    assert found.finding.found == "the container wall_odd_1"
    assert found.finding.do == (
        "docker stop wall_odd_1 && docker rm wall_odd_1 && docker restart wall_shown_1"
    )


def test_a_container_of_ours_in_a_wrong_place_is_for_install() -> None:
    host = proxy(Host().without(5000), 5000, "172.30.0.99")
    (found,) = with_containers(host, container("shown", networks=at_address("172.30.0.99")))
    assert (found.rule, found.finding.service) == ("port-stranger", "web")
    assert INSTALL in found.finding.do


def test_a_container_of_others_on_a_port_of_a_project() -> None:
    host = proxy(Host(), 5050, "172.17.0.2")
    other = container("db", ours=None, project="elsewhere", networks=at_address("172.17.0.2"))
    (found,) = with_containers(host, other)
    assert (found.rule, found.finding.service) == ("port-undeclared", None)
    assert found.finding.do == "docker stop wall_db_1 && docker rm wall_db_1"


def test_a_container_that_nobody_has_looked_up_is_not_stopped() -> None:
    """Without docker only its id is known, and not whether it is one of portgen's."""
    host = Host().with_program(5050, group=f"/system.slice/docker-{'a' * 64}.scope")
    (found,) = [one for one in host.found() if one.finding.port and one.finding.port.port == 5050]
    assert found.rule == "port-undeclared"
    assert found.finding.do == ""


def test_a_container_of_others_outside_of_all_projects_is_theirs() -> None:
    host = proxy(Host(), 9000, "172.17.0.2")
    other = container("db", ours=None, project="elsewhere", networks=at_address("172.17.0.2"))
    assert with_containers(host, other) == []


def test_a_container_of_ours_publishes_a_port_outside_of_all_projects() -> None:
    host = proxy(Host(), 9000, "172.30.0.99")
    (found,) = with_containers(host, container("shown", networks=at_address("172.30.0.99")))
    assert (found.rule, found.finding.service) == ("port-undeclared", "shown")


@pytest.mark.parametrize(
    "group", ["/system.slice/docker-{}.scope", "/docker/{}", "/custom.slice/{}"]
)
def test_a_container_on_the_hosts_network_is_known_by_its_control_group(group: str) -> None:
    net = container("net", network_mode="host")
    own = group.format(net.id)
    host = Host().without(5005).with_program(5005, program="app", group=own)
    assert with_containers(host, net) == []
    other = container("other", ours=None, project="elsewhere")
    host = Host().without(5005).with_program(5005, program="app", group=group.format(other.id))
    assert with_containers(host, net) == []  # it may have been made anew
    (found,) = with_containers(host, net, other)
    assert (found.rule, found.finding.service) == ("port-stranger", "net")


def test_a_container_on_the_hosts_network_is_known_by_its_process() -> None:
    host = Host().without(5005).with_program(5005, program="app", group="")
    assert with_containers(host, container("net", network_mode="host", pid=700)) == []


def test_a_control_group_that_docker_does_not_know_is_not_a_container() -> None:
    """portgen's own test host is in one: whatever is started there from outside has that group."""
    outside = f"/docker/{numbers.container_id('elsewhere', 'host')}"
    host = Host().without(5000).with_program(5000, group=outside)
    (found,) = [
        one
        for one in with_containers(host, container("net", pid=pid(container("net").id)))
        if one.finding.service == "web"
    ]
    assert (found.rule, found.finding.found) == ("port-stranger", "python3 (process 700)")
    assert found.finding.do.startswith("kill 700 ")


def test_a_stranger_with_both_families_is_one_finding() -> None:
    """A forwarder listens by IPv4 alone, and docker publishes by both."""
    host = Host().without(5000).with_program(5000).with_program(5000, "::")
    assert host.rules() == [("port-stranger", "web")]


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_each_line_counts(folder: Path) -> None:
    """Whatever socket is missing, has another address or is another program's: it is a finding."""
    declared = hosts.of_folder(folder)
    seen = hosts.clean(*declared)
    lines = seen.said(*ss.COMMAND).splitlines()
    stranger = Process(7, 1, hosts.AT, "stranger", "/user.slice/session-1.scope")
    seen.processes[7] = stranger
    for place, line in enumerate(lines):
        others = [*lines[:place], *lines[place + 1 :]]
        program = re.sub(r"users:\(.*\)", 'users:(("stranger",pid=7,fd=3))', line)
        for changed in ([], [program]):
            seen.commands[ss.COMMAND] = Said(0, "\n".join([*others, *changed]))
            found = hosts.found(declared.host, seen, declared.rendered, "sockets")
            if not changed or not _is_anybodys(declared, line):
                assert found, (line, changed)


def _is_anybodys(declared: hosts.Declared, line: str) -> bool:
    """A program whose unit the inventory does not name may be any."""
    for service in declared.host.services:
        ports = service.ports if service.via == "process" and service.unit is None else ()
        if any(f":{port.port} " in line for port in ports):
            return True
    return False
