"""`portgen swap`: two services exchange their ports, their containers left as they are."""

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


@click.command(epilog="Example: portgen swap smartnumbers veeam-usage --render")
@click.argument("one", metavar="A", shell_complete=_complete.services)
@click.argument("other", metavar="B", shell_complete=_complete.services)
@with_revision
def command(settings: Settings, one: str, other: str, writing: Writing) -> int:
    """Let services A and B exchange their ports.

    Of several ports, the first. Containers keep their addresses and their own ports: they are
    written into the entries. Sentences of `expect` that name a port follow it.

    Lists the lines of tracked files that contain the old port as `:5007`, and of a range its first or
    last port; it changes none of them. git names the files.
    """
    return revise(settings, lambda checked: _swapped(checked, one, other), writing)


def _swapped(checked: chain.Checked, one: str, other: str) -> Edited:
    from portgen.edits import edit

    first, second = find_service(checked.plan, one), find_service(checked.plan, other)
    for service in (first, second):
        if not service.ports:
            raise PortgenError(f"{service.name} has no port to swap", Exit.USAGE)
        if service.ports[0].last:
            message = f"{service.name} has a range first, {service.ports[0].endpoint.numbers}"
            hint = (
                "swap exchanges single ports: move the two one after the other, with `portgen move`"
            )
            raise PortgenError(message, Exit.USAGE, hint=hint)
    if first == second:
        raise PortgenError("a service can't swap with itself", Exit.USAGE)
    return edit.move(
        checked.source, (first, 0, second.ports[0].port), (second, 0, first.ports[0].port)
    )
