"""A sentence of `expect` that is not so: somebody reaches what he must not, or does not reach what he must.

What is computed is what `portgen reach` prints, from the inventory alone. `portgen audit` checks the same
sentences with what it sees of the host. Who is in `allow` is not asked about one by one: `any` stands for
every address that is in no zone and no project's network, and it fails where one of them gets in.

Wrong:
    hosts:
      box:
        zones: {lan: [192.168.0.0/16]}
    projects:
      data:
        services:
          database: {port: 5432, via: process, protocol: tcp, allow: [lan]}
    expect:
      - {from: lan, to: database, reach: false}
Right:
    hosts:
      box:
        zones: {lan: [192.168.0.0/16]}
    projects:
      data:
        services:
          database: {port: 5432, via: process, protocol: tcp, allow: [192.168.7.5]}
    expect:
      - {from: any, to: database, reach: false}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import expecting, reached_words
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABOUT = "expect"
ABSOLUTE = True  # whoever does not mean a sentence takes it back


def check(plan: Plan) -> Iterator[Finding]:
    if not plan.expectations:
        return
    for one in expecting.broken(plan, plan.hosts):
        place = one.expectation.key_path
        if one.kind in ("unknown-source", "nobody"):
            place = (*place, "from")
        elif one.kind == "unknown-target":
            place = (*place, "to")
        yield Finding(place, reached_words.message(one), reached_words.hint(plan, one), one.place)
