"""`portgen log`: every holder that a port ever had, or every port of a service, out of git."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import click

from portgen import screen
from portgen.commands import _complete
from portgen.commands._options import with_settings
from portgen.problem import Exit, PortgenError, did_you_mean, not_a_port
from portgen.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from portgen.commands._past import Read
    from portgen.plan.facts import Key
    from portgen.plan.ports import Transport
    from portgen.review.history import History
    from portgen.review.tenures import Said, Tenure

# As people copy it: 5014, :5014, 53/udp, 5000-5010, box/53; pages write a range with a dash.
_PORTS = re.compile(
    r"(?:(?P<host>[^/]+)/)?:?(?P<first>[0-9]{1,99})(?: ?[-\u2013] ?(?P<last>[0-9]{1,99}))?"
    r"(?:/(?P<transport>tcp|udp))?"
)
HINT = (
    "ask for a port (5014, 53/udp, HOST/53), a range (5000-5010) or a service (NAME, PROJECT/NAME, "
    "HOST/NAME)"
)


@click.command(
    epilog="""With -v dates have the time of day.

\b
Examples:
  portgen log 5014
  portgen log 53/udp
  portgen log 5000-5010
  portgen log smartnumbers
  portgen log es-docker/5432 --format json"""
)
@click.argument("what", metavar="PORT|SERVICE", shell_complete=_complete.services)
@with_settings
def command(settings: Settings, what: str) -> int:
    """List every holder that a port ever had, or every port that a service ever had.

    The newest comes first: who had it, from which commit to which, and how it came: assigned, moved, swapped,
    renamed, planned, retired, given up. Of a service, also what it was called before.

    All of it is read from the history of the inventory file, as git has it; what differs from HEAD here
    is "not committed". Revisions whose inventory can't be loaded are skipped, and named.
    """
    from portgen.commands import _past

    found = _past.read(settings)
    what = what.strip()
    tenures, none = _asked(found.history, what)
    _print(settings, found, what, tenures, none)
    return Exit.OK


def _asked(history: History, what: str) -> tuple[list[Tenure], str]:
    """Who had what was asked for; and what to say where nobody had. Raises PortgenError(Exit.USAGE) for
    what is not a port, PortgenError(Exit.DIFFERENT) for a name that never was."""
    from portgen.review import history_words

    number = _PORTS.fullmatch(what)
    if number is None:
        keys = _services(history, what)
        tenures = dict.fromkeys(tenure for key in keys for tenure in history.of_service(key))
        return list(tenures), history_words.no_port_ever(what)
    first, last = int(number["first"]), int(number["last"] or number["first"])
    for port in (first, last):
        if not 1 <= port <= 65535:
            raise PortgenError(not_a_port(port), Exit.USAGE)
    if last < first:
        hint = f"write {last}-{first}"
        raise PortgenError(f"{first}-{last} runs backwards", Exit.USAGE, hint=hint)
    hosts = history.hosts()
    if number["host"] is not None and number["host"] not in hosts:
        message = f"no host was ever called {number['host']}"
        raise PortgenError(
            message, Exit.DIFFERENT, hint=did_you_mean(number["host"], hosts) or HINT
        )
    transport = cast("Transport | None", number["transport"])
    held = history.of_ports(range(first, last + 1), transport, number["host"])
    return held, history_words.none_ever(what)


def _services(history: History, what: str) -> list[Key]:
    """What has, or had, that name, or that title where nothing has the name."""
    place, _, name = what.rpartition("/")
    ever = history.ever()
    keys = []
    for key, service in ever.items():
        if key.name == name and (not place or place in (key.host, *service.projects)):
            keys.append(key)
    if not keys:
        wanted = what.casefold()
        keys = [key for key, service in ever.items() if wanted in service.titles]
    if not keys:
        hint = did_you_mean(name, [key.name for key in ever]) or HINT
        if what in history.hosts():
            hint = f"{what} is a host: ask for one of its ports, such as {what}/5000"
        elif any(what in service.projects for service in ever.values()):
            hint = f"{what} is a project: ask for its range, or one of its services"
        raise PortgenError(f"no service was ever called {what}", Exit.DIFFERENT, hint=hint)
    return keys


def _print(
    settings: Settings, found: Read, what: str, tenures: Sequence[Tenure], none: str
) -> None:
    from portgen.machine import history as past
    from portgen.review import log_records
    from portgen.review.tenures import Said

    named = [revision for revision, _ in found.skipped]
    ends = sorted(found.commits.ends)
    for tenure in tenures:
        named += (tenure.since, tenure.until or "")
    said: dict[str, Said] = {}
    for revision, words in past.about(found.commits, filter(None, (*named, *ends))).items():
        said[revision] = Said(*words)
    style = settings.style
    if style.format == "json":
        names = found.commits.names
        screen.data(log_records.record(what, tenures, found.skipped, ends, names, said))
        return
    if not tenures:
        screen.show(screen.items([none], style), style)
    _print_tables(settings, tenures, said)
    notes = list(_notes(settings, found, ends, said))
    if notes and not style.quiet:
        screen.show("\n" + screen.items(notes, style), style)


def _print_tables(settings: Settings, tenures: Sequence[Tenure], said: Mapping[str, Said]) -> None:
    """A table for each host."""
    from portgen.review import history_words

    style = settings.style
    hosts = list(dict.fromkeys(tenure.host for tenure in tenures))
    for host in hosts:
        if host != hosts[0]:
            click.echo()
        if len(hosts) > 1:
            click.echo(screen.heading(f"on {host}", style), color=style.color)
        rows = []
        for tenure in tenures:
            if tenure.host == host:
                rows.append(history_words.row(tenure, said, whole=style.verbose))
        rows = history_words.narrowed(rows, screen.width())
        for line in screen.table(history_words.HEAD, rows, style):
            click.echo(line, color=style.color)


def _notes(
    settings: Settings, found: Read, ends: Sequence[str], said: Mapping[str, Said]
) -> Iterator[str]:
    """What one should know of the answer."""
    from portgen.review import history_words

    if found.skipped:
        whole = settings.style.verbose
        yield from history_words.skipped(found.skipped, said, whole=whole)
    if ends:
        yield history_words.ends(ends, said)
    if len(found.commits.names) > 1:
        yield history_words.called(found.commits.names)
    yield from found.notes
