"""`portgen reach`: who gets where, and why not."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from portgen import chain, screen
from portgen.commands import _complete
from portgen.commands._options import with_settings
from portgen.problem import Exit, PortgenError, did_you_mean, listed
from portgen.settings import Settings, Style

if TYPE_CHECKING:
    from portgen.inventory.source import Source as Inventory
    from portgen.plan.door import Door
    from portgen.plan.ports import Endpoint
    from portgen.plan.reaching import Answer, Target
    from portgen.plan.types import Host, Plan, Service
    from portgen.plan.visitors import Source, Sources

MOST = 3  # services that are named in a line
MOST_PROJECTS = 8


@click.command(
    epilog="""\b
Examples:
  portgen reach
  portgen reach --from any
  portgen reach --from lan --to postgresql
  portgen reach --from "neighbour of dashboard" --to "project dashboard"
  sudo portgen reach --live"""
)
@click.option(
    "--from",
    "from_",
    metavar="SOURCE",
    shell_complete=_complete.sources,
    help="Ask about any, a zone, a project's containers, a CIDR, host, or neighbour of PROJECT only.",
)
@click.option(
    "--to",
    metavar="SERVICE",
    shell_complete=_complete.services,
    help="Ask about [HOST/]SERVICE[:PORT], or project NAME, only.",
)
@click.option("--live", is_flag=True, help="By what this host has now, not by the inventory.")
@with_settings
def command(settings: Settings, from_: str | None, to: str | None, live: bool) -> int:
    """Show who gets where: which source reaches which service, by which way, or why not.

    Sources are the zones of a host; `any`, an address in no zone and no project's network; each
    project's containers; a neighbour, which sends packets for a Docker network to the host; and the
    host itself. Ways are a port, a route, and the container's own address. The answer follows from
    the inventory and holds once that is installed; ufw refuses what no rule allows. With --live it
    follows from this host's firewall, sockets, containers and nginx files, and only root sees all
    of them.

    Exits with 0 whatever the answer is, also for `no` and `not known`. To have answers checked,
    write them as sentences of `expect`: `portgen lint` fails where one is not so.
    """
    source, planned = chain.plan(settings)
    target = None if to is None else _target(planned, to)
    hosts = _live(settings, planned, target) if live else _planned(planned)
    found = list(_answers(planned, hosts, from_, target))
    style = settings.style
    endpoints = () if target is None else target.endpoints
    if style.format == "json":
        from portgen.review import reach_words

        answers = [(host.name, answer) for host, answers in found for answer in answers]
        made = reach_words.record(planned, answers, source.at, live=live, endpoints=endpoints)
        screen.data(made)
    elif from_ is None and target is None:
        _print_matrix(planned, source, found, style)
    else:
        _print_answers(planned, source, found, style, endpoints)
    return Exit.OK


class _Doors(NamedTuple):
    host: Host
    doors: dict[str, list[Door]]


def _planned(planned: Plan) -> list[_Doors]:
    from portgen.plan import relays

    return [_Doors(host, relays.doors_of(planned, host)) for host in planned.hosts]


def _live(settings: Settings, planned: Plan, target: Target | None) -> list[_Doors]:
    """What this host has. Raises PortgenError(Exit.MACHINE) where what it is asked about can't be seen: it
    may be open."""
    from portgen import audit
    from portgen.commands._audited import SOURCES, Wish, audited, seen_of

    sources = [source for source in SOURCES if source != "health"]
    wish = Wish(sources=sources)
    host, seen = seen_of(settings, planned, wish)
    both = audited(settings, host, seen, wish)
    asked = {service.name for service in _services(host, target)}
    why: dict[str, None] = {}
    for name, gaps in audit.unseen(both).items():
        if name in asked:
            why.update((f"{gap.source}: {gap.why}", None) for gap in gaps)
    if why:
        hint = "run it as root on the host; without --live the inventory alone answers"
        message = f"not everything could be seen: {'; '.join(why)}"
        raise PortgenError(message, Exit.MACHINE, hint=hint)
    return [_Doors(host, audit.doors(both))]


def _target(planned: Plan, word: str) -> Target:
    """What `--to` means. Raises PortgenError(Exit.USAGE)."""
    from portgen.plan import reaching

    try:
        return reaching.target(planned, word)
    except reaching.UnknownTargetError as error:
        hint = did_you_mean(word, error.known)
        if hint is None and 0 < len(error.known) < 8:
            hint = f"write {' or '.join(error.known)}"
        raise PortgenError(f"{word}: {error}", Exit.USAGE, hint=hint) from None


Found = tuple["Host", list["Answer"]]


def _answers(
    planned: Plan, hosts: Sequence[_Doors], word: str | None, target: Target | None
) -> Iterator[Found]:
    from portgen.plan import reaching
    from portgen.plan.visitors import Sources, UnknownSourceError

    known: dict[str, None] = {}
    answered = False
    for host, doors in hosts:
        if target is not None and target.host != host.name:
            continue
        try:
            sources = _sources(Sources(planned, host), word)
        except UnknownSourceError as error:
            known.update(dict.fromkeys(error.known))
            continue
        asked = reaching.Answers(doors)
        endpoints = () if target is None else target.endpoints
        answers = []
        for service in _services(host, target):
            for source in sources:
                answers.append(asked.of(source, service, endpoints))
        answered = True
        yield host, answers
    if word is not None and known and not answered:
        raise _unknown(planned, word, list(known))


def _unknown(planned: Plan, word: str, known: Sequence[str]) -> PortgenError:
    """`word` stands for nobody on any of the hosts that were asked."""
    from portgen.plan import reached_words

    hint = reached_words.source_hint(planned, word, known)
    hint = hint or f"write {listed(known, 8)}, or a CIDR"
    return PortgenError(f"{word} stands for nobody here", Exit.USAGE, hint=hint)


def _sources(known: Sources, word: str | None) -> Sequence[Source]:
    """Those that are asked about. Raises UnknownSourceError."""
    return known.every if word is None else [known.named(word)]


def _services(host: Host, target: Target | None) -> Sequence[Service]:
    if target is not None:
        return target.services
    return [service for project in host.projects for service in project.services if service.ports]


# --- the matrix -----------------------------------------------------------------------------------


def _print_matrix(planned: Plan, source: Inventory, found: Sequence[Found], style: Style) -> None:
    """A table a host: its services below each other, its sources side by side, those with the same
    answers in one column; then what decides."""
    for number, (host, answers) in enumerate(found):
        if number:
            click.echo()
        click.echo(screen.heading(f"who reaches what on {host.name}", style), color=style.color)
        if not answers:
            _print_lines(iter([f"no service of {host.name} listens"]), style)
            continue
        columns = _columns(answers)
        services = tuple(dict.fromkeys(answer.service.name for answer in answers))
        _print_table(services, columns, style)
        click.echo()
        _print_lines(_legend(host, answers, columns), style)
        click.echo()
        click.echo(screen.heading("what decides", style), color=style.color)
        _print_lines(_deciding(planned, source, answers), style)


Columns = dict[tuple[str, ...], tuple[str, ...]]  # sources by name, and their cells


def _columns(answers: Sequence[Answer]) -> Columns:
    """Those with the same cells in one column; it is named after `any` where that is one of them."""
    from portgen.plan import reached_words
    from portgen.plan.reach import ANY

    cells: dict[str, list[str]] = {}
    for answer in answers:
        cells.setdefault(answer.source.name, []).append(reached_words.short(answer))
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, column in cells.items():
        alike.setdefault(tuple(column), []).append(name)
    columns: Columns = {}
    for shared, names in alike.items():
        names.sort(key=lambda name: name != ANY)
        columns[tuple(names)] = shared
    return columns


def _print_table(services: tuple[str, ...], columns: Columns, style: Style) -> None:
    """As many tables below each other as it takes to have each cell whole on this terminal."""
    first = ("SERVICE", *services)
    whole = [(names[0], *column) for names, column in columns.items()]
    is_page = style.format == "markdown"
    width = None if is_page else screen.width()
    for number, some in enumerate(_fitting(first, whole, width)):
        if number:
            click.echo()
        head, *rows = zip(first, *some, strict=True)
        for line in screen.table(head, rows, style):
            click.echo(line, color=style.color)


def _fitting(
    first: Sequence[str], columns: Iterable[Sequence[str]], width: int | None
) -> list[list[Sequence[str]]]:
    """The columns, those together that fit beside the first one; at least one of them."""
    room = (width or sys.maxsize) - max(map(len, first))
    found: list[list[Sequence[str]]] = [[]]
    left = room
    for column in columns:
        wide = screen.GAP + max(map(len, column))
        if found[-1] and wide > left:
            found.append([])
            left = room
        found[-1].append(column)
        left -= wide
    return found


def _legend(host: Host, answers: Sequence[Answer], columns: Columns) -> Iterator[str]:
    from portgen.plan import reached_words
    from portgen.plan.reach import ANY, in_words

    for names in columns:
        if len(names) > 1:
            yield f"{names[0]}: also {', '.join(names[1:])}"
    for zone, members in host.zones.items():
        if members:
            yield f"{zone} is {', '.join(map(in_words, members))}"
    for source in {answer.source.name: answer.source for answer in answers}.values():
        if source.unknown:
            yield f"{source.name}: not known, since {source.unknown}"
        why = reached_words.nobody(host, source)
        if why:
            yield f"nobody is in {source.name}: {why}"
    on_the_host = _on_the_host(host)
    if on_the_host:
        verb = "is" if len(on_the_host) == 1 else "are"
        yield f"{listed(on_the_host, MOST_PROJECTS)} {verb} the host itself"
    yield f"host: {reached_words.HOST_GETS_IN}"
    yield reached_words.strangers(ANY)


def _on_the_host(host: Host) -> list[str]:
    """The projects without a column: as sources they are the host, since no network of docker's is theirs."""
    from portgen.plan.networks import hides_containers

    found = []
    for project in host.projects:
        if project.network is None and not hides_containers(project):
            found.append(project.name)
    return [name for name in found if name not in host.zones]


