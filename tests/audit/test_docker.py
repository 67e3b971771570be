"""What docker and the teams' folders say, and what is found in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from portgen.audit import Audited, Found, Places
from portgen.formats import ss
from portgen.plan.team_folders import COPY
from portgen.problem import Severity
from portgen.targets import Command, Files, Said, Seen
from portgen.targets.compose import observing
from tests.audit import hosts
from tests.audit.hosts import declared

WALL = """\
version: 1
hosts:
  box: {zones: {lan: [192.168.0.0/16]}}
projects:
  wall:
    ports: 5000-5099
    reserved: 5090
    network: {name: wall, subnet: 172.30.0.0/23}
    services:
      alpha: {port: 5000, container_port: 80, allow: [lan]}
      beta: {port: 5001, container_port: 80, allow: [lan]}
      page: {port: 5002, container_port: 80, via: docker}
      open:
        via: docker
        allow: [any]
        ports: [{port: 5003-5005, container_port: 8003, protocol: udp}]
      lamp: {port: 5006, via: host, allow: [lan]}
      caller: {port: 5007, uses: [alpha], env: true}
      torrents: {port: 5008, container_port: 8080, compose_service: vpn}
      indexers: {port: 5009, container_port: 9696, compose_service: vpn}
      program: {port: 5010, via: process, allow: [lan]}
      gone: {port: 5011, status: retired}
"""
BOX = declared(WALL)
ENV = observing.settings("/srv/wall")
COPIES = (Files.one(f"/srv/wall/{COPY}"), observing.copies(BOX.host))
INSTALL = "portgen -C /srv/portgen install --yes"


class Docker:
    """A host's answers, to be changed: `entries` is what docker says of each container, by its name."""

    def __init__(self, box: hosts.Declared = BOX) -> None:
        self.host, self.rendered = box
        self.seen = hosts.clean(*box)
        self.entries: dict[str, dict[str, Any]] = {}
        for line in self.seen.commands[self._inspect].text.splitlines():
            entry = json.loads(line)
            self.entries[entry["labels"]["service"]] = entry

    @property
    def _inspect(self) -> tuple[str, ...]:
        return next(words for words in self.seen.commands if words[:2] == ("docker", "inspect"))

    def stranger(self, name: str = "trial", **changed: Any) -> dict[str, Any]:
        """Somebody else's container."""
        entry = json.loads(json.dumps(self.entries["alpha"]))
        entry |= {"id": f"{len(self.entries):064x}", "name": f"/{name}", "mode": "bridge"}
        entry |= {"state": "running", "exit": 0}
        entry["labels"] = {**dict.fromkeys(entry["labels"]), "ours": None}
        entry |= {"networks": [None], **changed}
        self.entries[name] = entry
        return entry

    def found(self, *sources: str) -> list[Found]:
        words = self._inspect
        ids = [entry["id"] for entry in self.entries.values()]
        lines = "".join(json.dumps(entry) + "\n" for entry in self.entries.values())
        del self.seen.commands[words]
        self.seen.commands[observing.LIST] = Said(0, "\n".join(ids))
        self.seen.commands[(*words[:4], *ids)] = Said(0, lines)
        return hosts.found(self.host, self.seen, self.rendered, *(sources or ("docker",)))

    def only(self, rule: str, *sources: str) -> Found:
        """The one finding, of that rule."""
        found = self.found(*sources)
        assert [one.rule for one in found] == [rule], found
        return found[0]


def audited(docker: Docker) -> Audited:
    places = Places("/srv/portgen", "/srv/portgen/output/box", ("docker-compose",))
    return Audited(docker.host, docker.seen, docker.rendered, places, ("docker",))


# --- a clean host ---------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_a_clean_host_is_as_declared(folder: Path) -> None:
    box = hosts.of_folder(folder)
    docker = Audited(box.host, hosts.clean(*box), box.rendered, Places("", "", ()), ("docker",))
    assert docker.gaps == []
    assert docker.found == docker.declared
    assert len(docker.containers) == sum(len(one.containers) for one in box.host.overrides)
    assert hosts.found(box.host, docker.seen, box.rendered, "docker") == []


def test_a_clean_host_with_every_kind_of_container_is_as_declared() -> None:
    docker = Docker()
    assert docker.found() == []
    assert audited(docker).found == audited(docker).declared
    assert audited(docker).gaps == []


# --- not seen -------------------------------------------------------------------------------------


