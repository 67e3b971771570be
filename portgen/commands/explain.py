"""`portgen explain`: what a port, a range, a name or a line of a file is about, and every generated
line that comes from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from portgen import chain, screen
from portgen.commands import _advice, _complete
from portgen.commands._explained import Answer, found_in, print_record, print_text
from portgen.commands._explained_facts import Asked, of_network
from portgen.commands._options import with_settings
from portgen.files.diff import SUMS
from portgen.problem import Exit, PortgenError, did_you_mean, listed, not_a_port
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.plan.ports import Transport
    from portgen.plan.types import Plan

EXPECT = ("expect",)  # its key path
MOST_LISTENING = 12  # at an address, in a line
HINT = (
    "ask for a port (5014, 53/udp), a range (5000-5010), a service, project, group, host, zone, title, "
    "address, route, URL or unit, or FILE:LINE"
)


@click.command(
    epilog="""With -v every generated line is printed.

\b
Examples:
  portgen explain 5014
  portgen explain 5000-5010
  portgen explain smartnumbers
  portgen explain "closed today"
  portgen explain es-docker
  portgen explain smartnumbers:5007
  portgen explain any
  portgen explain 172.30.0.23
  portgen explain https://dashboards.example.com/dashboard/smartnumbers/
  portgen explain inventory.yaml:41
  portgen explain output/es-docker/nginx/conf.d/portgen.conf:40"""
)
@click.argument("what", metavar="WHAT", shell_complete=_complete.explained)
@with_settings
def command(settings: Settings, what: str) -> int:
    """Explain a port, a range, a name, an address or a line of a file.

    WHAT is a port (5014, 53/udp), a range (5000-5010), a service, project, group, host or zone, a
    title or a part of one, an address, a route, a URL, a unit, or FILE:LINE; or a word of `expect` and
    `reach`: any, host, neighbour of PROJECT, project NAME, SERVICE:PORT.

    Of a service: its owner, who may reach it and which lines of the inventory say so, what `expect` says
    of it, and where the generated lines are that come from it. Of a sentence of `expect`: whether it
    holds. Of a free port: whose range it lies in, and its
    neighbours. Of a range: who holds which, and what is free. The project's own templates/ run for
    that, in a sandbox.
    """
    from portgen.files import origin

    source, planned = chain.plan(settings)
    asked = Asked(settings, source, planned, chain.render(settings, planned))
    answer = _answer(asked, what.strip())
    generated = []
    for subject in answer.subjects:
        generated.append(list(origin.generated(asked.files, planned, subject)))
    if settings.style.format == "json":
        print_record(asked, answer, generated)
    else:
        print_text(asked, answer, generated)
    return Exit.OK if answer.is_about_something else Exit.DIFFERENT


def _answer(asked: Asked, what: str) -> Answer:
    # As people copy it: 5014, :5014, 514/udp, 5000-5010; the port page writes a range with a dash.
    number = re.fullmatch(r":?([0-9]+)(?: ?[-\u2013] ?([0-9]+))?(?:/(tcp|udp))?", what)
    if number is not None and number[2] is not None:
        return _range(asked.plan, int(number[1]), int(number[2]), number[3])
    if number is not None:
        return _port(asked.plan, int(number[1]), cast("Transport | None", number[3]))
    place = re.fullmatch(r"(?P<file>.+?):(?P<line>[0-9]{1,9})(?::[0-9]+)?:?", what)
    answer = _port_of(asked.plan, what)
    if answer is not None:
        return answer
    # A path and a number are a line of a file; a name and a number may be an address and a port.
    if place is None or "/" not in what or "://" in what:
        answer = _exact(asked.plan, what)
        if answer is not None:
            return answer
    if place is not None:
        return _line(asked, place["file"], int(place["line"]))
    return _sought(asked, what)


def _refuse_number(port: int) -> None:
    if not 1 <= port <= 65535:
        raise PortgenError(not_a_port(port), Exit.USAGE)


def _port(plan: Plan, port: int, transport: Transport | None) -> Answer:
    from portgen.plan import names, registry

    _refuse_number(port)
    subjects = names.of_port(plan, port, transport)
    if subjects:
        return Answer(None, subjects)
    return Answer(None, (), registry.vacancies(plan, port, transport))


def _range(plan: Plan, first: int, last: int, transport: str | None) -> Answer:
    from portgen.plan import spans

    _refuse_number(first)
    _refuse_number(last)
    if last < first:
        message = f"{first}-{last} runs backwards"
        raise PortgenError(message, Exit.USAGE, hint=f"write {last}-{first}")
    return Answer(None, (), (), spans.parts(plan, range(first, last + 1), transport))


def _port_of(plan: Plan, what: str) -> Answer | None:
    """`SERVICE:PORT`; None where no service of that name holds that port."""
    from portgen.plan import names

    found = names.of_port_of(plan, what)
    if not found:
        return None
    ports: dict[str, list[str]] = {}
    for subject, endpoint in found:
        ports.setdefault(f"{subject.host}/{subject.name}", []).append(str(endpoint))
    subjects = list({subject.key_path: subject for subject, _ in found}.values())
    said = [f"{', '.join(own)} of {name}" for name, own in ports.items()]
    return Answer(f"{what}: the port {' and '.join(said)}", subjects)


def _refuse_port_of(plan: Plan, what: str) -> None:
    """Raises PortgenError(Exit.DIFFERENT) for `SERVICE:PORT` where there is such a service without such a
    port."""
    from portgen.plan import names

    name, _, port = what.partition(":")
    for subject in names.of_services(plan, lambda service: name in names.own_names(service)):
        if port and subject.service is not None:
            own = [each.endpoint.short for each in subject.service.ports]
            hint = f"it has {listed(own)}" if own else "it has none"
            raise PortgenError(f"{name} has no port {port}", Exit.DIFFERENT, hint=hint)


def _exact(plan: Plan, what: str) -> Answer | None:
    """What is called so, or has that address or URL; None where nothing does. Raises
    PortgenError(Exit.DIFFERENT) of an address or a URL."""
    from portgen.plan import names, urls

    if urls.is_network(what):
        return _address(plan, what)
    subjects = names.of_word(plan, what)
    if subjects:
        return Answer(None, subjects)
    try:
        subjects = urls.of_address(plan, what)
    except urls.Nowhere as nowhere:
        raise PortgenError(str(nowhere), Exit.DIFFERENT, hint=nowhere.hint) from None
    return Answer(None, subjects) if subjects else None


def _address(plan: Plan, what: str) -> Answer:
    """Whose an address is, or what leads to it, or around what it lies; and what may be reached from
    there. Raises PortgenError(Exit.DIFFERENT) where nothing here has to do with it."""
    from portgen.plan import urls

    subjects = urls.of_address(plan, what)
    reached = of_network(plan, what)
    if not subjects:
        message = f"{what} is in no zone and no project's network"
        raise PortgenError(message, Exit.DIFFERENT, hint=f"it {reached}")
    kinds = {subject.kind for subject in subjects}
    said = [_own_address(plan, one.name, what) for one in subjects if one.kind == "host"]
    if not kinds & {"host", "service", "nginx"}:
        said.append(f"{what} {reached}; it lies in:")
    elif kinds & {"project", "zone"}:
        said.append(f"{what} {reached}; a forwarder leads there, and it lies in:")
    return Answer("; ".join(said) or None, subjects)


def _own_address(plan: Plan, host: str, address: str) -> str:
    """`100.64.0.7 is box's address vpn, where these listen: graf 5000`."""
    from portgen.plan import urls

    called = " and ".join(urls.names_of(plan, host, address))
    there = listed(urls.listening(plan, host, address), MOST_LISTENING)
    listening = f"these listen: {there}" if there else "nothing listens"
    return f"{address} is {host}'s address {called}".rstrip() + f", where {listening}"


def _sought(asked: Asked, what: str) -> Answer:
    """What has the words somewhere in its name, title or purpose. Raises PortgenError(Exit.DIFFERENT)
    where nothing has."""
    from portgen.plan import names

    plan = asked.plan
    subjects = names.search(plan, what)
    if len(subjects) > 1:
        return Answer(None, subjects, sought=what)
    for subject in subjects:
        said = None
        place = found_in(plan, subject, what)
        if place not in ("name", "title"):
            said = f"nothing is called {what}; {subject.name} has it in its {place}"
        return Answer(said, subjects)
    _refuse_port_of(plan, what)
    known = [service.name for service in plan.services]
    known += [project.name for project in plan.projects]
    known += [host.name for host in plan.hosts]
    close = did_you_mean(what, known)
    hint = close or HINT
    if re.fullmatch(r"[\w./-]+", what) and _has_history(asked.settings):
        log = _advice.portgen(asked.settings, "log", what)
        hint = f"{close or f'{HINT};'} `{log}` finds what was called so before"
    raise PortgenError(f"nothing here is called {what}", Exit.DIFFERENT, hint=hint)


def _has_history(settings: Settings) -> bool:
    """Whether the inventory lies in a git repository."""
    from portgen.machine import under_way

    return under_way.root(settings.inventory) is not None


def _line(asked: Asked, name: str, number: int) -> Answer:
    from portgen.files import origin

    settings = asked.settings
    render = _advice.portgen(settings, "render")
    bases = (Path(), settings.folder)
    if origin.is_file(name, settings.inventory, bases):
        return _inventory_line(asked, number)
    rendered = {file.path: file.text for file in asked.files}
    present = _present(settings, rendered)
    path = origin.output_path(name, settings.out, present, (*bases, settings.out))
    if path is None:
        _refuse_port_of(asked.plan, f"{name}:{number}")
        files = f"a file below {settings.output_name}/, or {settings.inventory_name}"
        hint = f"name {files}; `{render}` writes what is missing"
        raise PortgenError(f"portgen did not generate {name}", Exit.DIFFERENT, hint=hint)
    text = present[path]
    if text != rendered.get(path, text):
        status = f"{settings.output_name}/{path} is out of date: `{render}` updates it"
        screen.status(status, settings.style)
    line = _numbered(f"{settings.output_name}/{path}", text, number)
    place = f"{settings.output_name}/{path}:{number}"
    subject = origin.of_line(asked.plan, path, text, number)
    if subject is None:
        message = f"{place} comes from no service: it is the same for all of them"
        raise PortgenError(message, Exit.DIFFERENT, hint=line or None)
    if subject.kind == "service" and subject.service is None:
        message = f"{place} comes from {subject.name}, which is not in the inventory any more"
        raise PortgenError(message, Exit.DIFFERENT, hint=line or None)
    return Answer(f"{place}: {line}", [subject])


def _present(settings: Settings, rendered: dict[str, str]) -> dict[str, str]:
    """The output folder's files as they lie there; what is missing, as it would be."""
    from portgen.files import output

    there = output.read(settings.out, rendered)
    found = dict(rendered)
    for path, file in there.files.items():
        found[path] = file.data.decode("utf-8", "replace")
    if there.sums_data is not None:
        found[SUMS] = there.sums_data.decode("utf-8", "replace")
    return found


def _inventory_line(asked: Asked, number: int) -> Answer:
    from portgen.edits import edit
    from portgen.plan import names

    name = asked.settings.inventory_name
    line = _numbered(name, asked.source.text, number)
    subject = names.of_entry(asked.plan, number, lambda path: edit.lines(asked.source, path))
    if subject is None and asked.plan.expectations and number in edit.lines(asked.source, EXPECT):
        return Answer(f"{name}:{number}: {line}", list(names.sentences(asked.plan)))
    if subject is None:
        message = f"{name}:{number} is not part of a service, project, host or sentence of `expect`"
        raise PortgenError(message, Exit.DIFFERENT, hint=line or None)
    return Answer(f"{name}:{number}: {line}", [subject])


def _numbered(name: str, text: str, number: int) -> str:
    """A line of a text, stripped. Raises PortgenError(Exit.DIFFERENT) where it has no such line."""
    lines = text.removesuffix("\n").split("\n")
    if not 1 <= number <= len(lines):
        raise PortgenError(f"{name} has {len(lines)} lines", Exit.DIFFERENT)
    return lines[number - 1].strip()
