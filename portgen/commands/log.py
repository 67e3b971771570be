"""`portgen log`: every holder that a port ever had, or every port of a service, out of git."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, cast

import click

from portgen import chain, screen
from portgen.commands import _complete
from portgen.commands._options import with_settings
from portgen.problem import Exit, Location, PortgenError, did_you_mean, not_a_port
from portgen.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from portgen.commands._past import Read
    from portgen.plan.facts import Key
    from portgen.plan.ports import Transport
    from portgen.plan.registry import Reserved
    from portgen.review.history import History
    from portgen.review.tenures import Said, Tenure

# As people copy it: 5014, :5014, 53/udp, 5000-5010, box/53; pages write a range with a dash.
_PORTS = re.compile(
    r"(?:(?P<host>[^/]+)/)?:?(?P<first>[0-9]{1,99})(?: ?[-\u2013] ?(?P<last>[0-9]{1,99}))?"
    r"(?:/(?P<transport>tcp|udp))?"
)
_PORT_OF = re.compile(r"(?P<name>.+):(?P<port>[0-9]{1,5})(?:/(?P<transport>tcp|udp))?")
HINT = (
    "ask for a port (5014, 53/udp, HOST/53), a range (5000-5010) or a service (NAME, PROJECT/NAME, "
    "HOST/NAME, NAME:PORT)"
)


@click.command(
    epilog="""With -v dates have the time of day.