def refused(box: hosts.Declared, said: Said) -> Audited:
    seen = hosts.clean(*box)
    for words in list(seen.commands):
        if words[0] == "docker":
            seen.commands[words] = said
    return Audited(box.host, seen, box.rendered, Places("", "", ()), ("docker",))


def test_docker_that_does_not_answer_is_not_seen_and_says_why() -> None:
    complaint = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?"
    one = refused(BOX, Said(1, "", complaint))
    assert [(gap.source, gap.whole) for gap in one.gaps] == [("docker", True)]
    assert complaint in one.gaps[0].why
    assert not one.has_seen(("docker",))
    assert one.found == one.declared


NO_DAEMON = (
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct",
)
DENIED = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"


def stopped(complaint: str, *, root: bool = True) -> Seen:
    """A host whose docker says that, and whose services in containers are dead: none of the published ones
    listens, and no health check is answered."""
    seen = hosts.clean(*BOX)
    seen.root = root
    for words in list(seen.commands):
        if words[0] == "docker":
            seen.commands[words] = Said(1, "", complaint)
    lines = seen.said(*ss.COMMAND).splitlines()
    left = [line for line in lines if "docker-proxy" not in line and ":5006 " not in line]
    assert len(left) < len(lines)
    seen.commands[ss.COMMAND] = Said(0, "\n".join(left))
    return seen


@pytest.mark.parametrize("complaint", NO_DAEMON)
def test_a_docker_that_is_stopped_is_one_finding(complaint: str) -> None:
    found = hosts.found(BOX.host, stopped(complaint), BOX.rendered, "docker", "sockets")
    assert [(one.rule, one.severity, one.finding.service) for one in found] == [
        ("docker-stopped", Severity.ERROR, None)
    ]
    one = found[0].finding
    assert (
        one.message == "docker does not run, and 8 services of the inventory are in its containers"
    )
    assert (one.do, one.declared, one.found) == ("systemctl start docker", "running", "stopped")
    assert sorted(one.also) == sorted(
        ["alpha", "beta", "page", "open", "lamp", "torrents", "indexers", "caller"]
    )


def test_what_a_stopped_docker_explains_of_health_is_left_out() -> None:
    host, rendered = box = declared(
        WALL.replace("container_port: 80, allow", "health: /, container_port: 80, allow")
    )
    seen = hosts.clean(*box)
    for url, reply in seen.replies.items():
        seen.replies[url] = reply._replace(status=None, why="connection refused")
    assert len(hosts.found(host, seen, rendered, "docker", "health")) == 2
    for words in list(seen.commands):
        if words[0] == "docker":
            seen.commands[words] = Said(1, "", NO_DAEMON[0])
    found = hosts.found(host, seen, rendered, "docker", "health")
    assert [one.rule for one in found] == ["docker-stopped"]


@pytest.mark.parametrize(
    ("complaint", "root"),
    [
        (DENIED, True),
        (NO_DAEMON[0], False),
        (NO_DAEMON[0].replace("unix:///var", "tcp://far"), True),
    ],
)
def test_a_docker_that_is_hidden_is_not_stopped(complaint: str, root: bool) -> None:
    found = hosts.found(BOX.host, stopped(complaint, root=root), BOX.rendered, "docker")
    assert found == []


def test_a_host_without_containers_may_have_a_stopped_docker() -> None:
    host, rendered = box = hosts.of_folder(hosts.REPOSITORY / "examples" / "mail-dns")
    seen = hosts.clean(*box)
    seen.commands[observing.LIST] = Said(1, "", NO_DAEMON[0])
    assert hosts.found(host, seen, rendered, "docker") == []


def test_why_docker_was_not_seen_names_it_once() -> None:
    assert [gap.why for gap in refused(BOX, Said(1, "", NO_DAEMON[0])).gaps] == [NO_DAEMON[0]]


def test_a_host_that_needs_docker_and_lacks_it_is_not_seen() -> None:
    one = refused(BOX, Said(1, "", why="docker is not installed"))
    assert [gap.why for gap in one.gaps] == ["docker is not installed"]


def test_a_host_without_containers_needs_no_docker() -> None:
    box = hosts.of_folder(hosts.REPOSITORY / "examples" / "mail-dns")
    assert refused(box, Said(1, "", why="docker is not installed")).gaps == []
    assert len(refused(box, Said(1, "", "permission denied")).gaps) == 1


