"""`portgen install` on a host: it finishes what was left half done, changes nothing where something would
fail, and removes nothing of a team's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.limit import HANGS
from tests.real.estate import HOST, NAMED, Estate
from tests.real.testhost import wait_until

NAME = "smartnumbers"
UNIT = f"portgen-{NAME}.service"
OUTPUT = "/srv/portgen/output"
# Exit codes: nothing was touched, or it was and is as before.
REFUSED_CODES = (4, 5)
PUT_BACK = 5
FOLDER = "/srv/dashboard"
HUB = "  es-inventory-hub:\n    title: ES Inventory Hub\n"
# The team's own, which the inventory does not name.
BOOKS = """\
services:
  books:
    image: dashboard
    command: [python3, /app.py]
    environment: {NAME: books}
    volumes: ["./app.py:/app.py:ro"]
    stop_grace_period: 1s
"""
# Everything that an install puts into force, whatever became of it before.
WHOLE = """
docker ps --all --format '{{.Names}} {{.State}}' | sort
docker network ls --format '{{.Name}}' | sort
docker ps --quiet | xargs docker inspect \
    --format '{{.Name}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' | sort
sha256sum /srv/*/docker-compose.portgen.yml /etc/nginx/conf.d/* /etc/nginx/snippets/* \
    /etc/systemd/system/portgen-*
sort /etc/ufw/user.rules
iptables -S PORTGEN-GUARD 2>&1 || true
systemctl is-system-running || true
cd /etc/systemd/system
systemctl show --property NeedDaemonReload,UnitFileState,ActiveState portgen-*.service | sort | uniq -c
systemctl show --property MainPID --value portgen-*.service | grep . | while read -r pid; do
    tr '\\0' ' ' <"/proc/$pid/cmdline"; echo
done | sort
"""


def whole(estate: Estate) -> str:
    return estate.host.sh(WHOLE).stdout


# When the journal was last written, and what nginx's files and the units' are, to the second.
TOUCHED = """
stat --format '%n %i %Y' /var/lib/portgen/current /etc/nginx/conf.d /etc/nginx/conf.d/* \
    /etc/nginx/snippets/* /etc/systemd/system /etc/systemd/system/portgen-* /etc/ufw/* \
    /srv/*/docker-compose.portgen.yml
pgrep nginx
"""


def folder_of_nginx(estate: Estate) -> str:
    script = (
        "cd /etc/nginx; find . | sort | xargs stat --format '%n %a %U %G'; find . "
        "-type f | sort | xargs sha256sum"
    )
    return estate.host.sh(script).stdout


def test_a_second_install_does_nothing(estate: Estate) -> None:
    seen = (whole(estate), estate.units(), estate.started(), estate.host.sh(TOUCHED).stdout)
    done = estate.run_install()
    assert "nothing to install" in done.stderr
    assert (whole(estate), estate.units(), estate.started()) == seen[:3]
    assert estate.host.sh(TOUCHED).stdout == seen[3]


# --- nginx ---

ALLOW = "      allow: [any]\n      tls:\n"
SITE = "      allow: [lan]\n      sites: {hub.example.com: {listen: 8080, tls: null}}\n      tls:\n"
NEWCOMER = """\
      newcomer: {title: Newcomer, port: 8080, container_port: 5000, allow: [any], route: null}

