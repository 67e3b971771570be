"""What changes on a host beside its services, in English.

In: a `Review`. Out: lines. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from portgen.plan.facts import Nginx, Site
from portgen.problem import counted
from portgen.review.compare import NetworkChange, NginxChange, Review
from portgen.review.phrases import all_of
from portgen.review.words import Names, rules


def hosts(review: Review) -> Iterator[str]:
    """What changes on each host beside its services, a line each."""
    for change in review.nginx:
        yield from _nginx(change, review.names)
    for network in review.networks:
        yield _network(network)
    for joined in review.joined:
        yield (
            f"{joined.host}: the containers of {joined.file} join the network {joined.network}: they and "
            "the other containers in it reach each other at every port, and they reach what an "
            "`allow` opens to that network"
        )
    yield from _recounted(review)
    yield from _led_by_another(review)


def _nginx(change: NginxChange, names: Names) -> Iterator[str]:
    host, old, new = change.host, change.before, change.after
    labels: tuple[tuple[str, tuple[object, ...], tuple[object, ...]], ...] = (
        ("answers to", old.names, new.names),
        ("listens on", old.listen, new.listen),
        ("uses certificate", (old.certificate,), (new.certificate,)),
    )
    if old.http2 != new.http2:
        yield f"{host}: nginx {_http2(new.http2)}"
    if old.http2_by_listen != new.http2_by_listen and _speaks_http2(old) and _speaks_http2(new):
        how = "an option of `listen`" if new.http2_by_listen else "`http2 on`"
        yield f"{host}: nginx switches HTTP/2 on by {how}, as its `version` has it"
    for label, before, now in labels:
        if before != now:
            yield f"{host}: nginx {label} {all_of(now)} (was {all_of(before)})"
    if old.acme != new.acme:
        yield f"{host}: nginx {_acme(new.acme)} (was {old.acme or 'nothing'})"
    if old.proxies != new.proxies:
        now_from, was_from = _visitors(new.proxies), _visitors(old.proxies)
        yield f"{host}: nginx takes a visitor's address from {now_from} (was {was_from})"
    for name in sorted({*old.sites, *new.sites}):
        text = _site(name, old.sites.get(name), new.sites.get(name))
        if text:
            yield f"{host}: nginx {text}"
    for text in rules(change.rules, host, host, names):
        yield f"{host}: nginx {text}"


def _site(name: str, before: Site | None, now: Site | None) -> str:
    """What happens to a site; "" where nothing does."""
    if now is None:
        return f"loses site {name}"
    if before is None:
        text = f"gets a new site, {name}, at {all_of(now.listen)}"
        if now.certificate:
            text += f", with certificate {now.certificate}"
        if now.http2:
            text += f", {_http2(True)}"
        if now.acme:
            text += f", {_acme(now.acme)}"
        return text
    parts = []
    if before.listen != now.listen:
        parts.append(f"listens on {all_of(now.listen)} (was {all_of(before.listen)})")
    if before.certificate != now.certificate:
        parts.append(
            f"uses certificate {now.certificate or 'none'} (was {before.certificate or 'none'})"
        )
    if before.acme != now.acme:
        parts.append(f"{_acme(now.acme)} (was {before.acme or 'nothing'})")
    if before.http2 != now.http2:
        parts.append(_http2(now.http2))
    if not parts:
        return ""
    return f"changes site {name}: it {', '.join(parts)}"


def _speaks_http2(nginx: Nginx) -> bool:
    return nginx.http2 or any(site.http2 for site in nginx.sites.values())


def _http2(speaks: bool) -> str:
    return "speaks HTTP/2" if speaks else "no longer speaks HTTP/2"


def _acme(folder: str | None) -> str:
    return f"serves acme challenges from {folder}" if folder else "no longer serves acme challenges"


def _visitors(proxies: tuple[str, ...]) -> str:
    """Who says which address a visitor has: proxies, by the header that stands behind them."""
    if not proxies:
        return "the connection"
    *trusted, header = proxies
    return f"{header} where {all_of(trusted)} sends it"


def _recounted(review: Review) -> Iterator[str]:
    """Of each host whose containers get other addresses although their own ports stay: how to keep them."""
    counts = Counter(key.host for key in review.recounted)
    for host, count in counts.items():
        subject = counted(count, "container is recreated", "containers are recreated")
        whose = "its address" if count == 1 else "their addresses"
        yield (
            f"{host}: {subject} only because the project's `ports` changed. "
            f"To keep {whose}, undo this change, run `portgen pin`, then make it again."
        )


def _network(change: NetworkChange) -> str:
    return f"{change.host}: network {change.network} changes from {change.before} to {change.after}"


def _led_by_another(review: Review) -> Iterator[str]:
    """How a container of several services keeps its address, where that followed from the port of one that
    has left it, or leads no longer. Of its services one says so."""
    seen: set[tuple[str, str | None]] = set()
    for changed in review.services:
        if changed.before is None or changed.after is None:
            continue
        old, new = changed.before.container, changed.after.container
        if old is None or new is None or None in (old.address, new.address):
            continue
        is_the_same = (old.file, old.service, old.network) == (new.file, new.service, new.network)
        if not is_the_same or old.services[:1] == new.services[:1] or old.address == new.address:
            continue
        if (changed.host, old.address) not in seen:
            seen.add((changed.host, old.address))
            yield (
                f"{changed.host}: container {new.service} gets another address, and is recreated. "
                f"To keep it, write `address: {old.address}` at {changed.service}."
            )
