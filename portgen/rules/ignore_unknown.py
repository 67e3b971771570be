"""An `ignore` that silences nothing: it names something that is not a rule, a rule that nobody may
silence, or one that reports projects or hosts and never a service.

Wrong:
    ports: 514
    services:
      syslog: {port: 514, protocol: udp, ignore: {port-priviledged: routers send there}}
Right:
    ports: 514
    services:
      syslog: {port: 514, protocol: udp, ignore: {port-privileged: routers send there}}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding, Suggestions, about, every, is_absolute

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    rules = every()
    did_you_mean = Suggestions()
    for service in plan.services:
        for name in service.ignore:
            place = (*service.key_path, "ignore", name)
            if name not in rules:
                yield Finding(
                    place,
                    f"`{name}` is not a rule",
                    did_you_mean(name, rules) or "`portgen lint --rules` lists them",
                )
            elif is_absolute(rules[name]):
                yield Finding(
                    place,
                    f"`{name}` can't be ignored, it guards against broken output",
                    "fix what it reports",
                )
            elif about(rules[name]) != "services":
                whose = about(rules[name])
                yield Finding(
                    place,
                    f"`{name}` can't be ignored here: it reports {whose}, never a service",
                    f"{whose} have no `ignore`: fix what it reports",
                )