\b
Examples:
  portgen log 5014
  portgen log 53/udp
  portgen log 5000-5010
  portgen log smartnumbers
  portgen log smartnumbers:5007
  portgen log es-docker/5432 --format json"""
)
@click.argument("what", metavar="PORT|SERVICE", shell_complete=_complete.services)
@with_settings
def command(settings: Settings, what: str) -> int:
    """List every holder that a port ever had, or every port that a service ever had.

    The newest comes first: who had it, from which commit to which, and how it came: assigned, moved, swapped,
    renamed, planned, retired, given up. Of a service, also what it was called before; where several services
    had the name, each by itself. Of a port that is reserved, who reserves it.

    All of it is read from the history of the inventory file, as git has it; what differs from HEAD here
    is "not committed". Revisions whose inventory can't be loaded are skipped, and named.
    """
    from portgen.commands import _past

    found = _past.read(settings)
    what = what.strip()
    asked = _asked(found.history, what)
    _print(settings, found, what, asked)
    return Exit.OK


class _Ports(NamedTuple):
    """Ports that were asked for, of one protocol, or on one host, or of all."""

    ports: range
    transport: Transport | None
    host: str | None


class _Asked(NamedTuple):
    """Who had what was asked for: of a name each service that had it; what to say where nobody had."""

    services: Sequence[Sequence[Tenure]]
    none: str
    ports: _Ports | None = None

    @property
    def tenures(self) -> list[Tenure]:
        return [tenure for tenures in self.services for tenure in tenures]


def _asked(history: History, what: str) -> _Asked:
    """Who had what was asked for. Raises PortgenError(Exit.USAGE) for what is not a port,
    PortgenError(Exit.DIFFERENT) for a name that never was."""
    from portgen.review import history_words

    number = _PORTS.fullmatch(what)
    if number is None:
        return _of_name(history, what)
    first, last = int(number["first"]), int(number["last"] or number["first"])
    for port in (first, last):
        if not 1 <= port <= 65535:
            raise PortgenError(not_a_port(port), Exit.USAGE)
    if last < first:
        hint = f"write {last}-{first}"
        raise PortgenError(f"{first}-{last} runs backwards", Exit.USAGE, hint=hint)
    hosts = history.hosts()
    transport = cast("Transport | None", number["transport"])
    asked = _Ports(range(first, last + 1), transport, number["host"])
    held = history.of_ports(*asked)
    if asked.host is not None and asked.host not in hosts:
        message = f"no host was ever called {number['host']}"
        raise PortgenError(
            message, Exit.DIFFERENT, hint=did_you_mean(number["host"], hosts) or HINT
        )
    return _Asked([held], history_words.none_ever(what), asked)


def _of_name(history: History, what: str) -> _Asked:
    """Each service that had a name or a title, all of its ports or, of `SERVICE:PORT`, that one."""
    from portgen.review import history_words

    place = _PORT_OF.fullmatch(what)
    if place is None or _named(history, what):
        return _Asked(
            history.of_services(_services(history, what)), history_words.no_port_ever(what)
        )
    name, port = place["name"], int(place["port"])
    if not 1 <= port <= 65535:
        raise PortgenError(not_a_port(port), Exit.USAGE)
    found = []
    for tenures in history.of_services(_services(history, name)):
        own = []
        for tenure in tenures:
            endpoint = tenure.endpoint
            if endpoint is None or place["transport"] not in (None, endpoint.transport):
                continue
            if port in endpoint.ports:
                own.append(tenure)
        if own:
            found.append(own)
    return _Asked(found, history_words.no_port_ever(name, what.removeprefix(f"{name}:")))


def _named(history: History, what: str) -> list[Key]:
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
    return keys


def _services(history: History, what: str) -> list[Key]:
    """The same. Raises PortgenError(Exit.DIFFERENT) where nothing ever had it."""
    keys = _named(history, what)
    if not keys:
        ever = history.ever()
        name = what.rpartition("/")[2]
        project = what.removeprefix("project ")
        hint = did_you_mean(name, [key.name for key in ever]) or HINT
        if what in history.hosts():
            hint = f"{what} is a host: ask for one of its ports, such as {what}/5000"
        elif any(project in service.projects for service in ever.values()):
            hint = f"{project} is a project: ask for its range, or one of its services"
        raise PortgenError(f"no service was ever called {what}", Exit.DIFFERENT, hint=hint)
    return keys


def _print(settings: Settings, found: Read, what: str, asked: _Asked) -> None:
    from portgen.machine import history as past
    from portgen.review import history_words, log_records
    from portgen.review.tenures import Said

    named = [revision for revision, _ in found.skipped]
    ends = sorted(found.commits.ends)
    for tenure in asked.tenures:
        named += (tenure.since, tenure.until or "")
    said: dict[str, Said] = {}
    for revision, words in past.about(found.commits, filter(None, (*named, *ends))).items():
        said[revision] = Said(*words)
    style = settings.style
    reserved = _reserved(settings, asked)
    if style.format == "json":
        known = log_records.Known(found.skipped, ends, found.commits.names, reserved, said)
        is_name = asked.ports is None
        screen.data(log_records.record(what, asked.services, known, numbered=is_name))
        return
    lines = [history_words.reserved(one, place) for one, place in reserved]
    if asked.tenures:
        _print_services(settings, what, asked, said)
        if lines:
            click.echo()
    else:
        lines = [asked.none, *lines]
    if lines:
        screen.show(screen.items(lines, style), style)
    notes = list(_notes(settings, found, ends, said))
    if notes and not style.quiet:
        screen.show("\n" + screen.items(notes, style), style)


def _reserved(settings: Settings, asked: _Asked) -> list[tuple[Reserved, Location]]:
    """Which of the ports nobody may take by the inventory as it is here, and where it says so; nothing where
    it can't be loaded."""
    from portgen.plan import registry

    if asked.ports is None:
        return []
    try:
        source, planned = chain.plan(settings)
    except PortgenError:
        return []
    found = []
    for one in registry.reserved(planned, *asked.ports):
        found.append((one, source.at(one.key_path)))
    return found


def _print_services(settings: Settings, what: str, asked: _Asked, said: Mapping[str, Said]) -> None:
    """Tables for each service of a name, under a heading where there are several."""
    from portgen.review import history_words

    style = settings.style
    several = len({tenure.host for tenure in asked.tenures}) > 1
    count = len(asked.services)
    for number, tenures in enumerate(asked.services, 1):
        if count == 1:
            _print_tables(settings, tenures, said, headed=several)
            continue
        if number > 1:
            click.echo()
        hosts = list(dict.fromkeys(tenure.host for tenure in tenures)) if several else []
        heading = history_words.one_of(number, count, what, hosts)
        click.echo(screen.heading(heading, style), color=style.color)
        _print_tables(settings, tenures, said, headed=len(hosts) > 1)


def _print_tables(
    settings: Settings, tenures: Sequence[Tenure], said: Mapping[str, Said], *, headed: bool
) -> None:
    """A table for each host; `headed`: under its name."""
    from portgen.review import history_words

    style = settings.style
    hosts = list(dict.fromkeys(tenure.host for tenure in tenures))
    for host in hosts:
        if host != hosts[0]:
            click.echo()
        if headed:
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
