"""A container has other variables than the inventory sets: it may call a service at an old address.

`uses` and `env` give a program the addresses of what it calls. With the old ones it calls a port that
somebody else has now, or nobody. Only the variables that the inventory sets are looked at; all others
may be secrets.

Symptom:
    A service can't reach what it uses, or shows another service's data, while both of them run.
Ends it:
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.problem import Severity

SOURCES = ("docker",)
SEVERITY = Severity.ERROR
UNLESS = ("container-stopped", "override-unused")


def check(host: Audited) -> Iterator[Finding]:
    for expected, container in host.running:
        declared, found = host.container_facts(expected)
        wanted, there = declared.environment, found.environment
        differing = [name for name in wanted if there.get(name) != wanted[name]]
        if not differing:
            continue
        said = ", ".join(_words(name, wanted[name], there.get(name)) for name in differing)
        yield Finding(
            f"{container.name}, the container of {expected.words}, has other variables: {said}",
            expected.planned.key_path,
            service=expected.planned.service,
            declared={name: wanted[name] for name in differing},
            found={name: _shown(there.get(name)) for name in differing},
            do=_commands.install(host),
            also=expected.others,
        )


def _words(name: str, wanted: str, there: str | None) -> str:
    if there is None:
        return f"{name} is missing, and should be {wanted}"
    return f"{name} is {_shown(there)}, not {wanted}"


def _shown(value: str | None) -> str | None:
    """A value without the password that somebody's URL may have."""
    if value is None:
        return None
    return re.sub(r"//[^/@]*@", "//...@", value)