def _deciding(planned: Plan, source: Inventory, answers: Sequence[Answer]) -> Iterator[str]:
    """What decides at each service; those for which it is the same, together."""
    from portgen.review import reach_words

    alike = _Alike()
    for answer in {answer.service.name: answer for answer in answers}.values():
        service = answer.service
        lines = reach_words.reasons(planned, service, answer.asked, source.at)
        alike.add((), service.name, service.name, lines)
    for _, names, shared in alike.found():
        yield f"{listed(names, MOST)}: {' | '.join(shared)}"


class _Alike:
    """What is to be said of several services together: each route of a service's own name is then `/.../`."""

    def __init__(self) -> None:
        self._names: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
        # As it is of the first of them.
        self._first: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}

    def add(self, about: tuple[str, ...], service: str, shown: str, lines: list[str]) -> None:
        """Lines that are said of a service, which is named as `shown`."""
        shared = tuple(line.replace(f"/{service}/", "/.../") for line in lines)
        self._names.setdefault((about, shared), []).append(shown)
        self._first.setdefault((about, shared), lines)

    def found(self) -> Iterator[tuple[tuple[str, ...], list[str], Sequence[str]]]:
        """What each is about, who they are, and the lines."""
        for (about, shared), names in self._names.items():
            yield about, names, shared if len(names) > 1 else self._first[about, shared]


