"""`portgen remove`: take a service out, or keep its port held back."""

from __future__ import annotations

import posixpath
import shlex
from typing import TYPE_CHECKING

import click

from portgen import chain
from portgen.commands import _complete
from portgen.commands._lookup import find_service
from portgen.commands._revise import Writing, revise, with_revision
from portgen.problem import Exit, PortgenError, counted, listed
from portgen.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portgen.edits.edit import Edited
    from portgen.plan.types import Plan, Service


@click.command(
    epilog="""\b
Examples:
  portgen remove rfq-tickets
  portgen remove rfq-tickets --retire    nobody gets its port"""
)
@click.argument("name", shell_complete=_complete.services)
@click.option(
    "--retire",
    is_flag=True,
    help="Keep the entry as `status: retired`: nothing is rendered, its port stays held.",
)
@with_revision
def command(settings: Settings, name: str, retire: bool, writing: Writing) -> int:
    """Remove service NAME from the inventory."""
    return revise(settings, lambda checked: _removed(checked, name, retire), writing)


def _removed(checked: chain.Checked, name: str, retire: bool) -> Edited:
    from portgen.edits import edit

    service = find_service(checked.plan, name)
    if retire:
        edited = edit.retire(checked.source, service)
    else:
        _refuse_used(checked, service)
        _refuse_expected(checked, service)
        edited = edit.remove(checked.source, service)
    return edited._replace(notes=(*_container_left(checked.plan, service), *edited.notes))


def _refuse_used(checked: chain.Checked, service: Service) -> None:
    """Raises PortgenError where others say that they use it."""
    from portgen.plan.ignores import silences

    callers = []
    for other in checked.plan.services:
        calls = [(call.host, call.service) for call in other.calls]
        is_known = silences(other.ignore, "uses-unknown")
        if (service.host, service.name) in calls and not is_known:
            callers.append(other)
    if callers:
        places = dict.fromkeys(str(checked.source.at(other.uses_path)) for other in callers)
        message = f"{service.name} is used by {listed([other.name for other in callers])}"
        hint = f"take it out of their `uses` first: {listed(list(places))}"
        raise PortgenError(message, Exit.DIFFERENT, hint=hint)


def _refuse_expected(checked: chain.Checked, service: Service) -> None:
    """Raises PortgenError where a sentence of `expect` is about it: nobody but a person takes a protection
    back."""
    from portgen.plan import reaching

    sentences = []
    targets = reaching.Targets(checked.plan)
    for sentence in checked.plan.expectations:
        try:
            meant = targets.named(sentence.to)
        except reaching.UnknownTargetError:
            continue
        if service in meant.services and not sentence.is_of_project:
            sentences.append(sentence)
    if sentences:
        places = [str(checked.source.at(sentence.key_path)) for sentence in sentences]
        said = counted(len(sentences), "sentence")
        them = "it" if len(sentences) == 1 else "them"
        hint = f"take {them} back first: {listed(places)}"
        raise PortgenError(f"{service.name} is in {said} of `expect`", Exit.DIFFERENT, hint=hint)


def _container_left(planned: Plan, service: Service) -> Iterator[str]:
    """How to end the container that is left in the team's own compose file, which portgen never changes."""
    if service.status != "active" or not service.in_container or service.shares_container_with:
        return
    for project in planned.projects:
        if project.name == service.project:
            place, named = "the team's compose file", ""
            if project.base_file is not None:
                place = project.base_file
                named = f" -f {shlex.quote(posixpath.basename(place))}"
            command = f"docker-compose{named} rm --stop --force {service.compose_service}"
            yield f"before you take it out there: `{command}`, beside {place}, ends the container"
