"""`portgen move`: another port for a service, its container left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from portgen import chain
from portgen.commands import _complete
from portgen.commands._lookup import find_service
from portgen.commands._options import PORT
from portgen.commands._revise import Writing, revise, with_revision
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.edits.edit import Edited
    from portgen.plan.types import Binding, Service


@click.command(
    epilog="""\b
Examples:
  portgen move smartnumbers 5027
  portgen move mail-relay 2526 --from 2525 --render"""
)
@click.argument("name", shell_complete=_complete.services)
@click.argument("port", type=PORT)
@click.option(
    "--from",
    "old",
    type=PORT,
    metavar="PORT",
    help="Which of its ports, where it has several.  [default: the first]",
)
@with_revision
def command(settings: Settings, name: str, port: int, old: int | None, writing: Writing) -> int:
    """Move service NAME to another PORT.

    A container behind a forwarder, or a published port, keeps its address and its own port: they
    are written into its entry. Sentences of `expect` that name a port follow it.

    Lists the lines of tracked files that contain the old port as `:5007`, and of a range its first or
    last port; it changes none of them. git names the files.
    """
    return revise(settings, lambda checked: _moved(checked, name, old, port), writing)


def _moved(checked: chain.Checked, name: str, old: int | None, port: int) -> Edited:
    from portgen.edits import edit
    from portgen.plan import registry

    service = find_service(checked.plan, name)
    try:
        index = registry.port_index(service, old)
    except LookupError:
        which = f" {old}" if old else " to move"
        ports = ", ".join(own.endpoint.short for own in service.ports)
        hint = f"it has {ports}" if ports else None
        raise PortgenError(f"{name} has no port{which}", Exit.USAGE, hint=hint) from None
    own = service.ports[index]
    if own.last and old not in (None, own.port):
        message = f"{old} is in {name}'s range {own.endpoint.numbers}, which moves as a whole"
        raise PortgenError(message, Exit.USAGE, hint=f"name its first port: {own.port}")
    _refuse_held(checked, service, index, port)
    return edit.move(checked.source, (service, index, port))


def _refuse_held(checked: chain.Checked, service: Service, index: int, port: int) -> None:
    """The rule would find it too, but would report whichever of the two stands further down: here
    it is clear who wants the other's port. Raises PortgenError(Exit.DIFFERENT)."""
    from portgen.plan import registry
    from portgen.plan.addresses import collide
    from portgen.plan.ignores import silences

    if silences(service.ignore, "port-taken"):
        return
    moved = service.ports[index]
    becomes = moved.endpoint._replace(port=port, last=moved.last and port + moved.last - moved.port)
    for number, other in enumerate(service.ports):
        is_in_the_way = other.endpoint.overlaps(becomes) and collide(moved.bind, other.bind)
        if number != index and is_in_the_way:
            held = f"{service.name} holds port {other.endpoint.short} already"
            raise PortgenError(f"{held} ({checked.source.at(other.key_path)})", Exit.DIFFERENT)
    wanted = (service.host, moved.transport)
    own = (service.project, service.name)
    ports = range(port, port + len(moved.endpoint.ports))
    for binding in registry.holders(checked.plan, ports):
        if (binding.host, binding.transport) != wanted or (binding.project, binding.holder) == own:
            continue
        if collide(moved.bind, binding.address):
            held = f"port {binding.endpoint.short} is held by {binding.holder}"
            place = checked.source.at(binding.key_path)
            hint = _ways_out(checked, service, binding)
            raise PortgenError(f"{held} ({place})", Exit.DIFFERENT, hint=hint)


def _ways_out(checked: chain.Checked, service: Service, binding: Binding) -> str | None:
    from portgen.commands._lookup import find_project
    from portgen.plan.free import free_ports

    hints = []
    if binding.project is not None:
        hints.append(f"`portgen swap {service.name} {binding.holder}` exchanges the two")
    project = find_project(checked.plan, service.project)
    free = next(free_ports(checked.plan, project, transport=binding.transport), None)
    if free is not None:
        hints.append(f"next free: {free}")
    return "; ".join(hints) or None
