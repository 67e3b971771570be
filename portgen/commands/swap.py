"""`portgen swap`: two services exchange their ports, their containers left as they are."""

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
    from portgen.plan.types import Plan


@click.command(epilog="Example: portgen swap smartnumbers veeam-usage --render")
@click.argument("one", metavar="A", shell_complete=_complete.services)
@click.argument("other", metavar="B", shell_complete=_complete.services)
@revision
def command(settings: Settings, one: str, other: str, yes: bool, render: bool) -> int:
    """Let services A and B exchange their ports.

    Of several ports, the first. Containers keep their addresses and their own ports: they are written into the entries.
    """
    return revise(settings, lambda checked: _swapped(checked, one, other), yes, render)


def _swapped(checked: chain.Checked, one: str, other: str) -> tuple[Edited, Callable[[Plan], str]]:
    from portgen.edits import edit
    from portgen.plan import registry

    services = find_service(checked.plan, one), find_service(checked.plan, other)
    for service in services:
        if not service.ports:
            raise PortgenError(f"{service.name} has no port to swap", Exit.USAGE)
    if services[0] == services[1]:
        raise PortgenError("a service can't swap with itself", Exit.USAGE)
    first, second = services
    edited = edit.move(
        checked.source, (first, 0, second.ports[0].port), (second, 0, first.ports[0].port)
    )

    def meaning(planned: Plan) -> str:
        return "; ".join(
            registry.moved(before, find_service(planned, f"{before.project}/{before.name}"), 0)
            for before in services
        )

    return edited, meaning