def test_a_container_that_went_away_meanwhile_is_not_there() -> None:
    docker = Docker()
    docker.found()
    words = next(words for words in docker.seen.commands if words[:2] == ("docker", "inspect"))
    said = docker.seen.commands[words]
    lines = [line for line in said.text.splitlines(True) if '"beta"' not in line]
    docker.seen.commands[words] = Said(1, "".join(lines), "Error: No such object: 0123")
    found = hosts.found(docker.host, docker.seen, docker.rendered, "docker")
    assert [(one.rule, one.finding.service) for one in found] == [("container-missing", "beta")]
    docker.seen.commands[words] = Said(1, "".join(lines), "Error: No such object: 0123\nkilled")
    assert [gap.whole for gap in audited(docker).gaps] == [True]


def test_what_docker_says_in_another_way_is_not_seen() -> None:
    docker = Docker()
    words = next(words for words in docker.seen.commands if words[:2] == ("docker", "inspect"))
    said = docker.seen.commands[words].text
    other = said.replace('"folder"', '"folders"', 1)
    assert other != said
    for text in ("Template parsing error\n", "[]\n", "{}\n", other):
        docker.seen.commands[words] = Said(0, text)
        assert [gap.whole for gap in audited(docker).gaps] == [True]


def test_a_file_that_nobody_may_read_is_not_seen() -> None:
    docker = Docker()
    for ask in COPIES:
        docker.seen.folders[ask] = tuple(
            file._replace(text=None, why="Permission denied") for file in docker.seen.folders[ask]
        )
    assert docker.found() == []
    assert [(gap.why, gap.whole) for gap in audited(docker).gaps] == [
        (f"/srv/wall/{COPY}: Permission denied", False)
    ]


# --- what is asked --------------------------------------------------------------------------------


def test_one_question_lists_the_containers_and_one_is_about_all_of_them() -> None:
    words = [words for words in Docker().seen.commands if words[0] == "docker"]
    assert [one[:2] for one in words] == [("docker", "ps"), ("docker", "inspect")]
    assert len(words[1]) == 4 + len(BOX.host.overrides[0].containers)


def test_so_many_containers_that_one_line_has_no_room_take_two_questions() -> None:
    seen = Seen("box")
    seen.commands[observing.LIST] = Said(0, "\n".join(f"{number:064x}" for number in range(10_001)))
    asked = [ask for ask in observing.asks(BOX.host, seen) if isinstance(ask, Command)]
    assert [len(ask.words) for ask in asked] == [5, 10_004, 5]


def test_of_variables_only_those_that_the_inventory_sets_are_asked_for() -> None:
    template = next(
        words[3] for words in Docker().seen.commands if words[:2] == ("docker", "inspect")
    )
    assert '"ALPHA_PORT"' in template
    assert '"SECRET"' not in template
    assert ".Config.Env}}" in template
    box = hosts.of_folder(hosts.REPOSITORY)
    seen = hosts.clean(*box)
    template = next(words[3] for words in seen.commands if words[:2] == ("docker", "inspect"))
    assert ".Config.Env" not in template


def test_of_a_teams_settings_only_what_compose_reads_is_kept() -> None:
    (file,) = Docker().seen.folders[ENV]
    assert file.text == f"COMPOSE_FILE=docker-compose.yml:{COPY}\n"


# --- containers -----------------------------------------------------------------------------------


def test_a_container_that_is_not_there() -> None:
    docker = Docker()
    del docker.entries["alpha"]
    one = docker.only("container-missing")
    assert one.severity == Severity.ERROR
    assert one.finding.service == "alpha"
    assert one.finding.key_path == ("projects", "wall", "services", "alpha")
    assert one.finding.do == INSTALL


@pytest.mark.parametrize(
    ("state", "code", "do", "words"),
    [
        ("exited", 137, "docker start wall_alpha_1", "does not run: exited (exit code 137)"),
        ("created", 0, "docker start wall_alpha_1", "was made and never started"),
        ("paused", 0, "docker unpause wall_alpha_1", "is paused"),
        ("restarting", 3, "", "starts again and again"),
        ("dead", 1, INSTALL, "does not run: dead (exit code 1)"),
    ],
)
def test_a_container_that_does_not_run(state: str, code: int, do: str, words: str) -> None:
    docker = Docker()
    entry = docker.entries["alpha"]
    entry |= {"state": state, "exit": code, "ports": {}}
    if state != "paused":
        entry["networks"][0] |= {"address": "", "prefix": 0, "gateway": ""}
    finding = docker.only("container-stopped").finding
    assert (finding.service, finding.found) == ("alpha", state)
    assert words in finding.message
    assert finding.do.split("\n")[0] == do


