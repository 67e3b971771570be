"""Installs that do not come to their end on the test host, and whether it is as before.

In: an `Estate`, a change to its inventory. Out: what differs between two states of the host, in the
contract's terms. Never: puts anything back itself; that is portgen's work.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.limit import HANGS
from tests.real import changes, declared
from tests.real.deployed import PORTGEN, REPOSITORY
from tests.real.estate import HERE, HOST, INSTALL, Estate, edit, portgen
from tests.real.testhost import wait_until

# Exit codes of portgen, as it documents them.
OK, DIFFERENT, USAGE, UNTOUCHED, PUT_BACK, STUCK, WAITING = 0, 1, 2, 4, 5, 6, 7
FOLDER = "/var/lib/portgen"
TOOLS = "/opt/testhost"
ENGINE = ("/usr/bin/python3", "-I", f"{FOLDER}/engine.pyz", FOLDER)
STAYS = ("settling", "installed")  # states of the journal from which an install is not put back
KILLED = (137, -9)  # as docker says it, or Python
# How many steps fewer an install may have than the one that was counted: it asks systemd until all is up.
SPARE = 5

# A change with a bit of everything: two services that swap their ports, one that leaves, a container that
# docker publishes, an `allow` that becomes wider and one that becomes narrower, a project and a network.
SWAP = (("port: 5007", "port: 0"), ("port: 5008", "port: 5007"), ("port: 0", "port: 5008"))
REMOVED = "ticket-statistics"
ALLOWED = (
    (
        "        purpose: Main dashboard hub",
        "        allow: [any]\n        purpose: Main dashboard hub",
    ),
    ("        purpose: Individual tech", "        allow: []\n        purpose: Individual tech"),
)
NEW_PROJECT = """
  annex:
    title: Annex
    ports: 5500-5509
    network: {name: es-annex, subnet: 172.31.0.0/24}
    services:
      annex-published: {port: 5500, via: docker, container_port: 5000, allow: [lan], route: /annex/}
      annex-forwarded: {port: 5501, via: socat, container_port: 5000, allow: [lan], route: /annexed/}
"""
PASSING = ("activating", "deactivating", "reloading")
State = dict[str, Any]
Done = subprocess.CompletedProcess[str]


def changed(folder: Path) -> Path:
    """A project with that change."""
    project = edit(folder, *SWAP, *ALLOWED)
    place = project / "inventory.yaml"
    tree = yaml.safe_load(place.read_text(encoding="utf-8"))
    del tree["projects"]["dashboard"]["services"][REMOVED]
    tree["projects"] |= yaml.safe_load(NEW_PROJECT)
    place.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    portgen(project, "render", "--yes")
    return project


class Journal(NamedTuple):
    """The journal on the host: how it stands."""

    state: str
    entries: list[dict[str, Any]]


def journal(estate: Estate) -> Journal:
    """The journal on the host. The last line may be half of one."""
    text = estate.host.read(f"{FOLDER}/current/log")
    entries = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
    states = [entry["state"] for entry in entries if "state" in entry]
    return Journal(states[-1] if states else "changing", entries)


def last_result(estate: Estate) -> dict[str, Any]:
    """What the last install ended with."""
    found: dict[str, Any] = json.loads(estate.host.read(f"{FOLDER}/last-result"))
    return found


# --- the state of the host ---------------------------------------------------------------------------


def furnish(estate: Estate) -> None:
    """The programs of these tests."""
    tools: dict[str, str | bytes] = {
        f"{TOOLS}/{name}": (HERE / name).read_bytes() for name in ("snapshot.py", "killing.py")
    }
    estate.host.put_all(tools)


def snapshot(estate: Estate) -> State:
    """The state of the host in the contract's terms, once nothing is on its way any more."""
    found: State = {}

    def settled() -> bool:
        found.update(json.loads(estate.host.run("python3", f"{TOOLS}/snapshot.py").stdout))
        return not any(unit["ActiveState"] in PASSING for unit in found["units"].values())

    wait_until("no unit is on its way", settled)
    return found


