"""`portgen move`: another port for a service, its container left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from portgen import chain
from portgen.commands import _complete, find_service, revise, revision
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from portgen.edits.edit import Edited
    from portgen.plan.types import Plan, Service


@click.command(
    epilog="Examples: portgen move smartnumbers 5027; portgen move mail-relay 2526 --from 2525 --render"
)
@click.argument("name", shell_complete=_complete.services)
@click.argument("port", type=click.IntRange(1, 65535))
@click.option(
    "--from",
    "old",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Which of its ports, where it has several.  [default: the first]",
)
@revision
def command(
    settings: Settings, name: str, port: int, old: int | None, yes: bool, render: bool
) -> int:
    """Move service NAME to another PORT.

    A container behind a forwarder, or a published port, keeps its address and its own port: they are written into its entry.
    """
    return revise(settings, lambda checked: _moved(checked, name, old, port), yes, render)


def _moved(
    checked: chain.Checked, name: str, old: int | None, port: int
) -> tuple[Edited, Callable[[Plan], str]]:
    from portgen.edits import edit
    from portgen.plan import registry

    service = find_service(checked.plan, name)
    try:
        index = registry.planned_port(service, old)
    except LookupError:
        ports = ", ".join(registry.label(own) for own in service.ports)
        raise PortgenError(
            f"{name} has no port{f' {old}' if old else ' to move'}",
            Exit.USAGE,
            hint=f"it has {ports}" if ports else None,
        ) from None
    _refuse_held(checked, service, index, port)
    return edit.move(checked.source, (service, index, port)), lambda planned: registry.moved(
        service, find_service(planned, name), index
    )


def _refuse_held(checked: chain.Checked, service: Service, index: int, port: int) -> None:
    """The rule would say it too, but at whichever of the two stands further down: here it is clear who is in whose way."""
    from portgen.plan import registry
    from portgen.plan.free import free_ports

    for binding in registry.holders(checked.plan, port):
        same = binding.host == service.host and binding.transport == service.ports[index].transport
        if same and binding.holder != service.name and "port-taken" not in service.ignore:
            owner = next(
                project for project in checked.plan.projects if project.name == service.project
            )
            free = next(free_ports(checked.plan, owner), None)
            hints = (
                [f"`portgen swap {service.name} {binding.holder}` exchanges the two"]
                if binding.project is not None
                else []
            )
            hints += [f"next free: {free}"] if free is not None else []
            message = f"port {registry.label(binding)} is held by {binding.holder} ({checked.source.at(binding.key_path)})"
            raise PortgenError(message, Exit.DIFFERENT, hint="; ".join(hints) or None)
