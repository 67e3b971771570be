"""An install, carried out operation by operation, and put back where one fails.

In: a `Journal`, a `System`. Out: the host in the new state, or in the old one again; or what is left to
do. Each operation is in the journal before it begins. Putting back is the same code with the operations of
the other direction: those whose things were touched. Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from portgen.install import operations
from portgen.install.operations import Operation
from portgen.machine import journal as journals
from portgen.machine.journal import Journal
from portgen.machine.programs import Finished
from portgen.machine.system import System
from portgen.problem import PortgenError, listed

NEW, OLD = "new", "old"  # the sides of an install, and the trees with their files
SCRIPT = "ufw/portgen-ufw.sh"
# A file in the journal that stands in for services which a team has removed. Their image does not exist, and
# none of them is ever started.
_STAND_INS = "stand-ins.yml"
_NO_IMAGE = "portgen-stand-in"
SKIPPED = 3  # the script's exit code where it kept or skipped something on purpose
GUARDED = "stays guarded"  # what it says of a guard that could not go
_CONTAINERS_TIME = 600.0  # seconds to stop containers, or to make and start them
_FIREWALL_TIME = 300.0
_SETTLES = 0.3  # seconds after which a program that can't listen has ended
_STARTS = 5.0  # seconds in which a unit has to be up
_RELOADS = 10.0  # seconds in which nginx has to have new workers
_LOOKS = 0.02  # seconds between two looks
# The operations that come before what starts: where one of them fails while an install is put back, nothing
# is started any more. It would be started by a file of the other side, or into an open port.
_CLOSING = (
    operations.StopUnits,
    operations.DisableUnits,
    operations.StopContainers,
    operations.CloseRoutes,
    operations.RunFirewall,
    operations.ReloadNginx,
    operations.PutFile,
    operations.RemoveFile,
    operations.ReloadSystemd,
)

# What an uninstall goes on without: the container that is still there keeps its guard.
_LEAVABLE = (operations.StopContainers, operations.ComposeUp)

Tell = Callable[[str], None]


class FailedError(Exception):
    """Why an operation failed, in words."""


def _nobody(_text: str) -> None:
    """Where nobody wants to know how far it is."""


def carry_out(journal: Journal, system: System, tell: Tell = _nobody) -> None:
    """Do all that was decided. Where an uninstall goes on without some container, that is in the journal as
    left. Raises FailedError at the first operation that fails, and OSError where the journal can't be
    written."""
    hands = Hands(journal, system, NEW)
    for number, operation in enumerate(journal.decided.operations):
        tell(f"{number + 1} of {len(journal.decided.operations)}: {described(operation)}")
        journal.add(begin=number)
        try:
            hands.do(operation)
        except FailedError as error:
            if not (journal.decided.goes_on and isinstance(operation, _LEAVABLE)):
                raise
            journal.add(left=[f"{described(operation)}: {error}"])


def settle(journal: Journal, system: System) -> list[str]:
    """The install stays: do what can't be undone, and close the journal. Returns what of it failed, which
    does no harm. It can be called again. Raises OSError where the journal can't be written."""
    journal.add(state=journals.SETTLING)
    hands = Hands(journal, system, NEW)
    failed = []
    for operation in journal.decided.settles:
        try:
            hands.do(operation)
        except FailedError as error:
            failed.append(f"{described(operation)}: {error}")
    if failed and journal.decided.goes_on:
        journal.add(left=failed)
    journal.add(state=journals.INSTALLED)
    with suppress(OSError):
        journal.make_room()
    return failed


