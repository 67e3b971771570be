"""A unit runs, but does not start at the next boot.

It is a forwarder's, the `unit` of a service that nothing else starts either, or that of a program which
the whole host needs: ufw, nginx, docker. All is well until the host restarts. docker's socket alone does
not start the containers at boot: docker starts when somebody first asks it something.

Symptom:
    None yet; after a reboot the port refuses connections. Without ufw anybody can reach every port.
Ends it:
    systemctl enable portgen-smartnumbers.service
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _units
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan.types import NGINX, Forwarder, Service
from portgen.problem import Severity
from portgen.targets.systemd import observing

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR
UNLESS = ("unit-missing", "unit-masked", "unit-differs")

# States in which somebody else has decided what starts a unit, or that end with the next boot.
_STARTS = (
    "enabled",
    "enabled-runtime",
    "static",
    "indirect",
    "alias",
    "generated",
    "transient",
    "masked-runtime",
)
_LOST = {
    observing.UFW: "ufw keeps nobody out",
    observing.NGINX_UNIT: "no route leads anywhere",
    observing.DOCKER: "no container runs until somebody asks docker something",
}


def check(host: Audited) -> Iterator[Finding]:
    for forwarder in host.host.forwarders:
        unit = host.units.get(forwarder.unit)
        if unit is None or unit.load == "not-found" or unit.enabled == "enabled":
            continue
        # A template of the team's own may leave [Install] out: it is `static` then.
        if "\n[Install]\n" in (_units.rendered(host, unit.name) or ""):
            yield _finding(forwarder, unit.name, unit.enabled)
    for service in host.host.services:
        unit = host.units.get(service.unit or "")
        if unit is None or unit.name.endswith(".timer") or service.schedule is not None:
            continue
        if unit.load == "loaded" and unit.enabled == "disabled" and not unit.wanted:
            yield _finding(service, unit.name, unit.enabled)
    yield from _programs(host)


def _programs(host: Audited) -> Iterator[Finding]:
    """ufw, nginx and docker. One whose unit is not there may be started by something else."""
    for name in observing.programs(host.host):
        unit = host.units.get(name)
        if unit is None or unit.load == "not-found" or unit.enabled in _STARTS:
            continue
        if unit.enabled == "disabled" and unit.wanted:
            continue
        service = NGINX if name == observing.NGINX_UNIT else None
        yield Finding(
            f"{name} is {unit.enabled or 'not enabled'}: after the next boot {_LOST[name]}",
            host.key_path(service),
            service=service,
            declared="enabled",
            found=unit.enabled,
            do=_commands.enable_program(name, is_masked=_units.is_masked(unit)),
        )


def _finding(of: Forwarder | Service, unit: str, enabled: str) -> Finding:
    name = of.service if isinstance(of, Forwarder) else of.name
    return Finding(
        f"{unit} is {enabled or 'not enabled'}: it does not start at the next boot",
        of.key_path,
        service=name,
        port=of.endpoint if isinstance(of, Forwarder) else None,
        declared="enabled",
        found=enabled,
        do=_commands.enable(unit),
    )
