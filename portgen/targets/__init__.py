"""The targets: one module each, found by being here.

In: a planned `Host`. Out: the `Page`s that a target renders for it. A target is a module, its templates under
`templates/<module>/`, and a case. It has

    def pages(host: Host) -> Iterator[Page]

and decides nothing that `plan` could decide. Where a real program can judge its files it also has `checks`
(`portgen.checks.Checked`), and `portgen verify` asks that program. Other packages add targets by the entry point group
`portgen.targets`; one that can't be imported fails loudly. Targets do no I/O.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, Protocol

from portgen import plugins
from portgen.plan import Host


class Page(NamedTuple):
    """One file to render: where it goes below `output/<host>/`, from which template, with which values."""

    path: str
    template: str
    values: dict[str, Any]
    mode: int = 0o644


class Target(Protocol):
    """What a target module has."""

    __doc__: str | None

    def pages(self, host: Host) -> Iterator[Page]: ...


@cache
def every() -> dict[str, Target]:
    """All targets by name, sorted. Raises ImportError or AttributeError for a broken one: it must not pass unseen."""
    found: dict[str, Target] = plugins.load(sys.modules[__name__])
    for name, target in found.items():
        if not callable(getattr(target, "pages", None)):
            raise AttributeError(f"the target {name} needs pages(host)")
    return dict(sorted(found.items()))