def _print_lines(lines: Iterable[str], style: Style) -> None:
    click.echo(screen.items(lines, style, with_code=True), nl=False, color=style.color)


# --- single answers -------------------------------------------------------------------------------


def _print_answers(
    planned: Plan,
    source: Inventory,
    found: Sequence[Found],
    style: Style,
    endpoints: Sequence[Endpoint],
) -> None:
    """An answer a line, those with the same one together, with the ways, or with what decides."""
    from portgen.plan import reached_words

    alike = _Alike()
    kinds: dict[str, str] = {}
    for host, answers in found:
        on = f"{host.name}/" if len(planned.hosts) > 1 else ""
        for answer in answers:
            asker, service = answer.source, answer.service
            kinds[asker.name] = asker.kind
            lines = _lines(planned, source, host, answer, endpoints)
            shown = on + reached_words.service_name(service, endpoints)
            alike.add((asker.name, reached_words.said(answer)), service.name, shown, lines)
    indent = "" if style.format == "markdown" else "  "
    for number, ((asked_from, short), names, shared) in enumerate(alike.found()):
        if number:
            click.echo()
        title = f"{asked_from} -> {', '.join(names)}: {short}"
        click.echo(screen.heading(title, style), color=style.color)
        _print_lines((indent + line for line in shared), style)
    strangers = [name for name, kind in kinds.items() if kind == "any"]
    if strangers:
        click.echo()
        _print_lines(map(reached_words.strangers, strangers), style)


def _lines(
    planned: Plan, source: Inventory, host: Host, answer: Answer, endpoints: Sequence[Endpoint]
) -> list[str]:
    """The ways of one answer, who is left out, and what decides it."""
    from portgen.plan import reached_words
    from portgen.review import reach_words

    asker = answer.source
    lines = [f"by {way}" for way in reached_words.ways(answer)]
    lines += reached_words.missing(answer)
    if answer.reached == "unknown":
        lines.append(f"{asker.unknown}; {asker.remedy}")
    nobody = reached_words.nobody(host, asker)
    if nobody:
        lines.append(f"nobody is in {asker.name}: {nobody}")
    return [*lines, *reach_words.reasons_of(planned, answer, source.at, endpoints)]
