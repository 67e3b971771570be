"""What stops an install before anything is touched."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from portgen.formats import ss
from portgen.install import refusals, ssh
from portgen.install.refusals import Refusal, Trial
from portgen.problem import Severity
from portgen.targets import Said, Seen
from portgen.targets.ufw.writing import SCRIPT
from tests.install.preflights import Begun, begun, estate

TWO = "alpha: {port: 5000}\nbeta: {port: 5001}"


def ports(what: Begun, came: int | None = None) -> list[Refusal]:
    steps = what.difference.steps
    meaning = what.difference.meaning
    return list(refusals.ports(what.host, what.planned.operations, meaning, steps, came))


def listens(line: str) -> Callable[[Seen], None]:
    def change(seen: Seen) -> None:
        said = seen.commands[ss.COMMAND]
        seen.commands[ss.COMMAND] = Said(0, f"{said.text}{line}\n")

    return change


STRANGER = 'tcp LISTEN 0 128 0.0.0.0:5010 0.0.0.0:* users:(("python3",pid=812,fd=3))'


# --- ports ----------------------------------------------------------------------------------------


def test_a_stranger_on_a_port_that_a_service_gets_is_named() -> None:
    moved = TWO.replace("5001", "5010")
    what = begun(estate(TWO), estate(moved), listens(STRANGER))
    (found,) = ports(what)
    assert found.message == "port 5010, which beta needs, is held by python3 (process 812)"
    assert found.key_path[-2:] == ("beta", "port")


def test_a_stranger_on_a_port_of_nobody_is_nobodys_business() -> None:
    what = begun(
        estate(TWO),
        estate(TWO.replace("5001", "5011")),
        listens(STRANGER),
    )
    assert ports(what) == []


@pytest.mark.parametrize("via", ["socat", "docker"])
def test_who_stops_by_this_install_is_not_in_the_way(via: str) -> None:
    lines = f"alpha: {{port: 5000, via: {via}}}\nbeta: {{port: 5001, via: {via}}}"
    swapped = lines.replace("5000", "x").replace("5001", "5000").replace("x", "5001")
    assert ports(begun(estate(lines), estate(swapped))) == []
    without = f"beta: {{port: 5000, via: {via}}}"
    assert ports(begun(estate(lines), estate(without))) == []


def test_programs_that_swap_have_to_stop_first() -> None:
    """portgen starts neither, and nginx would lead each one's visitors to the other."""
    lines = "alpha: {port: 5000, via: process}\nbeta: {port: 5001, via: process}"
    swapped = lines.replace("5000", "x").replace("5001", "5000").replace("x", "5001")
    found = sorted(ports(begun(estate(lines), estate(swapped))), key=lambda one: one.message)
    assert [one.message.partition(" is held by ")[0] for one in found] == [
        "port 5000, which beta needs,",
        "port 5001, which alpha needs,",
    ]
    assert found[0].hint == "first, by hand: stop alpha's own program (it releases 5000/tcp)"


def test_a_program_that_has_stopped_is_not_in_the_way() -> None:
    lines = "alpha: {port: 5000, via: process}\nbeta: {port: 5001, via: process}"
    swapped = lines.replace("5000", "x").replace("5001", "5000").replace("x", "5001")

    def stop(seen: Seen) -> None:
        said = seen.commands[ss.COMMAND]
        rest = [line for line in said.text.splitlines() if ":500" not in line]
        seen.commands[ss.COMMAND] = Said(0, "".join(f"{line}\n" for line in rest))

    assert ports(begun(estate(lines), estate(swapped), stop)) == []


def test_nothing_new_listens_where_this_session_came_in() -> None:
    moved = TWO.replace("5001", "5010")
    (found,) = ports(begun(estate(TWO), estate(moved)), came=5010)
    assert found.message == "beta would listen on port 5010, which is this ssh session's"
    assert ports(begun(estate(TWO), estate(moved)), came=22) == []


# --- certificates ---------------------------------------------------------------------------------


def test_a_certificate_that_is_missing_stops_what_reloads_nginx() -> None:
    server = "nginx: {server_name: box.example.com, allow: [lan]"
    tls = "tls: {certificate: /etc/nginx/tls/new.crt, key: /etc/nginx/tls/new.key}"
    what = begun(estate(TWO), estate(TWO).replace(server, f"{server}, {tls}"), without_certificates)
    said = [one.message for one in refusals.certificates(what.host, what.planned.operations)]
    assert said == [
        "the certificate /etc/nginx/tls/new.crt is missing",
        "the key /etc/nginx/tls/new.key is missing",
    ]
    assert list(refusals.certificates(what.host, ())) == []


