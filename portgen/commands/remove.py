"""`portgen remove`: take a service out, or keep its port held back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from portgen import chain
from portgen.commands import _complete, find_service, revise, revision
from portgen.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from portgen.edits.edit import Edited
    from portgen.plan.types import Plan


@click.command(
    epilog="Examples: portgen remove rfq-tickets; portgen remove rfq-tickets --retire (nobody gets its port)"
)
@click.argument("name", shell_complete=_complete.services)
@click.option(
    "--retire",
    is_flag=True,
    help="Keep the entry as `status: retired`: nothing is rendered for it, and its port stays held.",
)
@revision
def command(settings: Settings, name: str, retire: bool, yes: bool, render: bool) -> int:
    """Remove service NAME from the inventory."""
    return revise(settings, lambda checked: _removed(checked, name, retire), yes, render)


def _removed(
    checked: chain.Checked, name: str, retire: bool
) -> tuple[Edited, Callable[[Plan], str]]:
    from portgen.edits import edit
    from portgen.plan import registry

    service = find_service(checked.plan, name)
    ports = " and ".join(map(registry.label, service.ports))
    owner = next(project for project in checked.plan.projects if project.name == service.project)
    left = registry.left_behind(owner, service)
    notes = (left,) if left is not None else ()
    one = len(service.ports) == 1
    if retire:
        edited = edit.retire(checked.source, service)
        meaning = f"{service.name} is retired: nothing is rendered for it any more"
        then = "stays held" if one else "stay held"
    else:
        edited = edit.remove(checked.source, service)
        meaning = f"{service.name} leaves {service.project}"
        then = "is free again" if one else "are free again"
    if ports:
        meaning += f"; {ports} {then}"
    return edited._replace(notes=(*notes, *edited.notes)), lambda _: meaning
