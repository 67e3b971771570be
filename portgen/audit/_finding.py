"""One thing on a host that is not as declared."""

from __future__ import annotations

from typing import Any, NamedTuple

from portgen.plan.ports import Endpoint
from portgen.plan.types import KeyPath
from portgen.problem import Severity


class Finding(NamedTuple):
    """What is not as declared. `service`: the one that it is about, "nginx" for nginx's own; None where
    it is about the host. `declared` and `found`: both sides as plain values, for programs. `do`: shell
    commands for root that end it, to be run as they are; empty where portgen can't know. `also`: other
    services that it is about as well, of the same container or network. `everywhere`: a source, where it is
    wrong for all that this source says: ufw is off, or nginx does not include our file."""

    message: str
    key_path: KeyPath
    service: str | None = None
    port: Endpoint | None = None
    declared: Any = None
    found: Any = None
    do: str = ""
    severity: Severity | None = None
    also: tuple[str, ...] = ()
    everywhere: str = ""