def without_certificates(seen: Seen) -> None:
    """The operator has not brought them yet."""
    for ask, files in seen.folders.items():
        if not isinstance(files, str):
            seen.folders[ask] = tuple(one for one in files if "/tls/" not in one.path)


# --- ssh ------------------------------------------------------------------------------------------

CAME = ssh.session("192.168.1.7 51234 192.168.1.5 22")


def with_ssh(allow: str) -> str:
    """An inventory that has ssh as a service of its own."""
    text = estate(TWO)
    return f"""{text}  host:
    ports: 22
    services:
      shell: {{port: 22, via: process, unit: ssh.service, allow: [{allow}]}}
"""


def alone(seen: Seen) -> None:
    """The operator's own rule for ssh is not there."""
    for words, said in seen.commands.items():
        if words[0] in ("iptables-save", "ip6tables-save"):
            kept = [
                line for line in said.text.splitlines() if " -p tcp -m tcp --dport 22 " not in line
            ]
            own = [
                line for line in said.text.splitlines() if "-s " in line and "--dport 22 " in line
            ]
            place = kept.index("COMMIT")
            seen.commands[words] = Said(0, "\n".join([*kept[:place], *own, *kept[place:], ""]))


def shut(
    before: str,
    after: str,
    came: ssh.Session | None = CAME,
    change: Callable[[Seen], None] = alone,
) -> list[str]:
    what = begun(before, after, change)
    script = what.host.rendered.get(SCRIPT, "")
    return [one.message for one in ssh.shut(what.host, script, {22}, came)]


def test_the_rule_that_lets_this_session_in_does_not_go() -> None:
    (found,) = shut(with_ssh("lan"), estate(TWO))
    rule = "`ufw allow proto tcp from 192.168.0.0/16 to any port 22`"
    assert (
        found == f"ssh would be closed: nothing but {rule} lets this session, from 192.168.1.7, in"
        " on port 22"
    )


def test_another_rule_may_let_this_session_in() -> None:
    assert shut(with_ssh("lan"), estate(TWO), change=lambda _seen: None) == []


def test_without_a_session_somebody_has_to_get_in() -> None:
    (found,) = shut(with_ssh("lan"), estate(TWO), None)
    assert "lets anybody in on port 22" in found
    assert shut(with_ssh("lan"), with_ssh("10.7.0.0/16"), None) == []


def test_a_rule_that_comes_counts() -> None:
    assert shut(with_ssh("lan"), with_ssh("192.168.1.0/24")) == []
    assert shut(with_ssh("lan"), with_ssh("10.7.0.0/16")) != []


def test_other_rules_go() -> None:
    assert shut(with_ssh("lan"), with_ssh("lan").replace("5001", "5010")) == []
    assert shut(estate(TWO), estate("alpha: {port: 5000}")) == []


def test_a_session_is_that_of_ssh() -> None:
    assert ssh.session("") is None
    assert ssh.session("::ffff:10.0.0.7 5 ::ffff:10.0.0.1 22") == ("10.0.0.7", "10.0.0.1", 22)
    assert ssh.session("fe80::1%eth0 5 fe80::2%eth0 2222") == ("fe80::1", "fe80::2", 2222)


# --- compose --------------------------------------------------------------------------------------


MOVED = TWO.replace("5001", "5010")


def trials(what: Begun) -> list[Trial | Refusal]:
    return list(refusals.projects(what.host, what.planned.operations, what.host.places.rendered))


def test_compose_reads_the_rendered_override_in_place_of_the_copy() -> None:
    (found,) = trials(begun(estate(TWO), estate(MOVED)))
    assert isinstance(found, Trial)
    assert found.folder == "/srv/wall"
    rendered = "/srv/portgen/output/box/compose/docker-compose.wall.yml"
    assert found.files == f"docker-compose.yml:{rendered}"


def test_what_the_teams_own_file_publishes_besides_is_refused() -> None:
    (found,) = trials(begun(estate(TWO), estate(MOVED)))
    assert isinstance(found, Trial)
    what = begun(estate(TWO), estate(MOVED))
    own = "services:\n  alpha: {image: a, ports: ['5000:5000']}\n  beta: {image: b}\n"
    texts = {"/srv/wall/docker-compose.yml": own}
    (refusal,) = refusals.contradictions(what.host, found, texts.get)
    assert "5000:5000" in refusal.message
    assert refusal.severity is Severity.ERROR
    texts["/srv/wall/docker-compose.yml"] = own.replace(", ports: ['5000:5000']", "")
    assert list(refusals.contradictions(what.host, found, texts.get)) == []