def test_a_container_that_ends_soon_after_each_start_is_seen_running() -> None:
    docker = Docker()
    docker.entries["alpha"] |= {"restarts": 5, "started": "2027-01-15T07:59:50.5Z"}
    finding = docker.only("container-stopped").finding
    assert finding.found == "restarting"
    assert "has started 6 times, the last time at 07:59:50 UTC" in finding.message
    assert "`docker logs wall_alpha_1`" in finding.message
    docker.entries["alpha"]["started"] = "2027-01-15T07:58:59Z"
    assert docker.found() == []


def test_a_stopped_container_that_would_start_with_other_settings_is_made_again() -> None:
    docker = Docker()
    docker.entries["alpha"] |= {"state": "exited"}
    docker.entries["alpha"]["networks"][0] |= {"address": "", "fixed": "172.30.0.99"}
    assert docker.only("container-stopped").finding.do.startswith(INSTALL)


def test_a_container_of_several_services_is_one() -> None:
    docker = Docker()
    docker.entries["vpn"]["state"] = "exited"
    finding = docker.only("container-stopped").finding
    assert (finding.service, finding.also) == ("torrents", ("indexers",))
    assert "torrents, indexers" in finding.message


def test_a_container_at_another_address() -> None:
    docker = Docker()
    docker.entries["alpha"]["networks"][0]["address"] = "172.30.0.99"
    finding = docker.only("container-address").finding
    assert (finding.service, finding.declared, finding.found) == (
        "alpha",
        "172.30.0.16",
        "172.30.0.99",
    )
    first, again = finding.do.split("\n")
    assert first == INSTALL
    number = docker.entries["alpha"]["id"][:12]
    assert again == (
        f"! docker inspect {number} >/dev/null 2>&1 || (cd /srv/wall && "
        f"COMPOSE_FILE=docker-compose.yml:{COPY} "
        "docker-compose up -d --no-deps --force-recreate alpha)"
        "  # only if install has not made it anew"
    )


def at(fixed: str, **more: Any) -> dict[str, Any]:
    """A place in the project's network."""
    return {
        "name": "wall",
        "fixed": fixed,
        "address": fixed,
        "prefix": 23,
        "gateway": "172.30.0.1",
        "address6": "",
        "prefix6": 0,
        **more,
    }


def test_a_stranger_at_the_address_of_a_stopped_container() -> None:
    docker = Docker()
    docker.entries["alpha"]["state"] = "exited"
    docker.entries["alpha"]["networks"][0] |= {"address": "", "prefix": 0, "gateway": ""}
    docker.stranger(networks=[at("172.30.0.16"), None])
    one = docker.only("address-stranger")
    assert one.severity == Severity.ERROR
    assert one.finding.service == "alpha"
    assert one.finding.message.startswith("visitors of alpha see trial")
    assert one.finding.do == "docker network disconnect wall trial\ndocker start wall_alpha_1"


def test_containers_that_have_each_others_address_leave_it_only_as_they_were_made() -> None:
    """An install makes both of them anew for the first finding: the second must not undo that."""
    docker = Docker()
    alpha, beta = docker.entries["alpha"], docker.entries["beta"]
    alpha["networks"], beta["networks"] = beta["networks"], alpha["networks"]
    strangers = [one.finding for one in docker.found() if one.rule == "address-stranger"]
    assert [finding.service for finding in strangers] == ["alpha", "beta"]
    for finding, other in zip(strangers, (beta, alpha), strict=True):
        made = f"! docker inspect {other['id'][:12]} >/dev/null 2>&1 || "
        leave, install, again = finding.do.split("\n")
        assert leave == f"{made}docker network disconnect wall {other['name'][1:]}"
        assert install == INSTALL
        assert again.startswith(made)


def test_a_stranger_at_the_address_of_a_container_that_is_not_there() -> None:
    docker = Docker()
    docker.stranger(networks=[at("172.30.0.16"), None])
    del docker.entries["alpha"]
    finding = docker.only("address-stranger").finding
    assert finding.do == f"docker network disconnect wall trial\n{INSTALL}"


