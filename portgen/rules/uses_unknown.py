"""An entry of `uses` that can't be called: an unknown name, the service itself, one without a port, or one
that is planned or retired.

Wrong:
    services:
      api: {port: 5000, via: process}
      web: {port: 5001, via: process, uses: [apy]}
Right:
    services:
      api: {port: 5000, via: process}
      web: {port: 5001, via: process, uses: [api]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory import key_paths
from portgen.plan.calling import named
from portgen.plan.facts import Key
from portgen.plan.types import KeyPath, Plan, Service
from portgen.problem import Severity, listed
from portgen.rules import Finding, Suggestions

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    """A project's default is looked at once, with the first service that has it."""
    known = _Known(plan)
    seen: set[KeyPath] = set()
    for caller in plan.services:
        if caller.uses_path in seen or not caller.uses:
            continue
        seen.add(caller.uses_path)
        for index, word in enumerate(caller.uses):
            place = (*caller.uses_path, index)
            wanted = named(word, caller.host)
            callee = known.services.get(wanted)
            if callee is None:
                yield known.unknown(place, word, wanted)
            else:
                yield from _not_callable(place, word, caller, callee)


class _Known:
    """The services that there are, and hints with them."""

    def __init__(self, plan: Plan) -> None:
        self.services = {Key(service.host, service.name): service for service in plan.services}
        self.of_host: dict[str, list[str]] = {}
        self.hosts_of: dict[str, str] = {}
        for key in self.services:
            self.of_host.setdefault(key.host, []).append(key.name)
            self.hosts_of.setdefault(key.name, key.host)
        self.did_you_mean = Suggestions()

    def unknown(self, place: KeyPath, word: str, wanted: Key) -> Finding:
        """A name that no service of the host has; perhaps one of another host has it."""
        here = self.of_host.get(wanted.host)
        if here is None:
            message = f"`{word}`: there is no service on a host `{wanted.host}`"
            return Finding(place, message, f"hosts with services: {listed(self.of_host)}")
        hint = self.did_you_mean(wanted.name, here) or f"services there: {listed(here)}"
        if wanted.name in self.hosts_of:
            hint = f"write `{self.hosts_of[wanted.name]}/{wanted.name}`"
        return Finding(place, f"`{word}` is not a service of {wanted.host}", hint)


def _not_callable(place: KeyPath, word: str, caller: Service, callee: Service) -> Iterator[Finding]:
    if callee is caller:
        # By a default each service uses the others.
        if not key_paths.is_default(caller.uses_path):
            yield Finding(place, f"{word} uses itself", "leave it out")
    elif not callee.ports:
        yield Finding(
            place, f"{word} has no port ({{line}}): nobody can call it", None, callee.key_path
        )
    elif callee.status == "retired" or (callee.status == "planned" and caller.status == "active"):
        message = f"{word} is {callee.status} ({{line}}): nobody can call it"
        yield Finding(place, message, None, callee.status_path)