def test_the_programs_that_an_install_needs_are_named() -> None:
    first = estate("alpha: {port: 5000}\nbeta: {port: 5001, via: docker}")
    what = begun("version: 1\nhosts: {box: {nginx: {}}}\n", first)
    assert set(refusals.programs(what.planned.operations)) == {"ufw", "nginx", "socat", "docker"}
    assert list(refusals.programs([])) == []


def test_an_unchanged_project_is_not_read() -> None:
    assert trials(begun(estate(TWO), estate(TWO))) == []


def test_a_folder_without_a_compose_file_is_refused() -> None:
    def gone(seen: Seen) -> None:
        for ask, files in seen.folders.items():
            if not isinstance(files, str):
                missing = ("/docker-compose.yml", "/.env")
                kept = (one for one in files if not one.path.endswith(missing))
                seen.folders[ask] = tuple(kept)

    (found,) = trials(begun(estate(TWO), estate(MOVED), gone))
    assert isinstance(found, Refusal)
    assert found.message == "/srv/wall has no compose file"


def test_the_compose_file_that_the_inventory_names_may_be_called_anything() -> None:
    def unsaid(seen: Seen) -> None:
        for ask, files in seen.folders.items():
            if not isinstance(files, str):
                seen.folders[ask] = tuple(
                    one._replace(text="") if one.path.endswith("/.env") else one for one in files
                )

    named = "    ports: 5000-5099\n    compose: {file: ../wall/stack.yml}\n"
    before, after = (estate(text).replace("    ports: 5000-5099\n", named) for text in (TWO, MOVED))
    (found,) = trials(begun(before, after, unsaid))
    assert isinstance(found, Trial), found
    assert found.files.startswith("stack.yml:")


def test_a_folder_with_two_compose_files_is_refused_unless_it_says_which_one() -> None:
    """Old versions of compose read docker-compose.yml then, and new ones compose.yaml."""

    def doubled(seen: Seen, text: str = "") -> None:
        for ask, files in seen.folders.items():
            if isinstance(files, str):
                continue
            kept = []
            for one in files:
                if one.path == "/srv/wall/docker-compose.yml":
                    kept.append(one._replace(path="/srv/wall/compose.yaml"))
                kept.append(one._replace(text=text) if one.path == "/srv/wall/.env" else one)
            seen.folders[ask] = tuple(kept)

    def named(seen: Seen) -> None:
        doubled(seen, "COMPOSE_FILE=compose.yaml:docker-compose.portgen.yml\n")

    (found,) = trials(begun(estate(TWO), estate(MOVED), doubled))
    assert isinstance(found, Refusal)
    both = "docker-compose.yml, compose.yaml"
    assert found.message == f"/srv/wall has {both}, of which compose reads one"
    (found,) = trials(begun(estate(TWO), estate(MOVED), named))
    assert isinstance(found, Trial)


# --- networks that compose does not make ----------------------------------------------------------


def by_hand(text: str) -> str:
    return text.replace("{name: wall, subnet", "{name: wall, external: true, subnet")


def inspected(*subnets: str) -> str:
    return json.dumps(
        [{"Name": "wall", "IPAM": {"Config": [{"Subnet": subnet} for subnet in subnets]}}]
    )


def networks(said: str, services: str = MOVED) -> list[str]:
    what = begun(by_hand(estate(TWO)), by_hand(estate(services)))
    wanted = refusals.made_by_hand(what.host, what.planned.operations)
    return [one.message for one in refusals.networks(wanted, said)]


def test_a_network_that_compose_does_not_make_has_to_be_there() -> None:
    assert networks(inspected("172.30.0.0/23")) == []
    assert networks("[]") == ["the network wall of wall is missing"]
    assert networks(inspected("172.30.8.0/23")) == [
        "the network wall is 172.30.8.0/23, and not 172.30.0.0/23"
    ]


def test_a_network_that_compose_makes_is_not_asked_for() -> None:
    what = begun(estate(TWO), estate(MOVED))
    assert refusals.made_by_hand(what.host, what.planned.operations) == {}
