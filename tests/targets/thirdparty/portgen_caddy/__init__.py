"""caddy: a site with a handler a route."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from portgen.plan.types import Host
from portgen.targets import Check, Findings, Machine, Page, Program, Rejection

SITE = "caddy/Caddyfile"
GREP = Program((("grep",),))


def pages(host: Host) -> Iterator[Page]:
    if host.routes:
        yield Page(SITE, "caddy/Caddyfile.j2", {"host": host, "routes": host.routes})


def checks(host: Host, files: Mapping[str, str], _machine: Machine) -> Iterator[Check]:
    """Not Caddy itself, which few machines have: a word that it would refuse."""
    staged = {"Caddyfile": files[SITE]}
    yield Check(host.name, GREP, ("-n", "bogus", "Caddyfile"), _read, staged)


def _read(code: int, out: str, _said: str) -> Findings:
    if code == 0:
        yield Rejection("unrecognized directive: bogus", SITE, int(out.partition(":")[0]))
