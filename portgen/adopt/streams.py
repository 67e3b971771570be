"""nginx's streams: connections that it passes on as they are. They stay in the team's own files, and their
ports are nginx's.

In: the block `stream`. Out: more of a `Sighted`. Pure.
"""

from __future__ import annotations

from portgen.adopt.directives import FIELDS, SETTINGS, TELLING
from portgen.adopt.listening import listened
from portgen.adopt.noting import Noting
from portgen.adopt.sighted import Listener
from portgen.formats.nginx import Node

_STAY = "nginx's streams stay as they are"


def sight(stream: Node, notes: Noting) -> None:
    """Add what a block says."""
    for node in stream.block or ():
        if node.name == "server" and node.block is not None:
            for inner in node.block:
                _directive(inner, notes)
        elif node.name == "upstream":
            for inner in node.block or ():
                _directive(inner, notes)
        else:
            _directive(node, notes)


def _directive(node: Node, notes: Noting) -> None:
    listens = listened(node) if node.name == "listen" and len(node.words) > 1 else None
    if listens is not None:
        endpoint, bind = listens
        if "udp" in node.words:
            endpoint = endpoint._replace(transport="udp")
        one = Listener(notes.said(node), "nginx-stream", endpoint, bind, "nginx.service")
        notes.found.streams.append(one)
    elif node.name in ("listen", "server", "server_name", *TELLING, *FIELDS, *SETTINGS):
        notes.left(node, _STAY)
    else:
        notes.counted(node)
