"""An `ignore` that silences nothing: it names something that is not a rule, or a rule that nobody
may silence.

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
from portgen.rules import Finding, Suggestions, every, is_absolute

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