@pytest.mark.parametrize(
    ("policy", "severity"), [("no", "warning"), ("always", "error"), ("unless-stopped", "error")]
)
def test_a_stopped_stranger_that_would_take_an_address(policy: str, severity: str) -> None:
    docker = Docker()
    place = at("172.30.0.16", address="", prefix=0)
    docker.stranger(state="exited", policy=policy, networks=[place, None])
    one = docker.only("address-stranger")
    assert str(one.severity) == severity
    assert one.finding.do == "docker network disconnect wall trial"


def test_a_warning_does_not_hide_that_a_container_is_stopped() -> None:
    """Otherwise an audit without `--strict` would say that all is well."""
    docker = Docker()
    docker.entries["alpha"]["state"] = "exited"
    docker.entries["alpha"]["networks"][0] |= {"address": "", "prefix": 0, "gateway": ""}
    place = at("172.30.0.16", address="", prefix=0)
    docker.stranger(state="exited", policy="no", networks=[place, None])
    assert {(one.rule, one.severity) for one in docker.found()} == {
        ("address-stranger", Severity.WARNING),
        ("container-stopped", Severity.ERROR),
    }


def test_two_containers_that_have_each_others_address() -> None:
    docker = Docker()
    for name, address in (("alpha", "172.30.0.17"), ("beta", "172.30.0.16")):
        docker.entries[name]["networks"][0] |= {"address": address}
    found = {(one.rule, one.finding.service) for one in docker.found()}
    assert ("address-stranger", "alpha") in found
    assert ("address-stranger", "beta") in found


def test_a_port_that_is_open_wider_than_declared() -> None:
    docker = Docker()
    docker.entries["page"]["ports"]["80/tcp"] = [{"HostIp": "0.0.0.0", "HostPort": "5002"}]
    finding = docker.only("container-ports").finding
    assert (finding.service, finding.declared) == ("page", ["127.0.0.1:5002:80"])
    assert finding.found == ["0.0.0.0:5002:80"]
    assert finding.message.endswith("open wider than declared: 0.0.0.0:5002:80")
    assert finding.do == INSTALL


def test_a_port_of_which_docker_leaves_out_a_part() -> None:
    docker = Docker()
    del docker.entries["open"]["ports"]["8004/udp"]
    finding = docker.only("container-ports").finding
    assert finding.service == "open"
    assert finding.message.endswith("does not publish 0.0.0.0:5004:8004/udp, [::]:5004:8004/udp")


def test_a_port_of_a_container_that_should_have_none() -> None:
    docker = Docker()
    docker.entries["vpn"]["ports"] = {"9696/tcp": [{"HostIp": "127.0.0.1", "HostPort": "7000"}]}
    finding = docker.only("container-ports").finding
    assert (finding.service, finding.found) == ("indexers", ["127.0.0.1:7000:9696"])
    assert "wider" not in finding.message


@pytest.mark.parametrize("mode", ["host", "other", "none"])
def test_a_container_in_another_network(mode: str) -> None:
    docker = Docker()
    docker.entries["alpha"] |= {"mode": mode, "networks": [at("", name=mode), None]}
    finding = docker.only("container-network").finding
    assert finding.declared == "wall"
    assert finding.found == {"host": "the host's network", "other": "other", "none": None}[mode]
    assert finding.do.startswith(INSTALL)


def test_a_container_that_should_be_on_the_hosts_network() -> None:
    docker = Docker()
    docker.entries["lamp"] |= {"mode": "wall", "networks": [at("172.30.1.2"), None]}
    finding = docker.only("container-network").finding
    assert (finding.service, finding.declared) == ("lamp", "the host's network")


def test_a_network_with_other_addresses_is_one_finding() -> None:
    docker = Docker()
    for entry in docker.entries.values():
        if entry["mode"] == "wall":
            entry["networks"][0] |= {"prefix": 24}
    finding = docker.only("network-differs").finding
    assert (finding.service, finding.declared) == (None, "172.30.0.0/23")
    assert {"alpha", "page", "torrents", "indexers"} <= set(finding.also)
    assert "lamp" not in finding.also
    assert finding.key_path == ("projects", "wall", "network")
    assert finding.do == INSTALL


def test_a_network_that_somebody_made_by_hand_is_for_them() -> None:
    docker = Docker(declared(WALL.replace("{name: wall,", "{name: wall, external: true,")))
    for entry in docker.entries.values():
        if entry["mode"] == "wall":
            entry["networks"][0] |= {"gateway": "172.30.0.2"}
    finding = docker.only("network-differs").finding
    assert finding.do == ""
    assert "`docker network create --subnet 172.30.0.0/23 " in finding.message


