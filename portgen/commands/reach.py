"""`portgen reach`: who gets where, and why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    from portgen.plan.reaching import Answer, Target
    from portgen.plan.types import Host, Plan, Service
    from portgen.plan.visitors import Source, Sources

MOST = 3  # services that are named in a line


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
    """
    source, planned = chain.plan(settings)
    target = None if to is None else _target(planned, to)
    hosts = _live(settings, planned, target) if live else _planned(planned)
    found = list(_answers(planned, hosts, from_, target))
    style = settings.style
    if style.format == "json":
        from portgen.review import reach_words

        answers = [(host.name, answer) for host, answers in found for answer in answers]
        screen.data(reach_words.record(planned, answers, source.at, live=live))
    elif from_ is None and target is None:
        _print_matrix(planned, source, found, style)
    else:
        _print_answers(planned, source, found, style)
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
        if hint is None and len(error.known) < 8:
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
        heads = [names[0] for names in columns]
        rows = []
        services = list(dict.fromkeys(answer.service.name for answer in answers))
        for place, name in enumerate(services):
            rows.append((name, *(cells[place] for cells in columns.values())))
        for line in screen.table(("SERVICE", *heads), rows, style, screen.width()):
            click.echo(line, color=style.color)
        click.echo()
        _print_lines(_legend(host, answers, columns), style)
        click.echo()
        click.echo(screen.heading("what decides", style), color=style.color)
        _print_lines(_deciding(planned, source, answers), style)


Columns = dict[tuple[str, ...], tuple[str, ...]]  # sources by name, and their cells


def _columns(answers: Sequence[Answer]) -> Columns:
    from portgen.plan import reached_words

    cells: dict[str, list[str]] = {}
    for answer in answers:
        cells.setdefault(answer.source.name, []).append(reached_words.short(answer))
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, column in cells.items():
        alike.setdefault(tuple(column), []).append(name)
    return {tuple(names): column for column, names in alike.items()}


def _legend(host: Host, answers: Sequence[Answer], columns: Columns) -> Iterator[str]:
    from portgen.plan import reached_words
    from portgen.plan.reach import in_words

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
    yield "any is every address in no zone and no project's network"


def _deciding(planned: Plan, source: Inventory, answers: Sequence[Answer]) -> Iterator[str]:
    """What decides at each service; those for which it is the same, together."""
    from portgen.review import reach_words

    services = {answer.service.name: answer.service for answer in answers}
    alike: dict[str, list[str]] = {}
    for name, service in services.items():
        text = " | ".join(reach_words.reasons(planned, service, source.at))
        text = text.replace(f"/{name}/", "/.../")
        alike.setdefault(text, []).append(name)
    for text, names in alike.items():
        yield f"{listed(names, MOST)}: {text}"


def _print_lines(lines: Iterator[str], style: Style) -> None:
    click.echo(screen.items(lines, style, with_code=True), nl=False, color=style.color)


# --- single answers -------------------------------------------------------------------------------


def _print_answers(planned: Plan, source: Inventory, found: Sequence[Found], style: Style) -> None:
    """An answer a line, those with the same one together, with the ways, or with what decides."""
    from portgen.plan import reached_words
    from portgen.review import reach_words

    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    first: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}  # as the first of them has them
    for host, answers in found:
        on = f"{host.name}/" if len(planned.hosts) > 1 else ""
        for answer in answers:
            name = answer.service.name
            lines = [f"by {way}" for way in reached_words.ways(answer)]
            lines += reached_words.missing(answer)
            if answer.reached == "unknown":
                lines.append(answer.source.unknown)
            nobody = reached_words.nobody(host, answer.source)
            if nobody:
                lines.append(f"nobody is in {answer.source.name}: {nobody}")
            lines += reach_words.reasons(planned, answer.service, source.at)
            shared = tuple(line.replace(f"/{name}/", "/.../") for line in lines)
            key = (answer.source.name, reached_words.said(answer), shared)
            alike.setdefault(key, []).append(on + name)
            first.setdefault(key, lines)
    for number, (key, names) in enumerate(alike.items()):
        source_name, said, shared = key
        if number:
            click.echo()
        title = f"{source_name} -> {', '.join(names)}: {said}"
        click.echo(screen.heading(title, style), color=style.color)
        indent = "" if style.format == "markdown" else "  "
        whole = first[key] if len(names) == 1 else shared
        _print_lines((indent + line for line in whole), style)
