"""How `portgen explain` prints its answer.

In: an `Answer`: what was asked, what it is about, and the generated lines. Out: text, Markdown or a
record, printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from portgen import screen
from portgen.commands import _explained_expect
from portgen.commands import _explained_facts as facts
from portgen.commands._explained_facts import Asked, Facts
from portgen.settings import Settings, Style

if TYPE_CHECKING:
    from portgen.files.origin import Lines
    from portgen.plan.expectations import Expectation
    from portgen.plan.names import Subject
    from portgen.plan.registry import Vacancy
    from portgen.plan.spans import RangeOnHost, Span
    from portgen.plan.types import Host, Plan
    from portgen.review.explain_records import Subjects

MOST_FOUND = 40  # characters of what a search found, in a cell
WIDTH = 11  # columns of the names of facts


class Answer(NamedTuple):
    """What was asked, in other words where that helps; what it is about. `sought`: the words by which
    several were found, which are only listed."""

    asked: str | None
    subjects: Sequence[Subject]
    vacancies: Sequence[Vacancy] = ()
    parts: Sequence[RangeOnHost] = ()
    sought: str = ""

    @property
    def is_about_something(self) -> bool:
        """Whether anything of the inventory has to do with it."""
        if self.subjects or any(part.is_known for part in self.parts):
            return True
        return any(vacancy.owners or vacancy.reserved for vacancy in self.vacancies)


def print_record(asked: Asked, answer: Answer, generated: Sequence[list[Lines]]) -> None:
    """The answer as JSON."""
    from portgen.review import explain_records

    explained = explain_records.Subjects(asked.plan, asked.source.at, asked.settings.output_name)
    for subject, lines in zip(answer.subjects, generated, strict=True):
        _record(asked, explained, subject, lines)
    screen.data(explained.record(answer.vacancies, answer.parts))


def _record(
    asked: Asked, explained: Subjects, subject: Subject, generated: Sequence[Lines]
) -> None:
    from portgen.plan import registry

    project, group, service = subject.project, subject.group, subject.service
    host = asked.plan.host(subject.host or "")
    if group is not None and project is not None:
        explained.add_group(project, facts.room_of(asked, project, group))
    elif project is not None:
        rooms = registry.rooms(asked.plan, project) if project.ports else ()
        explained.add_project(project, rooms)
    elif service is not None:
        explained.add_service(service, generated)
    elif subject.expectation is not None:
        explained.add_sentence(subject.expectation)
    elif host is not None:
        _record_of_host(asked, explained, subject, host, generated)


def _record_of_host(
    asked: Asked, explained: Subjects, subject: Subject, host: Host, generated: Sequence[Lines]
) -> None:
    """A host, or what there is of it in the inventory."""
    if subject.kind == "host":
        explained.add_host(host, facts.files_of(asked, host))
    elif subject.kind == "source":
        explained.add_word(host, subject.name)
    elif subject.kind == "zone":
        explained.add_zone(host, subject.name)
    elif host.server is not None:
        explained.add_nginx(host, host.server, generated)


def print_text(asked: Asked, answer: Answer, generated: Sequence[list[Lines]]) -> None:
    """The answer for people."""
    style = asked.settings.style
    if answer.sought:
        _show_tables(_matches(asked, answer), style)
        return
    _show_tables(_ranges(asked, answer.parts), style)
    parts = [screen.one_line(answer.asked)] if answer.asked else []
    for subject, lines in zip(answer.subjects, generated, strict=True):
        parts.append("\n".join(_subject(asked, subject, lines)))
    for vacancy in answer.vacancies:
        parts.append("\n".join(_vacancy(asked, vacancy)))
    if parts:
        screen.show(screen.block("\n\n".join(parts) + "\n", "text", style), style)


def _subject(asked: Asked, subject: Subject, generated: Sequence[Lines]) -> Iterator[str]:
    host = asked.plan.host(subject.host or "")
    if subject.group is not None and subject.project is not None:
        yield _heading(asked, subject.name, f"a group of {subject.project.name}")
        yield from _facts(facts.of_group(asked, subject.project, subject.group))
    elif subject.project is not None:
        yield _heading(asked, subject.name, subject.project.title)
        yield from _facts(facts.of_project(asked, subject.project))
    elif subject.service is not None:
        yield _heading(asked, subject.name, subject.service.title)
        yield from _facts(facts.of_service(asked, subject.service))
    elif subject.kind == "host" and host is not None:
        yield _heading(asked, subject.name, "a host")
        yield from _facts(facts.of_host(asked, host))
    elif subject.kind == "source" and host is not None:
        yield _heading(asked, subject.name, f"a word for who comes to {host.name}")
        yield from _facts(_explained_expect.of_source(asked, host, subject.name))
    elif subject.expectation is not None:
        yield _heading(asked, *_sentence(subject.expectation))
        yield from _facts(_explained_expect.of_sentence(asked, subject.expectation))
    elif subject.kind == "zone" and host is not None:
        yield _heading(asked, subject.name, f"a zone of {host.name}")
        yield from _facts(facts.of_zone(asked, host, subject.name))
    else:
        yield _heading(asked, subject.name, "the web server itself, in front of every route")
        yield from _facts(facts.of_nginx(asked, subject))
    if subject.kind in ("service", "nginx"):
        yield ""
        yield from _generated(asked.settings, generated)


def _sentence(expectation: Expectation) -> tuple[str, str]:
    from portgen.plan import reached_words

    return reached_words.sentence(expectation), "a sentence of `expect`"


def _heading(asked: Asked, name: str, title: str) -> str:
    heading = screen.strong(name, asked.settings.style)
    if title != name:
        heading += f"  {screen.one_line(title)}"
    return heading


def _facts(found: Facts) -> Iterator[str]:
    """The facts that have a value, aligned."""
    for name, value in found:
        if not value:
            continue
        if len(name) > WIDTH:  # on a line of its own, so that the values stay below each other
            yield f"  {name}"
            yield f"  {'':{WIDTH}} {screen.one_line(value)}"
        else:
            yield f"  {name:{WIDTH}} {screen.one_line(value)}"


def _generated(settings: Settings, generated: Sequence[Lines]) -> Iterator[str]:
    """A line a file, with the numbers of its lines; with -v the lines themselves."""
    style = settings.style
    if not generated:
        yield "nothing is rendered for it"
        return
    heading = screen.strong("generated lines", style)
    yield heading if style.verbose else f"{heading} (-v prints them)"
    if style.verbose:
        for lines in generated:
            yield f"  {settings.output_name}/{lines.path}:{_numbers(lines)}"
            for number, line in enumerate(lines.text.splitlines(), lines.first):
                yield f"    {number:5} {screen.readable(line)}".rstrip()
        return
    places: dict[str, list[str]] = {}
    for lines in generated:
        places.setdefault(lines.path, []).append(_numbers(lines))
    for path, numbers in places.items():
        yield f"  {settings.output_name}/{path}:{', '.join(numbers)}"


def _numbers(lines: Lines) -> str:
    return str(lines.first) if lines.last == lines.first else f"{lines.first}-{lines.last}"


def _vacancy(asked: Asked, vacancy: Vacancy) -> Iterator[str]:
    heading = "free" if vacancy.free else "unused"
    if len(asked.plan.hosts) > 1:
        heading += f" on {vacancy.host.name}"
    yield _heading(asked, vacancy.called, heading)
    yield from _facts(facts.of_vacancy(asked, vacancy))


# --- tables ---------------------------------------------------------------------------------------


class _Table(NamedTuple):
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def _show_tables(tables: Iterable[_Table], style: Style) -> None:
    shown = []
    for table in tables:
        lines = [screen.heading(table.title, style)]
        if table.rows:
            lines += screen.table(table.head, table.rows, style, screen.width())
        shown.append("".join(f"{line}\n" for line in lines))
    if shown:
        screen.show("\n".join(shown), style)


def found_in(plan: Plan, subject: Subject, sought: str) -> str:
    """Where a search found it: `title`, `via: host`."""
    from portgen.plan import names

    found = []
    for field in names.found_in(plan, subject, sought):
        is_shown = field.name in ("name", "title") or len(field.value) > MOST_FOUND
        found.append(field.name if is_shown else f"{field.name}: {field.value}")
    return ", ".join(found)


def _matches(asked: Asked, answer: Answer) -> Iterator[_Table]:
    rows = []
    for subject in answer.subjects:
        service = subject.service
        ports, reach, title = "-", "-", _title(subject)
        if service is not None and service.ports:
            ports = ", ".join(port.endpoint.short for port in service.ports)
            reach = service.reach
        place = found_in(asked.plan, subject, answer.sought)
        rows.append((ports, _called(asked, subject), title, reach, place))
    title = f"{len(rows)} match: ask for one of them by its name"
    yield _Table(title, ("PORT", "NAME", "TITLE", "OPEN TO", "FOUND IN"), rows)


def _title(subject: Subject) -> str:
    if subject.service is not None:
        return subject.service.title
    if subject.group is not None:
        return subject.group.purpose or "a group"
    if subject.project is not None:
        return subject.project.title
    return f"a {subject.kind}"


def _called(asked: Asked, subject: Subject) -> str:
    """The name by which `explain` finds this one alone."""
    if subject.group is not None and subject.project is not None:
        return f"{subject.project.name}/{subject.name}"
    if subject.service is not None:
        same = [one for one in asked.plan.services if one.name == subject.name]
        if len(same) > 1:
            return f"{subject.service.project}/{subject.name}"
    return subject.name


def _ranges(asked: Asked, parts: Sequence[RangeOnHost]) -> Iterator[_Table]:
    for part in parts:
        cells: list[tuple[int, tuple[str, ...]]] = []
        for row in part.rows:
            port, name = (row.endpoint.port, row.endpoint.short) if row.endpoint else (0, "-")
            project = row.project or "-"
            cells.append((port, (name, row.holder, row.reach or "-", row.way or "-", project)))
        for span in part.spans:
            cells.append((span.ports.start, _span_cells(span)))
        cells.sort(key=lambda cell: cell[0])
        title = f"{_spelled(part.ports)}: {part.held} held, {part.free} free"
        if len(asked.plan.hosts) > 1:
            title += f", on {part.host.name}"
        head = ("PORT", "SERVICE", "OPEN TO", "ROUTE", "PROJECT")
        yield _Table(title, head, [row for _, row in cells])


def _span_cells(span: Span) -> tuple[str, ...]:
    whose = "-"
    if span.project is not None:
        whose = span.project.name
        if span.group is not None:
            whose += f"/{span.group.name}"
    return str(span), f"({span.state})", "-", "-", whose


def _spelled(ports: range) -> str:
    from portgen.inventory.ports import spelled

    return spelled([ports])