def put_back(
    journal: Journal, system: System, tell: Tell = _nobody, *, booting: bool = False
) -> list[str]:
    """Undo what was begun. Returns what failed; nothing: all is as it was. It can be called again. A journal
    that can't be written keeps nobody from it."""
    with suppress(OSError):
        journal.make_room()
        journal.add(state=journals.REVERTING)
    hands = Hands(journal, system, OLD, booting=booting)
    failed: list[str] = []
    for part in journal.to_undo:
        if failed and isinstance(part, operations.OpenRoutes):
            continue  # a stranger may be where a service should be
        tell(described(part))
        try:
            hands.do(part)
        except (FailedError, OSError) as error:
            failed.append(f"{described(part)}: {error}")
            if isinstance(part, _CLOSING):
                break
    try:
        journal.add(state=journals.STUCK if failed else journals.REVERTED, failed=failed)
    except OSError as error:
        failed.append(f"the journal could not be closed: {error.strerror or error}")
    return failed


def described(operation: Operation) -> str:
    """An operation in a few words."""
    match operation:
        case operations.PutFile(path=path):
            return f"put {path} in its place"
        case operations.RemoveFile(path=path):
            return f"remove {path}"
        case operations.RunFirewall():
            return "change the firewall"
        case operations.CloseRoutes(marks=marks):
            return f"close the routes of {_some(_of_marks(marks))}"
        case operations.OpenRoutes(marks=marks):
            return f"open the routes of {_some(_of_marks(marks))}"
        case operations.ReloadNginx():
            return "reload nginx"
        case operations.Wait(seconds=seconds):
            return f"wait {seconds:g} s"
        case operations.RemoveNetwork(name=name):
            return f"remove the network {name}"
        case operations.StopContainers(services=services):
            return f"stop {_some(services)}"
        case operations.RemoveContainers(services=services):
            return f"remove {_some(services)}"
        case operations.ComposeUp(services=services, start=start):
            verb = "bring up" if start else "make"
            return f"{verb} {_some(services)}"
        case operations.ReloadSystemd():
            return "have systemd read its unit files"
    verb = type(operation).__name__.removesuffix("Units").lower()
    return f"{verb} {_some(operation.units)}"


def _of_marks(marks: tuple[str, ...]) -> tuple[str, ...]:
    """The services whose marks these are."""
    return tuple(PurePosixPath(mark).name.partition("@")[0] for mark in marks)


def _some(names: tuple[str, ...]) -> str:
    return listed(names, 3)


