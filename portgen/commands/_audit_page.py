"""How `audit --page` makes its page: the ports of a host with what was seen of each.

In: an `Outcome`. Out: the page's text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portgen.audit import Outcome
    from portgen.inventory.key_paths import KeyPath
    from portgen.plan.types import Host
    from portgen.problem import Location


def text(host: Host, outcome: Outcome, at: Callable[[KeyPath], Location]) -> str:
    """By portgen's own templates alone: a project's would have to run in a process of their own."""
    from portgen import audit
    from portgen.files import render, shipped

    page = audit.page(host, outcome, _moment(outcome.at), at)
    return render.page(page, shipped.templates())


def _moment(seconds: float) -> tuple[str, str]:
    """For people, in the time of this machine, with its zone; and for programs."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC).astimezone()
    exact = moment.isoformat(timespec="seconds")
    return f"{moment:%Y-%m-%d %H:%M:%S} {moment:%Z} (UTC{exact[19:]})", exact
