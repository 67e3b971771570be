"""What an inventory expects: the sentences of `expect`.

In: nothing; the planner makes them. Out: `Expectation`. Pure. Whether they are so is `expecting`; what a
word of `to` means is `reaching`.
"""

from __future__ import annotations

import re

from msgspec import Struct

from portgen.inventory.key_paths import KeyPath

SERVICES_OF = "project "  # of `to`: a project's name comes behind it
# Of `to`: `[HOST/]SERVICE:PORT`, with or without the protocol.
PORT_OF = re.compile(r"(?P<named>[^:\s]+):(?P<port>[0-9]{1,5})(?:/(?P<by>tcp|udp))?")


class Expectation(Struct, frozen=True):
    """A sentence of `expect`: whether a source reaches services. `auth`: a route that asks for a password
    does not count."""

    source: str
    to: str
    reach: bool
    auth: bool
    key_path: KeyPath

    @property
    def is_of_project(self) -> bool:
        """Whether it is about the services of a project, whichever these are."""
        return self.to.startswith(SERVICES_OF)
