"""INSTALL.md finishes what was left half done, tests before it changes anything, and removes
nothing of a team's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.limit import HANGS
from tests.real.estate import HOST, INSTALL, Estate, edit, install_script
from tests.real.testhost import wait_until

NAME = "smartnumbers"
UNIT = f"portgen-{NAME}.service"
OUTPUT = "/srv/portgen/output"
FOLDER = "/srv/dashboard"
HUB = "  es-inventory-hub:\n    title: ES Inventory Hub\n"
FORTIGATE = """\
      fortigate-stats:
        title: FortiGate Stats
        port: 5010
        purpose: FortiGate firewall statistics
        assigned: 2025-09-22
"""
ANNEX = """\
  annex:
    ports: 6000-6099
    network: {name: annex, subnet: 172.31.0.0/24}
    services:
      collector: {title: Collector, port: 6000, container_port: 5000, via: docker, allow: [lan]}

"""
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
# Everything that the blocks put into force, whatever became of it before.
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
KILLED = 128 + 9
# A command that changes something on the host; bash tells each one before it runs.
CHANGES = re.compile(
    r"install|^rm |place_nginx|^systemctl "
    r"(stop|disable|daemon-reload|reset-failed|reload)|xargs|^docker network "
    r"rm|portgen-ufw|in_folder .*up"
)


def whole(estate: Estate) -> str:
    return estate.host.sh(WHOLE).stdout


def folder_of_nginx(estate: Estate) -> str:
    script = (
        "cd /etc/nginx; find . | sort | xargs stat --format '%n %i %a %U %Y %s'; find . "
        "-type f | sort | xargs sha256sum"
    )
    return estate.host.sh(script).stdout


# --- nginx ---

ALLOW = "      allow: [any]\n      tls:\n"
SITE = "      allow: [lan]\n      sites: {hub.example.com: {listen: 8080, tls: null}}\n      tls:\n"
NEWCOMER = """\
      newcomer: {title: Newcomer, port: 8080, container_port: 5000, allow: [any], route: null}