def test_a_network_without_the_ipv6_that_it_should_have() -> None:
    text = WALL.replace("0.0/23}", "0.0/23, subnet6: 'fd00:8::/64'}").replace(
        "box: {", "box: {ipv6: true, "
    )
    docker = Docker(declared(text))
    assert docker.entries["alpha"]["networks"][0]["address6"] == "fd00:8::2"
    assert docker.found() == []
    for entry in docker.entries.values():
        if entry["mode"] == "wall":
            entry["networks"][0] |= {"address6": "", "prefix6": 0}
    finding = docker.only("network-differs").finding
    assert finding.declared == "172.30.0.0/23 and fd00:8::/64"
    assert "not in IPv6" in finding.message


def test_a_container_with_other_variables() -> None:
    docker = Docker()
    environment = docker.entries["caller"]["environment"]
    docker.entries["caller"]["environment"] = [
        "ALPHA_URL=http://me:sesame@beta:80",
        *(one for one in environment if one and not one.startswith(("ALPHA_URL", "ALPHA_PORT"))),
    ]
    finding = docker.only("container-variables").finding
    assert finding.service == "caller"
    assert finding.found == {"ALPHA_PORT": None, "ALPHA_URL": "http://...@beta:80"}
    assert "sesame" not in finding.message
    assert finding.do == INSTALL


@pytest.mark.parametrize(("project", "service"), [("wall", "gone"), ("left", "x"), ("wall", "")])
def test_a_container_that_is_left_over(project: str, service: str) -> None:
    docker = Docker()
    labels = {**docker.entries["alpha"]["labels"], "ours": project, "service": service}
    docker.stranger(labels=labels)
    finding = docker.only("container-left-over").finding
    assert finding.service == (service if service == "gone" else None)
    assert ("services" in finding.key_path) == (service == "gone")
    assert finding.do == INSTALL


def test_a_container_of_compose_run_is_not_left_over() -> None:
    docker = Docker()
    labels = {**docker.entries["alpha"]["labels"], "one_off": "True"}
    docker.stranger(labels=labels, state="exited")
    assert docker.found() == []


def test_a_container_that_is_not_well() -> None:
    docker = Docker()
    docker.entries["alpha"]["health"] = "unhealthy"
    assert docker.only("container-unhealthy").finding.do == "docker restart wall_alpha_1"
    docker.entries["alpha"]["health"] = "starting"
    assert docker.found() == []


def test_a_container_of_compose_2_is_known() -> None:
    docker = Docker()
    for service, entry in docker.entries.items():
        entry["name"] = f"/wall-{service}-1"
        files = f"/srv/wall/docker-compose.yml,/srv/wall/{COPY}"
        entry["labels"] |= {"files": files, "ours": None}
    assert docker.found() == []
    docker.entries["alpha"]["state"] = "exited"
    assert docker.only("container-stopped").finding.found == "exited"


# --- ports of others ------------------------------------------------------------------------------


def published(port: int, inside: str = "80/tcp", address: str = "") -> dict[str, Any]:
    return {inside: [{"HostIp": address, "HostPort": str(port)}]}


def test_a_stopped_container_that_has_the_port_of_a_service() -> None:
    docker = Docker()
    docker.stranger(state="exited", asked=published(5000), ports={}, policy="always")
    finding = docker.only("container-holds-port").finding
    assert (finding.service, str(finding.port), finding.found) == ("alpha", "5000/tcp", "trial")
    assert finding.do == "docker rm trial"
    assert "at the next boot" in finding.message


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        (published(5003), 0),  # another protocol
        (published(5002, address="192.168.1.1"), 0),  # another address
        (published(5090), 0),  # reserved
        (published(6000), 0),  # nobody's
        (published(5011), 1),  # of a retired service
        ({"80/tcp": [{"HostIp": "", "HostPort": "4990-5000"}]}, 1),  # docker takes one of them
    ],
)
def test_only_what_is_in_the_way_counts(asked: dict[str, Any], count: int) -> None:
    docker = Docker()
    docker.stranger(state="exited", asked=asked, ports={})
    assert len([one for one in docker.found() if one.finding.service]) == count


@pytest.mark.parametrize(
    ("policy", "severity"), [("no", "warning"), ("always", "error"), ("unless-stopped", "error")]
)
def test_a_stopped_container_with_a_service_s_port(policy: str, severity: str) -> None:
    docker = Docker()
    docker.stranger(state="exited", policy=policy, asked=published(5000), ports={})
    assert str(docker.only("container-holds-port").severity) == severity


