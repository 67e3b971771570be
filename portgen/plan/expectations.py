"""What an inventory expects: the sentences of `expect`.

In: nothing; the planner makes them. Out: `Expectation`. Pure. Whether they are so is `expecting`.
"""

from __future__ import annotations

from msgspec import Struct

from portgen.inventory.key_paths import KeyPath


class Expectation(Struct, frozen=True):
    """A sentence of `expect`: whether a source reaches services. `auth`: a route that asks for a password
    does not count."""

    source: str
    to: str
    reach: bool
    auth: bool
    key_path: KeyPath