"""


def test_a_port_that_nginx_leaves_is_opened_for_its_new_holder_after_the_reload(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    """nginx is for the lan, and the port's new holder for everybody: before the reload, they would come to
    nginx there. The guide waits between the firewall and nginx, so that it can be seen."""
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
        script = install_script(INSTALL.read_text(encoding="utf-8"))
        assert script.count("\nbefore=$(newest)\n") == 1
        slow = script.replace(
            "\nbefore=$(newest)\n", "\ntouch /run/waits; sleep 5\nbefore=$(newest)\n"
        )
        with ThreadPoolExecutor(1) as pool:
            installing = pool.submit(estate.host.sh, slow, timeout=HANGS)
            wait_until(
                "nginx is next",
                lambda: estate.host.sh("[ ! -e /run/waits ]", check=False).returncode,
            )
            assert estate.reach("outside", [place]) == ["silent"]
            installing.result()
        assert estate.reach("outside", [place]) == ["open"]
        estate.host.run("rm", "/run/waits")


def test_a_configuration_that_nginx_refuses_leaves_everything_as_it_was(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    project = edited(("dashboards.crt", "missing.crt"), ("port: 5007", "port: 5027"))
    before, units = estate.project, estate.units()
    files, state = folder_of_nginx(estate), whole(estate)
    try:
        estate.bring(project)
        refused = estate.blocks(check=False)
        assert refused.returncode != 0
        assert "missing.crt" in refused.stderr
        assert "stopped at nginx" in refused.stderr
        assert (folder_of_nginx(estate), whole(estate), estate.units()) == (files, state, units)
        estate.host.run("systemctl", "restart", "nginx")  # as at the next boot
        estate.bring(before)
        assert estate.all_well()
    finally:
        estate.install(before)


def test_a_reload_that_nginx_does_not_survive_ends_the_blocks(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    """The test does not see that another program holds the port; nginx then keeps its old routes, so nobody
    may start on them."""
    before = estate.project
    squatter = estate.host.start("python3", "-m", "http.server", "8443", timeout=120)
    try:
        listening = ("ss", "--no-header", "--listening", "--tcp", "sport = :8443")
        wait_until("the port is taken", lambda: estate.host.run(*listening).stdout)
        estate.bring(
            edited(("listen_tls: 443", "listen_tls: 8443"), command=("swap", NAME, "veeam-usage"))
        )
        done = estate.blocks(check=False)
        assert done.returncode != 0
        assert "stopped at nginx" in done.stderr
        # By connections that nginx has kept, or not at all.
        for name in (NAME, "veeam-usage"):
            (seen,) = estate.visit([estate.place(name, "api/health")], netns=None)
            assert seen["status"] == 502 or seen["json"]["name"] == name
    finally:
        squatter.terminate()
        squatter.communicate(timeout=20)
        estate.install(before)


# --- units ---

COPY = f"cp {OUTPUT}/es-docker/systemd/{UNIT} /etc/systemd/system/"
BY_HAND = {
    "only copied": COPY,
    "only reloaded": f"{COPY}; systemctl daemon-reload",
    "only restarted": f"{COPY}; systemctl restart {UNIT}",
    "restarted before it was reloaded": f"{COPY}; systemctl restart {UNIT}; systemctl daemon-reload",
}


@pytest.mark.parametrize("by_hand", BY_HAND.values(), ids=BY_HAND)
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
        assert estate.units() == once, "the blocks restart units each time that they run"
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
    started = folder.started()
    folder.install(folder.project)
    first = books(folder)
    assert first
    folder.install(edited(command=("move", NAME, "5027")))
    assert books(folder) == first
    now = folder.started()
    del now["books"]
    assert now == started


def test_with_ours_named_in_env_a_plain_up_in_the_teams_folder_changes_nothing(
    folder: Estate,
) -> None:
    started, addresses = folder.started(), folder.addresses()
    plain = ("env", "-C", FOLDER, "docker-compose", "up", "--detach")
    folder.host.put(
        f"{FOLDER}/.env", "COMPOSE_FILE=docker-compose.yml:docker-compose.portgen.yml\n"
    )
    folder.host.run(*plain, timeout=120)
    assert (folder.started(), folder.addresses()) == (started, addresses)
    folder.install(folder.project)
    assert folder.started() == started
    # Why the guide asks for it, and that running the guide repairs what was done without it.
    folder.host.run("rm", f"{FOLDER}/.env")
    folder.host.run(*plain, timeout=120)
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
    folder.blocks()
    assert (folder.started(), books(folder)) == (started, "")
    assert folder.all_well()


REFUSED = {
    "two at once": ({"compose.yaml": BOOKS}, (), "has docker-compose.yml compose.yaml: say which"),
    "two overrides": (
        {"docker-compose.override.yml": BOOKS, "compose.override.yml": BOOKS},
        (),
        "say which",
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
    done = folder.blocks(check=False)
    assert done.returncode != 0
    assert told in done.stderr
    assert "stopped at dashboard" in done.stderr
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


@pytest.mark.parametrize("code", [1, 3])
def test_what_the_script_kept_is_repeated_at_the_end(
    estate: Estate, edited: Callable[..., Path], code: int
) -> None:
    """The script itself, with one more line and another exit code."""
    before = estate.project
    script, sums = f"{OUTPUT}/es-docker/ufw/portgen-ufw.sh", f"{OUTPUT}/SHA256SUMS"
    try:
        estate.bring(edited(command=("move", NAME, "5027")))
        # The rendered script hands over to Python; here the shell goes on after it.
        last = f"echo kept on purpose; exit {code}"
        estate.host.sh(f"sed -i 's/^exec python3/python3/' {script} && echo '{last}' >>{script}")
        estate.host.sh(
            f"cd {OUTPUT}; sha256sum $(cut -c 67- {sums}) >/tmp/sums; cp /tmp/sums {sums}"
        )
        done = estate.blocks(check=False)
        said = done.stdout + done.stderr
        if code == 3:
            assert done.returncode == 0, said
            assert done.stdout.count("kept on purpose") == 2
            assert done.stdout.rstrip().endswith("kept on purpose")
            wait_until("every route answers", estate.all_well)
        else:
            assert done.returncode != 0
            assert "stopped at the firewall" in done.stderr
            assert UNIT not in estate.units()
    finally:
        estate.install(before)


def test_a_container_that_ends_at_once_is_named_at_the_end(folder: Estate) -> None:
    broken = (
        f"services: {{{NAME}: {{command: [python3, -c, 'raise SystemExit(7)'], restart: 'no'}}}}\n"
    )
    folder.host.put(f"{FOLDER}/docker-compose.override.yml", broken)
    done = folder.blocks(check=False)
    assert done.returncode != 0
    assert f"dashboard_{NAME}_1: Exited (7)" in done.stdout
    assert "stopped at what does not run" in done.stderr


# --- killed between any two commands ---


def traced(kill: tuple[str, int] | None) -> str:
    """The blocks for bash, which writes down each command before it runs; the whole of it is killed before
    the n-th run of one."""
    command, count = kill or ("", 0)
    return f"""
        set -eu -o functrace
        left={count}
        watch() {{
            [ -n "$1" ] || return 0
            printf '%s\\n' "${{1%%$'\\n'*}}" >>/run/portgen-trace
            [ "${{1%%$'\\n'*}}" = {quoted(command)} ] || return 0
            left=$((left - 1))
            [ "$left" != 0 ] || kill -KILL 0
        }}
        trap 'watch "$BASH_COMMAND"' DEBUG
        {install_script(INSTALL.read_text(encoding="utf-8"))}
    """


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def run_traced(estate: Estate, kill: tuple[str, int] | None = None) -> int:
    estate.host.run("rm", "-f", "/run/portgen-trace")
    return estate.host.run("bash", stdin=traced(kill), check=kill is None, timeout=240).returncode


@pytest.fixture(scope="module")
def two_states(
    installed: Estate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[tuple[Path, str]]]:
    """Two projects that differ in everything that the blocks do, and the host's state with each."""
    place, before = tmp_path_factory.mktemp("two"), installed.project
    first = edit(place / "first", (HUB, ANNEX + HUB))
    second = edit(
        place / "second",
        *(
            ("        port: 5007\n", "        port: 5008#\n"),
            ("        port: 5008\n", "        port: 5007\n"),
            ("5008#", "5008"),
        ),
        *((FORTIGATE, ""), ("port: 5009", "port: 5029")),
    )
    states = []
    for project in (first, second, first):
        installed.install(project)
        states.append((project, whole(installed)))
    assert states[0][1] == states[2][1] != states[1][1]
    yield states[:2]
    installed.install(before)
    installed.host.run("rm", "-r", "/srv/annex")


def test_blocks_that_were_killed_before_any_command_are_finished(
    installed: Estate, two_states: list[tuple[Path, str]]
) -> None:
    at, ways = 0, dict[str, set[int]]()
    for to in (1, 0):
        installed.bring(two_states[to][0])
        assert run_traced(installed) == 0
        at = to
        for command in installed.host.read("/run/portgen-trace").splitlines():
            if CHANGES.search(command):
                ways.setdefault(command, set()).add(to)
    assert len(ways) > 12
    # To and fro between the two, so that each kill meets a change; some commands are needed one way only.
    code, wrong, left = KILLED, [], sorted(ways, key=lambda command: len(ways[command]))
    while left:
        at = 1 - at
        project, state = two_states[at]
        point = next((command for command in left if at in ways[command]), None)
        installed.bring(project)
        if point is not None:
            left.remove(point)
            code = run_traced(installed, (point, 1))
        installed.blocks()
        wait_until("every route answers with its own service's name", installed.all_well)
        if whole(installed) != state or (point is not None and code != KILLED):
            wrong.append((point, code))
    assert wrong == []
