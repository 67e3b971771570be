"""`portgen uninstall` on a host: a service, a project, everything; with a container that docker does not
stop; and what is not portgen's is not touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.limit import HANGS
from tests.real.deployed import PORTGEN
from tests.real.estate import Estate

NAME = "smartnumbers"
STUCK = 6
# What systemd has of portgen's units. It knows a unit that is gone by name, without a file, until it clears
# away: when that is, is systemd's matter. One whose file is gone and that still runs counts.
UNITS = "systemctl list-units --all --plain --no-legend 'portgen*' | grep -v 'not-found *inactive *dead'"
# Whatever an install may leave: files by byte, owner and mode; containers, networks, the kernel's rules.
STATE = f"""
set +e # a grep that finds nothing is not a failure
cd /
find etc -xdev -type f ! -name .pwd.lock -printf '%p %m %u:%g ' -exec sha256sum '{{}}' ';' | sort
find etc -xdev -type l ! -path etc/mtab -printf '%p %l\\n' | sort
find etc -xdev -type d | sort
docker ps --all --quiet
docker network ls --format '{{{{.Name}}}}' | sort
(iptables-save; ip6tables-save) | grep -e PORTGEN -e portgen -e '--dport'
{UNITS}
systemctl is-system-running
ls -A /srv/*/ /var/lib/portgen 2>&1
"""
# A docker that does not stop one container, as a daemon with a process that the kernel does not end.
WRAPPER = f"""\
#!/bin/sh
if [ "$1" != stop ]; then exec /usr/bin/docker "$@"; fi
shift
stays=$(/usr/bin/docker ps -aq --no-trunc --filter label=com.docker.compose.service={NAME})
code=0
for one; do
    if [ "$one" = "$stays" ]; then code=1; else /usr/bin/docker stop "$one" || code=1; fi
done
[ "$code" = 0 ] || echo "cannot stop container: did not receive an exit event" >&2
exit "$code"
"""


@pytest.fixture
def restored(estate: Estate) -> Iterator[Estate]:
    """The estate, installed again afterwards."""
    before = estate.project
    yield estate
    estate.host.run("rm", "-f", "/usr/local/bin/docker")
    estate.install(before)


def uninstall(estate: Estate, *words: str, code: int = 0) -> str:
    done = estate.host.run(*PORTGEN, "uninstall", "--yes", *words, check=False, timeout=HANGS)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def state(estate: Estate) -> list[str]:
    return estate.host.sh(STATE, check=False, timeout=HANGS).stdout.splitlines()


def traces(estate: Estate) -> str:
    """What is left of portgen's outside of the folder of the inventory."""
    script = f"""
    set +e
    marks='Rendered by portgen|PORTGEN-GUARD|portgen:|706f727467656e3a'
    grep -rlE "$marks" /etc /var/lib/portgen 2>/dev/null | grep -v /var/lib/portgen/kept/
    find /etc /srv -name '*portgen*' ! -path '/srv/portgen*'
    (iptables-save; ip6tables-save) | grep -i portgen
    docker ps --all --quiet --filter label=portgen
    {UNITS}
    """
    return estate.host.sh(script, check=False).stdout


def test_everything_goes_and_nothing_else(restored: Estate) -> None:
    uninstall(restored)
    assert traces(restored) == ""
    before = state(restored)
    assert "running" in before
    assert "### tuple ### allow tcp 22" in restored.host.sh("cat /etc/ufw/user.rules").stdout
    restored.install(restored.project)
    assert state(restored) != before
    assert traces(restored) != ""
    uninstall(restored)
    assert state(restored) == before
    assert "nothing of portgen's" in uninstall(restored)
    assert state(restored) == before


def test_without_an_inventory_it_goes_all_the_same(restored: Estate) -> None:
    restored.host.sh(
        "cd /srv/portgen && mkdir /opt/testhost/away && mv inventory.yaml output /opt/testhost/away/"
    )
    try:
        uninstall(restored)
        assert traces(restored) == ""
    finally:
        restored.host.sh("mv /opt/testhost/away/* /srv/portgen/ && rmdir /opt/testhost/away")


def test_a_service_goes_while_the_others_lose_no_request(restored: Estate) -> None:
    started, units = restored.started(), restored.units()
    with restored.watched() as seen:
        uninstall(restored, NAME)
    assert not seen["wrong"]
    others = {place: count for place, count in seen["failed"].items() if place != NAME}
    assert others == {}
    unit = f"portgen-{NAME}.service"
    assert restored.units() == {name: pid for name, pid in units.items() if name != unit}
    left = restored.started()
    assert left.items() <= started.items()
    assert len(left) == len(started) - 1
    assert "nothing of portgen's" in uninstall(restored, NAME)
    # Another one that goes does not bring it back.
    uninstall(restored, "hub-dashboard")
    assert unit not in restored.units()


def test_a_project_goes_with_its_network(restored: Estate) -> None:
    uninstall(restored, "dashboard")
    shown = restored.host.sh(
        "docker ps --all --quiet; docker network ls --format '{{.Name}}' | grep -v _default; "
        "ls /srv/dashboard"
    ).stdout.split()
    assert sorted(shown) == ["app.py", "bridge", "docker-compose.yml", "host", "none"]
    rules = restored.host.sh("grep -c 'comment=' /etc/ufw/user.rules", check=False).stdout
    assert int(rules) > 0  # nginx's own and the other project's


def test_a_container_that_does_not_stop_keeps_its_guard(
    restored: Estate, edited: Callable[..., Path]
) -> None:
    before = restored.project
    project = edited(("        port: 5007\n", "        port: 5007\n        via: docker\n"))
    restored.install(project)
    try:
        restored.host.put("/usr/local/bin/docker", WRAPPER, 0o755)
        said = uninstall(restored, code=STUCK)
        assert "did not receive an exit event" in said
        assert "5007/tcp stays guarded" in said
        assert "--ctorigdstport 5007" in restored.host.run("iptables", "-S", "PORTGEN-GUARD").stdout
        shown = restored.host.sh("docker ps --format '{{.Names}}'").stdout.split()
        assert shown == [f"dashboard_{NAME}_1"]
        assert restored.units() == {}
        restored.host.run("rm", "/usr/local/bin/docker")
        uninstall(restored)
        assert traces(restored) == ""
        networks = restored.host.sh("docker network ls --format '{{.Name}}'").stdout.split()
        assert "es-dashboards" not in networks
    finally:
        restored.project = before


def test_kept_containers_run_by_the_teams_own_files(restored: Estate) -> None:
    names = set(restored.started())
    uninstall(restored, "--keep-containers")
    assert traces(restored) == ""
    assert set(restored.started()) == names
