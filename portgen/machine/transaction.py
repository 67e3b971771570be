"""An install, carried out operation by operation, and put back where one fails.

In: a `Journal`, a `System`. Out: the host in the new state, or in the old one again; or what is left to
do. Each operation is in the journal before it begins. Putting back is the same code with the operations of
the other direction: those whose things were touched. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import PurePosixPath

from portgen.install import operations
from portgen.install.operations import Operation
from portgen.machine import journal as journals
from portgen.machine.containers import NEW, OLD, Containers, FailedError, change, last_line, run
from portgen.machine.journal import Journal
from portgen.machine.system import LONG, System
from portgen.problem import PortgenError, listed

SCRIPT = "ufw/portgen-ufw.sh"
SKIPPED = 3  # the script's exit code where it kept or skipped something on purpose
GUARDED = "stays guarded"  # what it says of a guard that could not go
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
                hands.stop_all(journal.to_undo)
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
    return tuple(PurePosixPath(mark).name.partition(":")[0] for mark in marks)


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
        self.containers = Containers(journal, system, side)
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
                self.containers.stop(project, services)
            case operations.RemoveContainers(project=project, services=services):
                self.containers.remove(project, services)
            case operations.RemoveNetwork():
                self.containers.remove_network(operation)
            case operations.ComposeUp():
                self.containers.bring_up(operation)
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
                change(self.system, "systemctl", "daemon-reload")

    def stop_all(self, some: Iterable[Operation]) -> None:
        """Stop all units of these operations, also those that a boot is about to start: what systemd knows of
        them is of one side, and what they lead to may be of the other."""
        units: set[str] = set()
        for one in some:
            if isinstance(one, operations.OfUnits):
                units.update(one.units)
        if units:
            with suppress(FailedError, OSError, PortgenError):
                self._stop(tuple(sorted(units)))

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

    # --- systemd ---

    def _show(self, units: tuple[str, ...], *properties: str) -> list[dict[str, str]]:
        """What systemd says of each unit."""
        option = f"--property={','.join(('Id', *properties))}"
        said = run(self.system, "systemctl", "show", option, "--", *units).stdout
        found = []
        for paragraph in said.strip().split("\n\n"):
            fields = (line.partition("=") for line in paragraph.splitlines())
            found.append({name: value for name, _, value in fields})
        return found

    def _stop(self, units: tuple[str, ...]) -> None:
        done = self.system.run(("systemctl", "stop", "--", *units), timeout=LONG)
        if done.returncode == 0:
            return
        # One that systemd does not know can't be stopped, and does not run.
        running = [one["Id"] for one in self._show(units, "ActiveState") if _runs(one)]
        if running:
            raise FailedError(f"{', '.join(running)} did not stop: {last_line(done)}")

    def _enable(self, units: tuple[str, ...]) -> None:
        """systemd goes on saying what it said of a unit before, until it reads its files again."""
        change(self.system, "systemctl", "--no-reload", "enable", "--", *units)
        if self.booting:
            return
        said = [one.get("UnitFileState") for one in self._show(units, "UnitFileState")]
        if "disabled" in said:
            change(self.system, "systemctl", "daemon-reload")

    def _disable(self, units: tuple[str, ...]) -> None:
        words = ("systemctl", "--no-reload", "disable", "--", *units)
        done = self.system.run(words, timeout=LONG)
        if done.returncode == 0:
            return
        for one in units:
            said = self.system.run(("systemctl", "is-enabled", "--", one)).stdout.strip()
            if said.startswith("enabled"):
                raise FailedError(f"{one} is still enabled: {last_line(done)}")

    def _start(self, verb: str, units: tuple[str, ...]) -> None:
        """A program that can't listen ends only after systemd has taken it for started."""
        if self.booting:
            change(self.system, "systemctl", "--no-block", "start", "--", *units)
            return
        change(self.system, "systemctl", verb, "--", *units)
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

    # --- the firewall ---

    def _firewall(self, operation: operations.RunFirewall) -> None:
        words = ("sh", f"{self.tree}/{SCRIPT}", *operation.options)
        done = self.system.run(words, timeout=LONG)
        said = tuple(line for line in done.stderr.splitlines() if line.strip())
        if done.returncode not in (0, SKIPPED):
            raise FailedError(f"the firewall script failed: {last_line(done)}")
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
        change(self.system, "systemctl", "reload-or-restart", "nginx")
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
        said = run(
            self.system, "systemctl", "show", "--property=MainPID", "--value", "nginx"
        ).stdout
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