"""


# As Debian has it, after a while.
SLOW_RELOAD = """\
[Service]
ExecReload=
ExecReload=/bin/sh -c 'touch /run/waits; sleep 5'
ExecReload=/usr/sbin/nginx -g 'daemon on; master_process on;' -s reload
"""
SLOW_FILE = "/run/systemd/system/nginx.service.d/slow.conf"


def test_a_port_that_nginx_leaves_is_opened_for_its_new_holder_after_the_reload(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    """nginx is for the lan, and the port's new holder for everybody: before the reload, they would come to
    nginx there. The reload takes its time, so that it can be seen."""
    site = edited((ALLOW, SITE))
    taken = edited(
        (ALLOW, SITE.replace("8080", "80")),
        ("    ports: 5000-5399\n", "    ports: [5000-5399, 8080]\n"),
        (HUB, NEWCOMER + HUB),
    )
    place = (HOST["outside"], 8080, "tcp")
    with estate.changed(site):
        assert estate.reach("lan", [(HOST["lan"], 8080, "tcp")]) == ["open"]
        assert estate.reach("outside", [place]) == ["silent"]
        estate.bring(taken)
        estate.host.put(SLOW_FILE, SLOW_RELOAD)
        estate.host.run("systemctl", "daemon-reload")
        try:
            with ThreadPoolExecutor(1) as pool:
                installing = pool.submit(estate.run_install)
                wait_until(
                    "nginx is next",
                    lambda: not estate.host.sh("test -e /run/waits", check=False).returncode,
                )
                assert estate.reach("outside", [place]) == ["silent"]
                installing.result()
        finally:
            estate.host.sh(f"rm {SLOW_FILE} /run/waits; systemctl daemon-reload")
        assert estate.reach("outside", [place]) == ["open"]


def test_a_configuration_that_nginx_refuses_leaves_everything_as_it_was(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    project = edited(("dashboards.crt", "missing.crt"), ("port: 5007", "port: 5027"))
    before = estate.project
    files, state = folder_of_nginx(estate), whole(estate)
    try:
        estate.bring(project)
        refused = estate.run_install(check=False)
        assert refused.returncode in REFUSED_CODES
        assert "missing.crt" in refused.stderr
        assert (folder_of_nginx(estate), whole(estate)) == (files, state)
        estate.host.run("systemctl", "restart", "nginx")  # as at the next boot
        estate.bring(before)
        assert estate.all_well()
    finally:
        estate.install(before)


def test_a_reload_that_nginx_does_not_survive_is_put_back(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    """A test of its files does not see that another program holds the port; nginx then keeps its old routes,
    so nobody may start on them."""
    before, state = estate.project, whole(estate)
    squatter = estate.host.start("python3", "-m", "http.server", "8443")
    try:
        listening = ("ss", "--no-header", "--listening", "--tcp", "sport = :8443")
        wait_until("the port is taken", lambda: estate.host.run(*listening).stdout)
        estate.bring(
            edited(("listen_tls: 443", "listen_tls: 8443"), command=("swap", NAME, "veeam-usage"))
        )
        done = estate.run_install(check=False)
        assert done.returncode in REFUSED_CODES
        assert "nginx" in done.stderr
        assert whole(estate) == state
        estate.bring(before)
        assert estate.all_well()
    finally:
        # Ending `docker exec` would not end what runs in the host.
        estate.host.run("pkill", "--full", "http.server 8443")
        squatter.communicate(timeout=HANGS)
        estate.install(before)


# --- units ---

COPY = f"cp {OUTPUT}/es-docker/systemd/{UNIT} /etc/systemd/system/"
UPDATED = {
    "only copied": COPY,
    "only reloaded": f"{COPY}; systemctl daemon-reload",
    "only restarted": f"{COPY}; systemctl restart {UNIT}",
    "restarted before it was reloaded": f"{COPY}; systemctl restart {UNIT}; systemctl daemon-reload",
}


@pytest.mark.parametrize("by_hand", UPDATED.values(), ids=UPDATED)
def test_a_unit_that_runs_by_an_older_file_is_restarted(
    estate: Estate, edited: Callable[..., Path], by_hand: str
) -> None:
    before, units = estate.project, estate.units()
    project = edited(command=("move", NAME, "5027"))
    try:
        estate.bring(project)
        estate.host.sh(f"sleep 1.1; {by_hand}")
        estate.install(project)
        now = estate.units()
        assert now.pop(UNIT) != units.pop(UNIT)
        assert now == units, "a unit was restarted that need not be"
        once = estate.units()
        estate.install(project)
        assert estate.units() == once, "an install restarts units each time that it runs"
    finally:
        estate.install(before)


# --- the teams' compose files ---


@pytest.fixture
def folder(estate: Estate) -> Iterator[Estate]:
    """The estate; whatever the test put into the dashboards' folder goes again."""
    before = estate.project
    yield estate
    estate.host.sh(
        f"cd {FOLDER}; rm -f .env compose.* docker-compose.*.y*ml docker-compose.yaml stack.yml"
    )
    estate.install(before)


def books(estate: Estate) -> str:
    return estate.host.run(
        "docker", "ps", "--quiet", "--filter", "label=com.docker.compose.service=books"
    ).stdout


@pytest.mark.parametrize(
    "name",
    [
        "docker-compose.override.yml",
        "docker-compose.override.yaml",
        "compose.override.yml",
        "named in .env",
    ],
)
def test_a_service_of_the_teams_other_compose_file_is_kept(
    folder: Estate, edited: Callable[..., Path], name: str
) -> None:
    other = "docker-compose.more.yml" if name == "named in .env" else name
    folder.host.put(f"{FOLDER}/{other}", BOOKS)
    if name == "named in .env":
        folder.host.put(
            f"{FOLDER}/.env", f'OTHER=1\nCOMPOSE_FILE="docker-compose.yml:{other}" # ours\n'
        )
    files = f"docker-compose.yml:{other}:docker-compose.portgen.yml"
    team = ("env", "-C", FOLDER, f"COMPOSE_FILE={files}", "docker-compose")
    started = folder.started()
    folder.host.run(*team, "up", "--detach", "books")
    try:
        first = books(folder)
        assert first
        folder.install(edited(("        port: 5007\n", "        port: 5027\n")))
        assert books(folder) == first
        now = folder.started()
        assert now.pop(NAME) != started.pop(NAME)
        del now["books"]
        assert now == started
    finally:
        folder.host.run(*team, "rm", "--force", "--stop", "books")


