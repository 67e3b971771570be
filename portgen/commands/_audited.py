"""What `audit` needs before it can compare: which host, what was seen of it, what is declared.

In: what was asked for on the command line. Out: an `Audited` host, and what came of it. Writes nothing
but a record where one was asked for.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from portgen import chain
from portgen.problem import Exit, PortgenError, Severity, counted, listed
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.audit import Audited, Outcome
    from portgen.plan.types import Host, Plan
    from portgen.targets import Ask, Seen

# As plan.live has them: `--help` imports nothing of the plan.
SOURCES = ("sockets", "docker", "systemd", "ufw", "nginx", "health")
_LOOKS = 3  # at most; where programs keep ending, what was not seen is reported


class Wish(NamedTuple):
    """What was asked for: which host and sources, and where the answers come from, or go to."""

    host: str | None = None
    sources: Sequence[str] = SOURCES
    record: Path | None = None
    recorded: Path | None = None  # --from


def seen_of(settings: Settings, planned: Plan, wish: Wish) -> tuple[Host, Seen]:
    """The host, and what it answers or answered. Raises PortgenError(Exit.USAGE) where it is not one of
    the inventory, or the record is of another one."""
    from portgen.machine import recording

    if wish.recorded is not None:
        seen = recording.load(wish.recorded)
        return _recorded_host(planned, wish.host, seen, wish.recorded), seen
    host = host_here(planned, wish.host)
    if wish.record is not None:
        recording.require_place(wish.record)
    seen = look(settings, (host,), wish.sources)
    if wish.record is not None:
        recording.save(seen, wish.record)
    return host, seen


def look(settings: Settings, hosts: Sequence[Host], sources: Sequence[str]) -> Seen:
    """What this machine answers about a host. `hosts`: the host as it is declared, in several ways: all that
    one of them asks about is asked. Where a program ends meanwhile, it looks again."""
    from portgen import audit
    from portgen.machine import observe

    def asks(known: Seen) -> Iterator[Ask]:
        for host in hosts:
            yield from audit.asks(host, known, sources)

    with settings.stage(f"looking at {hosts[0].name}") as tell:
        for _ in range(_LOOKS):
            seen = observe.look(asks, settings.inventory.parent, settings.out, tell)
            if not audit.has_moved_on(seen):
                break
    seen.host = hosts[0].name
    return seen


def _recorded_host(planned: Plan, name: str | None, seen: Seen, folder: Path) -> Host:
    recorded = seen.host or seen.hostname
    if name not in (None, recorded):
        raise PortgenError(f"{folder} is a record of {recorded}, not of {name}", Exit.USAGE)
    host = planned.host(recorded)
    if host is None:
        message = f"{folder} is a record of {recorded}, which is not a host of the inventory"
        raise PortgenError(message, Exit.USAGE, hint=f"the inventory has {_names(planned)}")
    return host


def host_here(planned: Plan, name: str | None) -> Host:
    """The host that is named, the only one, or this machine."""
    here = platform.node().partition(".")[0]
    if name is None and len(planned.hosts) == 1:
        return planned.hosts[0]
    host = planned.host(name or here)
    if host is None and name is not None:
        raise _no_such_host(planned, name)
    if host is None:
        message = f"this machine, {here}, is not a host of the inventory"
        raise PortgenError(message, Exit.USAGE, hint=f"name one: {_names(planned)}")
    if host.name != here and planned.host(here) is not None:
        # What this host has would be left over on the other one, and the commands would take it away.
        message = f"this machine is {here}, and not {host.name}"
        raise PortgenError(message, Exit.USAGE, hint=f"run the same command on {host.name} itself")
    return host


def _no_such_host(planned: Plan, name: str) -> PortgenError:
    hint = f"the inventory has {_names(planned)}"
    return PortgenError(f"no such host: {name}", Exit.USAGE, hint=hint)


def _names(planned: Plan) -> str:
    return listed([host.name for host in planned.hosts]) or "no hosts"


def audited(
    settings: Settings, host: Host, seen: Seen, wish: Wish, planned: Plan | None = None
) -> Audited:
    """Both sides of the host. `planned`: with which its `expect` is checked. Raises
    PortgenError(Exit.MACHINE) where nothing is rendered for it."""
    from portgen.audit import Audited, Places

    rendered = rendered_of(settings, host)
    if not rendered:
        message = f"{settings.output_name}/ has no files of {host.name}"
        raise PortgenError(message, Exit.MACHINE, hint="run `portgen render` first")
    places = Places(
        seen.folder,
        f"{seen.out}/{host.name}",
        host.compose or seen.compose,
        settings.inventory.name,
        wish.host or "",
    )
    return Audited(host, seen, rendered, places, wish.sources, planned)


def rendered_of(settings: Settings, host: Host) -> dict[str, str]:
    """What output/ has of a host, by path below its folder."""
    from portgen.files import output

    prefix = f"{host.name}/"
    found = {}
    for path, there in output.read(settings.out, ()).files.items():
        if path.startswith(prefix):
            found[path.removeprefix(prefix)] = there.data.decode("utf-8", "replace")
    return found


def notes(settings: Settings, checked: chain.Checked, found: bool) -> Iterator[str]:
    """Why no commands are printed: they would carry out an inventory that is wrong, or is not rendered.
    `found`: whether there are findings."""
    errors = sum(problem.severity is Severity.ERROR for problem in checked.problems)
    if errors:
        yield f"the inventory has {counted(errors, 'error')}: `portgen lint` shows them"
    count = chain.outdated(settings, checked.plan, asks=found)
    if count:
        were = "file is" if count == 1 else "files are"
        yield f"{count} {were} out of date in {settings.output_name}/: run `portgen render`"


def without_commands(outcome: Outcome) -> Outcome:
    """The same findings without the commands that end them."""
    findings = []
    for one in outcome.findings:
        findings.append(one._replace(finding=one.finding._replace(do="")))
    return outcome._replace(findings=tuple(findings))
