"""The commands that end what a check found: each is printed, never run.

In: where things are on the host. Out: shell commands for root, quoted. Pure.
"""

from __future__ import annotations

import shlex

from portgen.audit._audited import Audited
from portgen.targets import docs

USUAL = "/srv/portgen"  # where the install guide has the inventory


def start(unit: str) -> str:
    """Start a unit."""
    return shlex.join(("systemctl", "start", unit))


def restart(unit: str) -> str:
    """Restart a unit by the definition that its file has now."""
    return "systemctl daemon-reload && " + shlex.join(("systemctl", "restart", unit))


def firewall(host: Audited) -> str:
    """Run the firewall script: it adds what is missing, and removes portgen's own rules that are not
    declared."""
    return shlex.join(("sh", f"{host.places.rendered}/ufw/portgen-ufw.sh"))


def guide(host: Audited) -> str:
    """Run all blocks of the install guide: what is as declared is left alone, and what is not is stopped,
    changed and started in an order that lets nobody in and shows nobody another service."""
    places = host.places
    settings = []
    if places.inventory != USUAL:
        settings.append(f"inventory={shlex.quote(places.inventory)}")
    if places.rendered != f"{places.inventory}/output/{host.host.name}":
        settings.append(f"rendered={shlex.quote(places.rendered)}")
    if places.compose != ("docker-compose",):
        settings.append(f"compose={shlex.quote(' '.join(places.compose))}")
    return " ".join((docs.BLOCKS, shlex.quote(places.guide), "|", *settings, "sh -eu"))