def test_with_ours_named_in_env_a_plain_up_in_the_teams_folder_changes_nothing(
    folder: Estate,
) -> None:
    started, addresses = folder.started(), folder.addresses()
    patient = ("env", "-C", FOLDER, f"COMPOSE_HTTP_TIMEOUT={int(HANGS)}")
    plain = (*patient, "docker-compose", "up", "--detach")
    folder.host.put(f"{FOLDER}/.env", NAMED)
    folder.host.run(*plain)
    assert (folder.started(), folder.addresses()) == (started, addresses)
    folder.install(folder.project)
    assert folder.started() == started
    # Why an audit asks for it, and that an install repairs what was done without it.
    folder.host.run("rm", f"{FOLDER}/.env")
    folder.host.run(*plain)
    assert folder.addresses() != addresses
    folder.install(folder.project)
    assert folder.addresses() == addresses


def with_file(name: str) -> tuple[str, str]:
    """The inventory says which compose file the dashboards' is."""
    return (
        "    ports: 5000-5399\n",
        f"    ports: 5000-5399\n    compose: {{file: ../dashboard/{name}}}\n",
    )


def test_the_compose_file_that_the_inventory_names_is_the_one(
    folder: Estate, edited: Callable[..., Path]
) -> None:
    started = folder.started()
    folder.bring(edited(with_file("stack.yml")))
    folder.host.run("mv", f"{FOLDER}/docker-compose.yml", f"{FOLDER}/stack.yml")
    folder.host.put(f"{FOLDER}/docker-compose.yml", BOOKS)
    folder.run_install()
    assert (folder.started(), books(folder)) == (started, "")
    assert folder.all_well()


REFUSED = {
    "two at once": ({"compose.yaml": BOOKS}, (), "of which compose reads one"),
    "two overrides": (
        {"docker-compose.override.yml": BOOKS, "compose.override.yml": BOOKS},
        (),
        "of which compose reads one",
    ),
    "left out of .env": (
        {".env": "COMPOSE_FILE=docker-compose.yml\n", "stack.yml": BOOKS},
        (with_file("stack.yml"),),
        "leaves out stack.yml",
    ),
    "not there": ({}, (with_file("stack.yml"),), "stack.yml"),
    "not understood": (
        {"docker-compose.override.yml": "services: {hub-dashboard: {imagination: x}}\n"},
        (),
        "imagination",
    ),
}


@pytest.mark.parametrize(("files", "edits", "told"), REFUSED.values(), ids=REFUSED)
def test_compose_files_that_are_not_plain_are_refused_before_anything_changes(
    folder: Estate,
    edited: Callable[..., Path],
    files: dict[str, str | bytes],
    edits: tuple[tuple[str, str], ...],
    told: str,
) -> None:
    folder.bring(edited(("port: 5007", "port: 5027"), *edits))
    state = whole(folder)
    folder.host.put_all({f"{FOLDER}/{name}": text for name, text in files.items()})
    done = folder.run_install(check=False)
    assert done.returncode in REFUSED_CODES
    assert told in done.stderr
    assert whole(folder) == state


# --- networks ---


