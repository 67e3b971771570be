"""`portgen pin`: addresses that are counted today, written into the entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from portgen import chain
from portgen.commands import _complete
from portgen.commands._lookup import find_service
from portgen.commands._revise import Writing, revise, with_revision
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.edits.edit import Edited
    from portgen.plan.types import Plan, Service


@click.command(
    epilog="""\b
Examples:
  portgen pin              all of them, before `ports` gets a lower first port
  portgen pin smartnumbers"""
)
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=_complete.services)
@with_revision
def command(settings: Settings, names: tuple[str, ...], writing: Writing) -> int:
    """Write the address that a container has today into the entry of service NAME, or of all.

    An address that is not written follows from the `ports` of the project: a lower first port there
    would move it, and recreate the container. `pin` itself changes nothing that is rendered.
    """
    return revise(settings, lambda checked: _pinned(checked, names), writing)


def _pinned(checked: chain.Checked, names: tuple[str, ...]) -> Edited:
    from portgen.edits import edit

    services = _named(checked.plan, names) if names else _counted(checked.plan)
    return edit.pin(checked.source, services)


def _counted(planned: Plan) -> list[Service]:
    """All whose address follows from a port. A retired service has no container."""
    found = []
    for service in planned.services:
        has_own = service.documented_address is not None and service.leads
        if has_own and not service.address_is_pinned:
            found.append(service)
    return found


def _named(planned: Plan, names: tuple[str, ...]) -> list[Service]:
    """Those of the names that have an address that is not written yet. Raises
    PortgenError(Exit.USAGE) for one without an address."""
    found = []
    for name in dict.fromkeys(names):
        service = find_service(planned, name)
        if service.address is None:
            hint = "`portgen explain` says where it listens"
            raise PortgenError(
                f"{name} has no container with a fixed address", Exit.USAGE, hint=hint
            )
        # The address of a container is written once, where it is counted from.
        if not service.leads:
            service = find_service(planned, f"{service.project}/{service.in_one_container[0]}")
        if not service.address_is_pinned and service not in found:
            found.append(service)
    return found
