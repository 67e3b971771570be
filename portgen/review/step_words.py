"""A step in words.

In: a `Step`, which is data. Out: one line of English. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from portgen.plan.reach import in_words
from portgen.problem import counted, listed
from portgen.review import steps
from portgen.review.steps import Step

NO_LONGER = "no longer wanted"
ENV_FILES = "/etc/portgen"
TAKEN_OVER = "others take over their ports or addresses"

_UNITS: dict[type[Step], tuple[str, str]] = {
    steps.RemoveUnits: ("disable and stop", NO_LONGER),
    steps.StopUnits: ("stop", TAKEN_OVER),
    steps.EnableUnits: ("enable and start", ""),
    steps.StartUnits: ("start", ""),
    steps.RestartUnits: ("restart", ""),
}
_CONTAINERS: dict[type[Step], tuple[str, str]] = {
    steps.RemoveContainers: ("stop and remove", NO_LONGER),
    steps.StopContainers: ("stop", "their ports or addresses change"),
    steps.ComposeDown: ("take down", "their network is recreated"),
}


def text(found: Step, most: int | None = None) -> str:
    """What there is to do, with at most `most` names."""
    if isinstance(found, steps.Units):
        verb, why = _UNITS[type(found)]
        return f"{verb} {_some(found.units, most)}{_because(why)}"
    if isinstance(found, steps.Containers):
        verb, why = _CONTAINERS[type(found)]
        return f"{found.file}: {verb} {_some(found.containers, most)}{_because(why)}"
    return _STEPS[type(found)](found, most)


def _some(names: Collection[str], most: int | None, separator: str = ", ") -> str:
    return listed(names, most, f"{separator}and {{}} more", separator)


def _because(why: str) -> str:
    return why and f" ({why})"


def _compose_up(found: steps.ComposeUp, most: int | None) -> str:
    parts = []
    for verb, names in (("recreate", found.recreate), ("start", found.start)):
        if names:
            parts.append(f"{verb} {_some(names, most)}")
    return f"{found.file}: {'; '.join(parts)} (up -d)"


def _remove_network(found: steps.RemoveNetwork, _most: int | None) -> str:
    why = f"compose recreates it, {found.subnet} -> {found.becomes}"
    if found.becomes is None:
        why = f"compose gives its subnet to {', '.join(found.heirs)}"
    return f"make sure network {found.network} is removed ({why})"


def _change_firewall(found: steps.ChangeFirewall, most: int | None) -> str:
    parts = [f"opens {rule.port} to {in_words(rule.source)}" for rule in found.opens]
    parts += [f"closes {rule.port} to {in_words(rule.source)}" for rule in found.closes]
    if found.relabels:
        parts.append(f"relabels {counted(len(found.relabels), 'rule')}")
    if found.guards:
        parts.append("updates the guard of docker's published ports")
    if not parts:
        return "run portgen-ufw.sh: what is in force is not what its files say"
    return f"run portgen-ufw.sh: {_some(parts, most, '; ')}"


def _open_firewall(found: steps.OpenFirewall, most: int | None) -> str:
    parts = [f"opens {rule.port} to {in_words(rule.source)}" for rule in found.opens]
    return f"run portgen-ufw.sh again, since nginx has left these ports: {_some(parts, most, '; ')}"


def _reload_nginx(found: steps.ReloadNginx, most: int | None) -> str:
    parts = [f"adds {path}" for path in found.adds]
    parts += [f"removes {path}" for path in found.drops]
    parts += [f"changes {path}" for path in found.changes]
    parts += _leads(found.leads)
    if found.server:
        parts.append("the server block changes")
    if not parts:
        return "test and reload nginx: it does not run with the files that it has"
    return f"test and reload nginx: {_some(parts, most, '; ')}"


def _leads(leads: Iterable[steps.Lead]) -> Iterator[str]:
    """How many routes lead to another port of the same address, and how many to another address."""
    counts: Counter[str] = Counter()
    for lead in leads:
        same = lead.before.rpartition(":")[0] == lead.after.rpartition(":")[0]
        counts["port" if same else "address"] += 1
    for what in ("port", "address"):
        if counts[what]:
            yield f"{counted(counts[what], 'route leads', 'routes lead')} to another {what}"


def _place_env_file(found: steps.PlaceEnvFile, _most: int | None) -> str:
    return f"put {found.file} into {ENV_FILES}"


def _remove_env_file(found: steps.RemoveEnvFile, _most: int | None) -> str:
    return (
        f"remove {found.file} from {ENV_FILES} (a unit that still names it does not start any more)"
    )


def _restart_programs(found: steps.RestartPrograms, most: int | None) -> str:
    return f"restart {_some(found.services, most)}, where they run (other variables)"


def _endpoints(found: steps.Program) -> str:
    return ", ".join(map(str, found.ports))


def _stop_program(found: steps.StopProgram, _most: int | None) -> str:
    return f"stop {found.service}'s own program (it releases {_endpoints(found)})"


def _set_program(found: steps.SetProgram, _most: int | None) -> str:
    return f"set {found.service}'s own program to listen on {_endpoints(found)}"


def _start_program(found: steps.StartProgram, _most: int | None) -> str:
    return f"make sure {found.service}'s own program listens on {_endpoints(found)}"


def _daemon_reload(_found: steps.DaemonReload, _most: int | None) -> str:
    return "systemctl daemon-reload"


_STEPS: dict[type[Step], Callable[[Any, int | None], str]] = {
    steps.ComposeUp: _compose_up,
    steps.RemoveNetwork: _remove_network,
    steps.ChangeFirewall: _change_firewall,
    steps.ReloadNginx: _reload_nginx,
    steps.OpenFirewall: _open_firewall,
    steps.PlaceEnvFile: _place_env_file,
    steps.RemoveEnvFile: _remove_env_file,
    steps.StopProgram: _stop_program,
    steps.SetProgram: _set_program,
    steps.StartProgram: _start_program,
    steps.DaemonReload: _daemon_reload,
    steps.RestartPrograms: _restart_programs,
}
