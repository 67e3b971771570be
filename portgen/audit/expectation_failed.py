"""A sentence of `expect` is not so on this host.

Somebody reaches what he must not, or does not reach what he must, by what the host has now: the rules of
its kernel, who listens, its containers and nginx's files. What makes it so is mostly a finding of its own,
such as a rule that is wider than declared. Where the inventory itself says otherwise than `expect`,
`portgen lint` reports it, too.

Symptom:
    Strangers reach a service that nobody but the host should reach, or people can't reach one.
Ends it:
    sudo portgen reach --live   # shows who gets in, and how; what ends the other findings mostly ends it
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit._audited import Audited
from portgen.audit._doors import doors
from portgen.audit._finding import Finding
from portgen.plan import expecting, reached_words
from portgen.plan.expecting import Broken
from portgen.problem import Severity

SOURCES = ("sockets", "ufw")
SEVERITY = Severity.ERROR
# What a sentence names, lint checks: it needs the whole inventory.
_LINTS = (
    "unknown-source",
    "unknown-target",
    "nothing",
    "nobody",
    "contradiction",
    "not-known",
)


def check(host: Audited) -> Iterator[Finding]:
    if not host.plan.expectations:
        return
    live = {host.host.name: doors(host)}
    for one in expecting.broken(host.plan, (host.host,), live):
        if one.kind not in _LINTS:
            yield _finding(one)


def _finding(one: Broken) -> Finding:
    names = tuple(service.name for service in one.services)
    said = reached_words.without_line(reached_words.message(one))
    return Finding(
        said,
        one.expectation.key_path,
        service=names[0],
        declared=reached_words.sentence(one.expectation),
        found="" if one.answer is None else reached_words.short(one.answer),
        also=names[1:],
    )