class Hands:
    """Does single operations. `side`: whose files are put in place, NEW or OLD."""

    def __init__(
        self, journal: Journal, system: System, side: str, *, booting: bool = False
    ) -> None:
        self.journal = journal
        self.system = system
        self.side = side
        self.tree = journal.tree(side)
        self.booting = booting  # systemd starts what is enabled by itself, after this

    def do(self, operation: Operation) -> None:
        """Do it. Raises FailedError."""
        try:
            self._do(operation)
        except PortgenError as error:
            raise FailedError(str(error)) from None
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise FailedError(f"{place}{error.strerror or error}") from None

    def _do(self, operation: Operation) -> None:
        match operation:
            case operations.StopContainers(project=project, services=services):
                self._stop_containers(project, services)
            case operations.RemoveContainers(project=project, services=services):
                self._remove_containers(self._ids(project, services))
            case operations.RemoveNetwork():
                self._remove_network(operation)
            case operations.ComposeUp():
                self._compose_up(operation)
            case operations.RunFirewall():
                self._firewall(operation)
            case operations.ReloadNginx():
                self._reload_nginx()
            case operations.Wait(seconds=seconds):
                self.system.wait(seconds)
            case operations.PutFile() | operations.RemoveFile():
                self._do_file(operation)
            case operations.CloseRoutes() | operations.OpenRoutes():
                self._do_routes(operation)
            case _:
                self._do_units(operation)

    def _do_units(self, operation: operations.OfUnits) -> None:
        match operation:
            case operations.StopUnits(units=units):
                self._stop(units)
            case operations.DisableUnits(units=units):
                self._disable(units)
            case operations.EnableUnits(units=units):
                self._enable(units)
            case operations.StartUnits(units=units):
                self._start("start", units)
            case operations.RestartUnits(units=units):
                self._start("restart", units)
            case operations.ReloadSystemd():
                self._run("systemctl", "daemon-reload")

    def _do_file(self, operation: operations.OfFiles) -> None:
        if isinstance(operation, operations.RemoveFile):
            self.system.remove(operation.path)
            return
        data = self.system.read(str(PurePosixPath(self.tree, operation.source)))
        if data is None:
            raise FailedError(f"{self.tree}/{operation.source} is missing from the journal")
        self.system.put(operation.path, data, operation.mode, operation.owner)

    def _do_routes(self, operation: operations.OfRoutes) -> None:
        for mark in operation.marks:
            if isinstance(operation, operations.CloseRoutes):
                self.system.put(mark, b"", operations.MODE, operations.OWNER)
            else:
                self.system.remove(mark)

    def _run(self, *words: str, **options: Any) -> Finished:
        done = self.system.run(words, **options)
        if done.returncode != 0:
            raise FailedError(f"`{' '.join(words[:4])}` failed: {_last_line(done)}")
        return done

    # --- systemd ---

    def _show(self, units: tuple[str, ...], *properties: str) -> list[dict[str, str]]:
        """What systemd says of each unit."""
        option = f"--property={','.join(('Id', *properties))}"
        said = self._run("systemctl", "show", option, "--", *units).stdout
        found = []
        for paragraph in said.strip().split("\n\n"):
            fields = (line.partition("=") for line in paragraph.splitlines())
            found.append({name: value for name, _, value in fields})
        return found

    def _stop(self, units: tuple[str, ...]) -> None:
        done = self.system.run(("systemctl", "stop", "--", *units))
        if done.returncode == 0:
            return
        # One that systemd does not know can't be stopped, and does not run.
        running = [one["Id"] for one in self._show(units, "ActiveState") if _runs(one)]
        if running:
            raise FailedError(f"{', '.join(running)} did not stop: {_last_line(done)}")

    def _enable(self, units: tuple[str, ...]) -> None:
        """systemd goes on saying what it said of a unit before, until it reads its files again."""
        self._run("systemctl", "--no-reload", "enable", "--", *units)
        if self.booting:
            return
        said = [one.get("UnitFileState") for one in self._show(units, "UnitFileState")]
        if "disabled" in said:
            self._run("systemctl", "daemon-reload")

    def _disable(self, units: tuple[str, ...]) -> None:
        done = self.system.run(("systemctl", "--no-reload", "disable", "--", *units))
        if done.returncode == 0:
            return
        for one in units:
            said = self.system.run(("systemctl", "is-enabled", "--", one)).stdout.strip()
            if said.startswith("enabled"):
                raise FailedError(f"{one} is still enabled: {_last_line(done)}")

    def _start(self, verb: str, units: tuple[str, ...]) -> None:
        """A program that can't listen ends only after systemd has taken it for started."""
        if self.booting:
            self._run("systemctl", "--no-block", "start", "--", *units)
            return
        self._run("systemctl", verb, "--", *units)
        waited = 0.0
        while True:
            self.system.wait(_SETTLES)
            waited += _SETTLES
            down = [one for one in self._show(units, "ActiveState", "SubState") if not _is_up(one)]
            if not down:
                return
            if waited > _STARTS:
                names = ", ".join(f"{one['Id']} ({one['SubState']})" for one in down)
                raise FailedError(f"not running: {names}; `systemctl status` says why")

    # --- docker ---

    def _ids(self, project: str, services: tuple[str, ...]) -> list[str]:
        found: list[str] = []
        for service in services:
            filters = (
                *("--filter", f"label=com.docker.compose.project={project}"),
                *("--filter", f"label=com.docker.compose.service={service}"),
            )
            words = ("docker", "ps", "--all", "--quiet", "--no-trunc", *filters)
            found += self._run(*words).stdout.split()
        return found

    def _stop_containers(self, project: str, services: tuple[str, ...]) -> None:
        found = self._ids(project, services)
        if not found:
            return
        policies = self._policies(found)
        self._keep_policies(project, services, policies)
        kept = [name for name, policy in policies.items() if policy != "no"]
        if kept:
            self._run("docker", "update", "--restart=no", *kept)
        self._run("docker", "stop", *found, timeout=_CONTAINERS_TIME)

    def _keep_policies(
        self, project: str, services: tuple[str, ...], policies: Mapping[str, str]
    ) -> None:
        """Log the restart policies of containers before they become `no`. A container was there before the
        install where the install did not call compose for it."""
        if self.side == NEW:
            self.journal.add(policies=policies)
            return
        brought_up = self.journal.brought_up
        old = [one for one in services if operations.container(project, one) not in brought_up]
        there = set(self._ids(project, tuple(old)))
        with suppress(OSError):  # a full disk keeps nobody from putting it back
            self.journal.add(
                policies={name: policy for name, policy in policies.items() if name in there},
                later={name: policy for name, policy in policies.items() if name not in there},
            )

    def _policies(self, ids: list[str]) -> dict[str, str]:
        """The restart policy of each of these containers, by id, as `docker update --restart` takes it."""
        form = "{{.ID}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"
        found = {}
        for line in self._run("docker", "inspect", f"--format={form}", *ids).stdout.splitlines():
            name, policy, count = line.split(" ")
            found[name] = policy or "no"
            if count != "0":
                found[name] = f"{policy}:{count}"
        return found

    def _start_as_before(self, ids: list[str]) -> None:
        """Give these containers their restart policies back: compose sets them where it makes containers."""
        now = self._policies(ids) if ids else {}
        for name, policy in self.journal.all_policies.items():
            if name in now and now[name] != policy:
                self._run("docker", "update", f"--restart={policy}", name)

    def _remove_containers(self, ids: list[str]) -> None:
        if ids:
            self._run("docker", "rm", *ids)

    def _remove_network(self, operation: operations.RemoveNetwork) -> None:
        name = operation.name
        if operation.made and name not in self.journal.made:
            return
        form = "{{range .IPAM.Config}}{{.Subnet}} {{end}}"
        done = self.system.run(("docker", "network", "inspect", f"--format={form}", name))
        if lacks_network(done):
            return
        if done.returncode != 0:
            raise FailedError(f"docker does not say what the network {name} is: {_last_line(done)}")
        if operation.subnets and sorted(done.stdout.split()) == sorted(operation.subnets):
            return
        inside = ("docker", "ps", "--all", "--quiet", "--filter", f"network={name}")
        stopped = self._run(*inside, "--filter", "status=exited", "--filter", "label=portgen")
        created = self._run(*inside, "--filter", "status=created", "--filter", "label=portgen")
        self._remove_containers([*stopped.stdout.split(), *created.stdout.split()])
        if operation.made and self._run(*inside).stdout.split():
            return  # somebody else is in it by now
        self._run("docker", "network", "rm", name)

    def _compose_up(self, operation: operations.ComposeUp) -> None:
        services = operation.services
        if self.side == NEW:
            self._note_networks(operation.networks)
        else:
            services = tuple(
                service for service in services if not self._brought_back(operation, service)
            )
        if services:
            verb = operation.verb
            try:
                self._compose(operation, operation.files, *verb, *services)
            except FailedError:
                files = self._with_stand_ins(operation)
                if files is None:
                    raise
                self._compose(operation, files, *verb, *services)
        self._start_as_before(self._ids(operation.project, operation.services))

    def _compose(self, operation: operations.ComposeUp, files: str, *words: str) -> str:
        return self._run(
            *self.journal.decided.compose,
            *words,
            folder=operation.folder,
            environment={"COMPOSE_FILE": files},
            timeout=_CONTAINERS_TIME,
        ).stdout

    def _with_stand_ins(self, operation: operations.ComposeUp) -> str | None:
        """What compose reads where the team's own files lack services by now that the old portgen file has:
        compose would refuse the whole project. They get an image that nobody asks for. None where nothing is
        lacking."""
        if self.side == NEW or not operation.described:
            return None
        there = self._compose(operation, operation.own, "config", "--services").split()
        missing = [name for name in operation.described if name not in there]
        if not missing:
            return None
        content = {"services": {name: {"image": _NO_IMAGE} for name in missing}}
        path = str(PurePosixPath(self.tree).parent / f"{operation.project}.{_STAND_INS}")
        data = json.dumps(content).encode()
        self.system.put(path, data, operations.MODE, operations.OWNER)
        separator = operation.files.removeprefix(operation.own)[0]
        return f"{operation.files}{separator}{path}"

    def _note_networks(self, names: tuple[str, ...]) -> None:
        """Before compose makes them: they are removed where the install is put back."""
        missing = []
        for name in names:
            done = self.system.run(("docker", "network", "inspect", "--format={{.Name}}", name))
            if lacks_network(done):
                missing.append(name)
        if missing:
            self.journal.add(makes=missing)

    def _brought_back(self, operation: operations.ComposeUp, service: str) -> bool:
        """Whether the container that was there before is still there: then it is the one, whatever compose's
        files say by now. One that the install has made beside it goes."""
        found = self._ids(operation.project, (service,))
        old = found
        if operations.container(operation.project, service) in self.journal.brought_up:
            old = [one for one in found if one in self.journal.policies]
        if not old:
            return False
        others = [one for one in found if one not in old]
        if others:
            self._run("docker", "stop", *others, timeout=_CONTAINERS_TIME)
            self._remove_containers(others)
        if operation.start:
            self._run("docker", "start", *old, timeout=_CONTAINERS_TIME)
        return True

    # --- the firewall ---

    def _firewall(self, operation: operations.RunFirewall) -> None:
        words = ("sh", f"{self.tree}/{SCRIPT}", *operation.options)
        done = self.system.run(words, timeout=_FIREWALL_TIME)
        said = tuple(line for line in done.stderr.splitlines() if line.strip())
        if done.returncode not in (0, SKIPPED):
            raise FailedError(f"the firewall script failed: {_last_line(done)}")
        guarded = [line for line in said if GUARDED in line]
        if guarded and not self.journal.decided.goes_on:
            # Whoever held it was stopped before.
            raise FailedError(f"a guard could not be removed: {guarded[0]}")
        if guarded:
            self.journal.add(left=guarded)
        self.journal.add(kept=list(said) if done.returncode == SKIPPED else [])

    # --- nginx ---

    def _reload_nginx(self) -> None:
        master = self._master()
        if not master and self.booting:
            return  # it starts after this, with its files as they are
        before = {worker.pid for worker in self.system.workers(master)}
        self._run("systemctl", "reload-or-restart", "nginx")
        waited = 0.0
        while waited < _RELOADS:
            workers = self.system.workers(self._master())
            new = [worker for worker in workers if worker.pid not in before]
            old = [worker for worker in workers if worker.pid in before and worker.accepts]
            if new and not old:
                return
            self.system.wait(_LOOKS)
            waited += _LOOKS
        raise FailedError("nginx did not take its new files: /var/log/nginx/error.log says why")

    def _master(self) -> int:
        said = self._run("systemctl", "show", "--property=MainPID", "--value", "nginx").stdout
        return int(said.strip() or 0)


def kept(journal: Journal) -> list[str]:
    """What the firewall script kept or skipped on purpose, the last time that it ran."""
    for entry in reversed(journal.entries):
        if "kept" in entry:
            return list(entry["kept"])
    return []


def _runs(said: Mapping[str, str]) -> bool:
    return said.get("ActiveState") not in ("inactive", "failed")


def _is_up(said: Mapping[str, str]) -> bool:
    return said.get("ActiveState") == "active" and said.get("SubState") != "auto-restart"


def lacks_network(inspected: Finished) -> bool:
    """Whether `docker network inspect` failed because there is no such network. Newer versions of docker say
    `network wall not found`."""
    said = inspected.stderr.lower()
    return inspected.returncode != 0 and ("no such network" in said or "not found" in said)


def _last_line(done: Finished) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