@pytest.mark.parametrize(
    ("policy", "severity"), [("no", "warning"), ("always", "error"), ("unless-stopped", "error")]
)
def test_a_stopped_container_that_has_free_ports_of_a_project(policy: str, severity: str) -> None:
    docker = Docker()
    asked = {**published(5050), **published(5051, "81/tcp")}
    docker.stranger(state="exited", policy=policy, asked=asked, ports={})
    one = docker.only("container-holds-port")
    assert (str(one.severity), one.finding.key_path) == (severity, ("projects", "wall"))
    assert "nobody has 5050-5051 of wall" in one.finding.message


def test_what_is_open_now_is_found_by_who_listens() -> None:
    docker = Docker()
    docker.stranger(asked=published(5050), ports=published(5050, address="0.0.0.0"))
    assert docker.only("container-holds-port").finding.do == "docker stop trial && docker rm trial"
    line = 'tcp LISTEN 0 4096 0.0.0.0:5050 0.0.0.0:* users:(("docker-proxy",pid=7,fd=4))\n'
    said = docker.seen.commands["ss", "-H", "-tulnp"]
    docker.seen.commands["ss", "-H", "-tulnp"] = said._replace(text=said.text + line)
    rules = {one.rule for one in docker.found("docker", "sockets")}
    assert "container-holds-port" not in rules


def test_a_container_may_be_a_program_of_the_inventory() -> None:
    docker = Docker()
    docker.stranger(state="exited", asked=published(5010), ports={})
    assert docker.found() == []
    found = docker.found("docker", "sockets")  # another program listens: the container is a rival
    assert [one.rule for one in found] == ["container-holds-port"]


# --- folders --------------------------------------------------------------------------------------


def copy(docker: Docker, change: Any) -> None:
    for ask in COPIES:
        docker.seen.folders[ask] = tuple(map(change, docker.seen.folders[ask]))


def test_a_copy_that_says_something_else_of_a_service() -> None:
    docker = Docker()
    copy(docker, lambda file: file._replace(text=file.text.replace("172.30.0.16", "172.30.0.99")))
    finding = docker.only("override-differs").finding
    assert finding.service == "alpha"
    assert (finding.declared["address"], finding.found["address"]) == ("172.30.0.16", "172.30.0.99")
    assert finding.do == f"{INSTALL} --force"


def test_a_copy_that_somebody_has_edited() -> None:
    docker = Docker()
    copy(docker, lambda file: file._replace(text=f"{file.text}# mine\n"))
    finding = docker.only("override-differs").finding
    assert (finding.service, finding.key_path[:2]) == (None, ("projects", "wall"))


def test_what_has_come_of_a_copy_says_enough() -> None:
    docker = Docker()
    docker.entries["alpha"]["networks"][0] |= {"address": "172.30.0.99", "fixed": "172.30.0.99"}
    copy(docker, lambda file: file._replace(text=file.text.replace("172.30.0.16", "172.30.0.99")))
    assert docker.only("container-address").finding.service == "alpha"


def test_a_copy_that_is_missing() -> None:
    docker = Docker()
    for ask in COPIES:
        docker.seen.folders[ask] = ()
    finding = docker.only("override-differs").finding
    assert finding.declared == f"/srv/wall/{COPY}"
    assert finding.do == INSTALL


def test_a_copy_that_is_left_over() -> None:
    docker = Docker()
    (file,) = docker.seen.folders[COPIES[1]]
    left = file._replace(path=f"/srv/old/{COPY}")
    docker.seen.folders[COPIES[1]] = (file, left)
    assert docker.only("override-differs").finding.do == f"rm /srv/old/{COPY}"


@pytest.mark.parametrize(
    ("text", "do"),
    [
        (None, f"printf '\\n%s\\n' COMPOSE_FILE=docker-compose.yml:{COPY} >>/srv/wall/.env"),
        ("", f"printf '\\n%s\\n' COMPOSE_FILE=docker-compose.yml:{COPY} >>/srv/wall/.env"),
        ("COMPOSE_FILE='a.yml:b.yml' # ours\n", f"a.yml:b.yml:{COPY}"),
        ("export COMPOSE_FILE=a.yml;b.yml\nCOMPOSE_PATH_SEPARATOR=;\n", f"a.yml;b.yml;{COPY}"),
    ],
)
def test_settings_that_leave_the_override_out(text: str | None, do: str) -> None:
    docker = Docker()
    (file,) = docker.seen.folders[ENV]
    docker.seen.folders[ENV] = () if text is None else (file._replace(text=text),)
    one = docker.only("override-unused")
    assert one.severity == Severity.WARNING
    assert one.finding.service is None
    assert do in one.finding.do