def differences(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """What differs between two states, one line each."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from differences(before.get(name), after.get(name), f"{place}/{name}")
    elif isinstance(before, list) and isinstance(after, list):
        gone = [one for one in before if one not in after]
        come = [one for one in after if one not in before]
        yield f"{place}: gone {gone}, come {come}" if gone or come else f"{place}: in another order"
    else:
        yield f"{place}: {before!r} -> {after!r}"


def same(before: State, after: State) -> None:
    """AssertionError with what differs."""
    found = list(differences(before, after))
    assert not found, "the host is in another state:\n" + "\n".join(found)


# --- changes ------------------------------------------------------------------------------------------


class Change:
    """A change that is brought to the host, ready to be installed over and over. `old` is the state before,
    `new` the one after."""

    def __init__(self, estate: Estate, project: Path) -> None:
        self.estate = estate
        self.before = estate.project
        self.project = project
        self.old = snapshot(estate)
        self.new: State = {}
        self.count = 0  # the steps of an install of it

    def bring(self) -> None:
        """The inventory and its output, as after a `git pull`."""
        bring(self.estate, self.before, self.project)

    def start_again(self) -> None:
        """The old state, after a test that did not leave it."""
        self.portgen("revert")
        self.estate.install(self.before)
        self.estate.clear_away()
        self.bring()
        same(self.old, snapshot(self.estate))

    # --- what is run ---

    def portgen(self, *words: str, session: str = "") -> Done:
        """A command of portgen's, by an ssh connection."""
        variable = ("env", f"SSH_CONNECTION={session}") if session else ()
        options = ("--yes",) if words[0] in ("install", "revert") else ()
        return self.estate.host.run(
            *variable, *PORTGEN, *words, *options, check=False, timeout=HANGS
        )

    def install(self, *options: str, session: str = "") -> Done:
        return self.portgen("install", *options, session=session)

    def waiting(self, *options: str, session: str = "") -> None:
        """An install that waits to be confirmed."""
        done = self.install(*options, session=session)
        assert done.returncode == WAITING, f"{done.returncode}\n{done.stdout}{done.stderr}"

    def revert(self) -> None:
        done = self.portgen("revert")
        assert done.returncode == OK, f"revert: {done.returncode}\n{done.stdout}{done.stderr}"

    def steps(self) -> list[str]:
        """Installs it, and puts it back: the steps of the install; both states are known then."""
        done = self._at(0, "none")
        assert done.returncode == OK, f"{done.returncode}\n{done.stdout}{done.stderr}"
        found = self.estate.host.read("/run/steps").splitlines()
        self.count = len(found)
        self.new = snapshot(self.estate)
        self.revert()
        same(self.old, snapshot(self.estate))
        return found

    def killed(self, number: int, moment: str, *options: str) -> None:
        """An install that is killed at a step. One with fewer steps than were counted ends before that."""
        done = self._at(number, moment, *options)
        codes = (*KILLED, OK) if number > self.count - SPARE else KILLED
        assert done.returncode in codes, f"{done.returncode}\n{done.stdout}{done.stderr}"

    def filled(self, number: int) -> Done:
        """An install; from a step on the small disk is full."""
        return self._at(number, "fill")

    def _at(self, number: int, moment: str, *options: str) -> Done:
        words = (
            "python3",
            f"{TOOLS}/killing.py",
            str(number),
            moment,
            *INSTALL[1:],
            "--yes",
            *options,
        )
        return self.estate.host.run(*words, check=False, timeout=HANGS)

    # --- what is seen ---

    @property
    def identity(self) -> str:
        """What the last install is called."""
        said = json.loads(self.estate.host.read(f"{FOLDER}/current/journal.json"))
        return str(said["identity"])

    def watcher(self) -> str:
        """The process that watches over the install; "0" where there is none."""
        unit = f"portgen_confirm_{self.identity}.service"
        return self.estate.host.run(
            "systemctl", "show", "--property=MainPID", "--value", unit
        ).stdout.strip()

    def is_put_back(self) -> bool:
        return journal(self.estate).state == "reverted" and self.watcher() == "0"

    def all_old(self) -> bool:
        """Every route answers with its own service's name, in the old state."""
        return self._all_of(self.before)

    def all_new(self) -> bool:
        return self._all_of(self.project)

    def _all_of(self, project: Path) -> bool:
        routed = declared.read(project / "inventory.yaml").routed
        wrong = {name: who for name, who in self.estate.who_answers(routed).items() if name != who}
        assert not wrong, wrong
        return True

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Meanwhile no route shows another service; those that stay answer each time."""
        with self.estate.watched() as seen:
            yield
        assert seen["answers"], "nobody asked"
        assert not seen["wrong"], seen["wrong"]


def bring(estate: Estate, before: Path, project: Path) -> None:
    """The project to the host. The teams have not taken anything out of their compose files yet."""
    estate.bring(project)
    old, new = (declared.read(one / "inventory.yaml") for one in (before, project))
    known = {service.name for service in new.contained}
    gone = [one for one in old.services if one.name not in known]
    both = dataclasses.replace(new, services=(*new.services, *gone))
    files: dict[str, str | bytes] = {}
    for name in sorted({service.project for service in both.contained}):
        files[f"/srv/{name}/docker-compose.yml"] = declared.base_compose(both, name) or ""
        files[f"/srv/{name}/app.py"] = (HERE / "app.py").read_bytes()
    estate.host.put_all(files)


def rewritten(before: Path, project: Path) -> tuple[str, ...]:
    """The places in a state of containers whose ports the team has changed in its own compose file: portgen
    does not put that file back."""
    new = {}
    for service in declared.read(project / "inventory.yaml").contained:
        new[service.name] = [_inside(port) for port in service.ports]
    found = []
    for service in declared.read(before / "inventory.yaml").contained:
        ports = [_inside(port) for port in service.ports]
        if new.get(service.name, ports) != ports:
            found.append(f"/containers//{service.project}_{service.name}_1")
    return tuple(found)


def _inside(port: declared.Port) -> tuple[int, str]:
    return port.container, port.protocol


@contextmanager
def change(estate: Estate, project: Path) -> Iterator[Change]:
    """The change, brought to the host; afterwards the estate is as it was before, whatever happened."""
    furnish(estate)
    made = Change(estate, project)
    try:
        made.bring()
        yield made
    finally:
        estate.install(made.before)
        estate.clear_away()


class Door:
    """A port by which people administer the host. To portgen it is a port of some program."""

    NAME = "api-server"

    def __init__(self, change: Change, folder: Path) -> None:
        self.change = change
        self.folder = folder
        self.port = change.estate.declared.service(self.NAME).port

    def opens(self) -> bool:
        place = (HOST["lan"], self.port, "tcp")
        return self.change.estate.reach("lan", [place]) == ["open"]

    @contextmanager
    def narrowed(self) -> Iterator[None]:
        """The inventory on the host closes it to everybody."""
        text = (REPOSITORY / "inventory.yaml").read_text(encoding="utf-8")
        tree = yaml.safe_load(text)
        tree.pop("expect", None)  # a sentence says that it stays open
        for project in tree["projects"].values():
            if self.NAME in project["services"]:
                project["services"][self.NAME]["allow"] = []
        self.change.estate.bring(changes.write(self.folder / "narrowed", tree))
        try:
            yield
        finally:
            self.change.bring()


# --- a small disk -------------------------------------------------------------------------------------

# The disk gets full at the first step that is about: the log, the firewall, nginx, a container, a unit.
PARTS = (
    "add ",
    "portgen-ufw.sh",
    "put /etc/nginx",
    "docker-compose",
    "put /etc/systemd/system/portgen-",
)
PLACES = (
    "/var/lib/portgen",
    "/etc/ufw",
    "/etc/nginx",
    "/etc/systemd/system",
    "/srv/dashboard",
    "/srv/annex",
)
MOUNT = """
mkdir -p /mnt/small /var/lib/portgen /srv/annex
mount -t tmpfs -o size=24m small /mnt/small
for place in {places}; do
    mkdir -p /mnt/small$place; cp -a $place/. /mnt/small$place
    mount --bind /mnt/small$place $place
done
"""
UMOUNT = """
rm -f /mnt/small/filler
for place in {places}; do umount --lazy $place; done
cp -a /mnt/small/var/lib/portgen/. /var/lib/portgen
umount --lazy /mnt/small
"""


@contextmanager
def small_disk(estate: Estate) -> Iterator[None]:
    """Whatever portgen writes lies on one small disk."""
    places = " ".join(PLACES)
    estate.host.sh(MOUNT.format(places=places))
    try:
        yield
    finally:
        estate.host.sh(
            f"rm -f /mnt/small/filler; {' '.join(PORTGEN)} revert --yes || true", check=False
        )
        estate.host.sh(UMOUNT.format(places=places))


# --- points -------------------------------------------------------------------------------------------

MOMENTS = ("before", "during", "after")


class Point(NamedTuple):
    """Where an install is killed."""

    number: int
    moment: str
    step: str

    def __str__(self) -> str:
        return f"{self.moment} step {self.number}, {self.step}"


def points(steps: list[str]) -> list[Point]:
    """Every point."""
    found = []
    for number, step in enumerate(steps, 1):
        found += [Point(number, moment, step) for moment in MOMENTS]
    return found


def spread(some: list[Point], count: int) -> list[Point]:
    """So many of them, over the whole length, with the moments in turn."""
    each = len(MOMENTS)
    last = len(some) // each - 1  # the number of the last step
    found = []
    for index in range(count):
        step = index * last // (count - 1)
        found.append(some[step * each + index % each])
    return found


def by_revert(change: Change) -> None:
    change.revert()


def by_the_engine(change: Change) -> None:
    """With Python's own library alone."""
    change.estate.host.run(*ENGINE, "finish", timeout=HANGS)


def by_the_next_install(change: Change) -> None:
    """It puts back what it finds, and says so."""
    done = change.install()
    if done.returncode == OK:  # the one that was killed had come to its end
        assert "nothing to install" in done.stderr
        change.revert()
    else:
        assert done.returncode == PUT_BACK, f"{done.returncode}\n{done.stdout}{done.stderr}"


def by_a_boot(change: Change) -> None:
    change.estate.host.reboot()
    wait_until("every route answers", change.all_old)


ENDS = (by_revert, by_the_engine, by_the_next_install)


def finish(change: Change, end: Callable[[Change], None]) -> None:
    """Ends an install that stays: by a boot, or by the engine. At its end an install removes the drop-in that
    starts `portgen_recovery.service` at a boot, and then the unit. Killed between the two, it leaves the unit
    until portgen runs again."""
    if end is by_a_boot:
        change.estate.host.reboot()
        wait_until("every route answers", change.all_new)
    by_the_engine(change)


def kill_and_end(change: Change, point: Point, end: Callable[[Change], None]) -> None:
    """An install that is killed there, and one more run: wholly old, or wholly new. The old state stays.
    Visitors do not outlive a boot."""
    with nullcontext() if end is by_a_boot else change.watched():
        change.killed(point.number, point.moment)
        if journal(change.estate).state in STAYS:
            finish(change, end)
            same(change.new, snapshot(change.estate))
            change.revert()
        else:
            end(change)
    now = list(differences(change.old, snapshot(change.estate)))
    assert not now, f"killed {point}; ended {end.__name__}:\n" + "\n".join(now)