def test_a_network_whose_addresses_change_is_made_anew(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    """Every container of the project moves; the old network's place is free for another project's."""
    addresses = estate.addresses()
    with estate.changed(edited(("subnet: 172.30.0.0/22", "subnet: 172.29.0.0/22"))):
        assert estate.addresses() == {
            name: address.replace("172.30.", "172.29.") for name, address in addresses.items()
        }
    with estate.changed(edited(("name: es-dashboards", "name: renamed"))):
        assert estate.addresses() == addresses
        assert "es-dashboards" not in estate.host.run("docker", "network", "ls").stdout
    assert estate.addresses() == addresses


# --- what the firewall script says ---


def test_what_the_script_kept_is_repeated_at_the_end(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    """The operator has a rule of their own where ours would be: it stands for ours."""
    before = estate.project
    own = "allow proto tcp from 192.168.0.0/16 to any port 5027 comment hall"
    try:
        estate.host.run("ufw", *own.split())
        rules = [rule for rule in estate.ufw_rules() if "portgen:" not in rule]
        estate.bring(edited(command=("move", NAME, "5027")))
        done = estate.run_install()
        assert "5027" in done.stderr.partition("installed: ")[2]
        wait_until("every route answers", estate.all_well)
        assert estate.reach("lan", [(HOST["lan"], 5027, "tcp")]) == ["open"]
        assert [rule for rule in estate.ufw_rules() if "portgen:" not in rule] == rules
    finally:
        estate.install(before)
        estate.host.run("ufw", "delete", *own.partition(" comment")[0].split())


# Ends where its address is the new one.
ENDS_AT_ONCE = """\
import runpy, socket, sys
if socket.gethostbyname(socket.gethostname()).endswith(".43"):
    sys.exit(7)
runpy.run_path("/app.py", run_name="__main__")
"""


def test_a_container_that_ends_at_once_is_named_and_nothing_stays(
    folder: Estate, edited: Callable[..., Path]
) -> None:
    state = whole(folder)
    folder.bring(edited(("        port: 5007\n", "        port: 5027\n")))
    command = json.dumps(["python3", "-c", ENDS_AT_ONCE])
    folder.host.put(
        f"{FOLDER}/docker-compose.override.yml", f"services: {{{NAME}: {{command: {command}}}}}\n"
    )
    done = folder.run_install(check=False)
    assert done.returncode == PUT_BACK
    assert NAME in done.stderr
    assert whole(folder) == state


# --- what was stopped, and what leaves ---

STOPPED = {
    "a container": f"docker stop dashboard_{NAME}_1",
    "a container, removed": f"docker rm --force dashboard_{NAME}_1",
    "a forwarder": f"systemctl disable --now {UNIT}",
    "nginx": "systemctl stop nginx",
    "dockerd, killed": "kill -KILL $(pidof dockerd); until docker info >/dev/null 2>&1; do sleep 0.1; done",
}


@pytest.mark.parametrize("by_hand", STOPPED.values(), ids=STOPPED)
def test_what_was_stopped_by_hand_runs_after_an_install(estate: Estate, by_hand: str) -> None:
    state = whole(estate)
    estate.host.sh(by_hand)
    estate.install(estate.project)
    wait_until("all is as it was", lambda: whole(estate) == state)


ANNEX = """\
  annex:
    ports: 6000-6099
    network: {name: annex, subnet: 172.31.0.0/24}
    defaults: {allow: [lan], env: true}
    services:
      collector: {title: Collector, port: 6000, container_port: 5000, via: docker, uses: [ledger]}
      ledger: {title: Ledger, port: 6001, via: process, uses: [postgresql]}

"""
OWN = "/etc/portgen/own.env"


def test_a_project_that_leaves_takes_its_files_along_and_no_others(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    there = "ls /etc/portgen /srv/annex; docker network ls --format '{{.Name}}'; docker ps --all"
    estate.host.put(OWN, "SECRET=1\n")
    try:
        with estate.changed(edited((HUB, ANNEX + HUB))):
            seen = estate.host.sh(there).stdout.split()
            assert {"annex.env", "annex", "annex_collector_1", "docker-compose.portgen.yml"} <= set(
                seen
            )
        seen = estate.host.sh(there).stdout.split()
        assert not {"annex.env", "annex", "annex_collector_1", "docker-compose.portgen.yml"} & set(
            seen
        )
        assert "docker-compose.yml" in seen
        assert estate.host.read(OWN) == "SECRET=1\n"
    finally:
        estate.host.run("rm", OWN)
        estate.clear_away()


MADE = "docker network create --subnet 172.31.8.0/24 by-hand"


def test_a_network_that_was_made_by_hand_is_used_and_never_removed(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    external = """\
  annex:
    ports: 6000-6099
    network: {name: by-hand, subnet: 172.31.8.0/24, external: true}
    services:
      collector: {title: Collector, port: 6000, container_port: 5000, via: socat, allow: [lan]}

"""
    before = estate.project
    try:
        project = edited((HUB, external + HUB))
        estate.bring(project)
        refused = estate.run_install(check=False)
        assert refused.returncode in REFUSED_CODES
        assert "by-hand" in refused.stderr
        estate.bring(before)
        estate.host.run(*MADE.split())
        with estate.changed(project):
            assert estate.addresses()["collector"].startswith("172.31.8.")
        assert "by-hand" in estate.host.run("docker", "network", "ls").stdout
    finally:
        estate.host.run("docker", "network", "rm", "by-hand", check=False)
        estate.clear_away()