def test_the_teams_own_override_comes_before_ours() -> None:
    docker = Docker()
    docker.seen.folders[ENV] = ()
    ask = observing.compose_files("/srv/wall")
    (first, *more) = docker.seen.folders[ask]
    other = first._replace(path="/srv/wall/docker-compose.override.yml")
    docker.seen.folders[ask] = (first, other, *more)
    wanted = f"COMPOSE_FILE=docker-compose.yml:docker-compose.override.yml:{COPY}"
    assert docker.only("override-unused").finding.declared == wanted


def test_a_folder_without_compose_files_has_nothing_to_say() -> None:
    docker = Docker()
    docker.seen.folders[ENV] = ()
    docker.seen.folders[observing.compose_files("/srv/wall")] = ()
    assert docker.found() == []


def test_a_container_that_was_made_without_the_override() -> None:
    docker = Docker()
    docker.entries["alpha"]["labels"] |= {"ours": None, "files": "/srv/wall/docker-compose.yml"}
    docker.entries["alpha"]["networks"][0] |= {"address": "172.30.1.2", "fixed": ""}
    one = docker.only("override-unused")
    assert (one.severity, one.finding.service) == (Severity.ERROR, "alpha")
    assert one.finding.do == INSTALL


def test_containers_say_where_their_folder_is() -> None:
    docker = Docker()
    for entry in docker.entries.values():
        entry["labels"]["folder"] = "/opt/stacks/wall"
    docker.found()
    one = audited(docker)
    assert one.folders.of(docker.host.overrides[0]) == "/opt/stacks/wall"
    assert one.folders.teams == "/opt/stacks"
    asked = list(observing.asks(docker.host, docker.seen))
    assert Files.one(f"/opt/stacks/wall/{COPY}") in asked


def test_the_inventory_says_where_a_folder_is() -> None:
    text = WALL.replace(
        "    reserved:", "    compose: {file: ../Stack.One/base.yml}\n    reserved:"
    )
    docker = Docker(declared(text))
    assert docker.entries["alpha"]["labels"]["folder"] == "/srv/Stack.One"
    assert docker.entries["alpha"]["labels"]["project"] == "stackone"
    assert docker.found() == []
    for entry in docker.entries.values():
        entry["labels"] |= {"ours": None, "folder": "/srv/wall", "project": "wall"}
    docker.found()
    assert [one.there for one in audited(docker).expected if one.there] == []


# --- answers of which something is wrong ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("restarts", "5"), ("exit", None), ("health", 5), ("pid", "x"), ("state", ["running"])],
)
def test_a_field_of_another_kind_is_not_seen(name: str, value: object) -> None:
    docker = Docker()
    docker.entries["alpha"][name] = value
    assert docker.found() == []
    (gap,) = audited(docker).gaps
    assert gap.whole
    assert gap.why.startswith("can't parse this line from `docker inspect`")


@pytest.mark.parametrize(("name", "value"), [("address", "banana"), ("prefix", 99)])
def test_an_address_that_is_none_is_not_seen(name: str, value: object) -> None:
    docker = Docker()
    docker.entries["alpha"]["networks"][0][name] = value
    assert docker.found() == []
    assert [gap.whole for gap in audited(docker).gaps] == [True]


def test_json_without_end_is_not_seen() -> None:
    docker = Docker()
    docker.found()
    words = next(words for words in docker.seen.commands if words[:2] == ("docker", "inspect"))
    docker.seen.commands[words] = Said(0, "[" * 100_000)
    assert [gap.whole for gap in audited(docker).gaps] == [True]


def test_a_container_of_which_docker_says_nothing_is_not_missing() -> None:
    docker = Docker()
    docker.found()
    words = next(words for words in docker.seen.commands if words[:2] == ("docker", "inspect"))
    text = docker.seen.commands[words].text
    docker.seen.commands[words] = Said(0, text.split("\n", 1)[1])
    assert hosts.found(docker.host, docker.seen, docker.rendered, "docker") == []
    (gap,) = audited(docker).gaps
    assert gap.why == f"`docker inspect` says nothing of {docker.entries['alpha']['id'][:12]}"
