"""Which site answers for a name: its own one, whatever the default site's patterns cover, and however long
the name is; beside Debian's stock site too."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.programs.nginx.serving import (
    Nginx,
    Visitor,
    applications,
    certificate,
    free_ports,
    read_answer,
    rendered,
    request,
)

INVENTORY = """
version: 1
hosts:
  box:
    nginx:
      server_name: [{names}]
      listen: {listen}
      sites: {{{site}: {{listen: {own}}}}}
projects:
  wall:
    defaults: {{via: process}}
    services:
      hub: {{port: {hub}, route: /}}
      own: {{port: {behind}, route: {{host: {site}}}}}
"""
STOCK = "server {{ listen {listen} default_server; server_name _; location / {{ return 404; }} }}"


class Served:
    """An nginx with a default site and another one, each at its port."""

    def __init__(self, listen: int, own: int) -> None:
        self.listen, self.own = listen, own

    def who(self, host: str, port: int) -> str:
        """The application that answers for a name, or the status without one."""
        answer = Visitor(port, request("/", host=host)).answer()
        return answer.heard["name"] if answer.status == 200 else str(answer.status)


@pytest.fixture
def served(need: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[..., Served]]:
    program = need("nginx")
    with contextlib.ExitStack() as stack:

        def made(names: str, site: str, *, on_one_port: bool, stock: bool = False) -> Served:
            listen, own, hub, behind = free_ports(4)
            if on_one_port:
                own = listen
            text = INVENTORY.format(
                names=names, site=site, listen=listen, own=own, hub=hub, behind=behind
            )
            after = STOCK.format(listen=listen) if stock else ""
            stack.enter_context(applications(hub=hub, own=behind))
            stack.enter_context(Nginx(program, tmp_path, rendered(text), after=after))
            return Served(listen, own)

        yield made


LABEL = "l" * 63
LONG = ".".join((LABEL, LABEL, LABEL, "l" * 49, "example.com"))  # as long as a name can be
SITES = {
    # server_name, the site, who else is the default site's
    "a-dot": (".example.com", "example.com", ["a.example.com"]),
    "a-dot-in-capitals": (".Example.com.", "example.com", ["a.example.com"]),
    "a-star": ("'*.example.com'", "a.example.com", ["b.example.com"]),
    "a-star-behind": ("'www.*'", "www.example.com", ["www.example.org"]),
    "47-letters": ("box.example.com", f"{'l' * 35}.example.com", ["box.example.com"]),
    "longest": ("box.example.com", LONG, ["box.example.com"]),
    "longest-below-a-star": ("'*.example.com', 'l.*'", LONG, ["b.example.com", "l.example.org"]),
    "longest-below-a-long-star": (
        f"'*{LONG[63:]}'",
        LONG,
        [f"b{LONG[63:]}", f"{LABEL.replace('l', 'm')}{LONG[63:]}"],
    ),
    "longest-below-a-long-dot": (f".{LONG[3:]}", LONG[3:], [f"b.{LONG[3:]}"]),
    "longest-before-a-star": (f"'{LABEL}.*'", LONG, [f"{LABEL}.example.org"]),
    "long-default": (
        f"{LONG}, '*.{LABEL}.com', '{LABEL}.*', .{LABEL}.org",
        "box.example.com",
        [LONG, f"a.{LABEL}.com", f"{LABEL}.net", f"{LABEL}.org", f"b.{LABEL}.org"],
    ),
}


@pytest.mark.parametrize("stock", [False, True], ids=["alone", "beside-the-stock-site"])
@pytest.mark.parametrize("on_one_port", [True, False], ids=["one-port", "two-ports"])
@pytest.mark.parametrize("case", SITES)
def test_a_site_answers_for_its_name_and_the_default_site_does_not(
    served: Callable[..., Served], case: str, *, on_one_port: bool, stock: bool
) -> None:
    names, site, others = SITES[case]
    nginx = served(names, site, on_one_port=on_one_port, stock=stock)
    nobody = ("404",) if stock else ("0",)  # the stock site answers for every name of nobody's
    for name in (site, site.upper(), f"{site}."):
        assert nginx.who(name, nginx.own) == "own"
        if not on_one_port:
            assert nginx.who(name, nginx.listen) in ("0", *nobody)
    for name in others:
        assert nginx.who(name, nginx.listen) == "hub"
    assert nginx.who("evil.example.net", nginx.listen) in nobody


WITH_TLS = """
version: 1
hosts:
  box:
    nginx:
      server_name: [.example.com]
      listen: {http}
      listen_tls: {https}
      tls: {{certificate: {box[0]}, key: {box[1]}}}
      sites: {{{site}: {{tls: {{certificate: {own[0]}, key: {own[1]}}}}}}}
projects:
  wall: {{services: {{own: {{port: {port}, via: process, route: {{host: {site}}}}}}}}}
"""


@pytest.mark.parametrize("site", ["example.com", LONG])
def test_a_site_shows_its_own_certificate_below_a_pattern(
    need: Callable[[str], str], tmp_path: Path, site: str
) -> None:
    http, https, port = free_ports(3)
    for name in ("box", "own"):
        (tmp_path / name).mkdir()
    box, own = certificate(tmp_path / "box"), certificate(tmp_path / "own")
    text = WITH_TLS.format(http=http, https=https, port=port, box=box, own=own, site=site)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    shown = {}
    with applications(own=port), Nginx(need("nginx"), tmp_path, rendered(text)):
        for name in (site, "a.example.com"):
            visitor = Visitor(https)
            with context.wrap_socket(visitor.socket, server_hostname=name) as wrapped:
                shown[name] = wrapped.getpeercert(binary_form=True)
                wrapped.sendall(request("/", host=name))
                assert read_answer(wrapped).status == (200 if name == site else 404)
    assert ssl.DER_cert_to_PEM_cert(shown[site] or b"") == own[0].read_text()
    assert ssl.DER_cert_to_PEM_cert(shown["a.example.com"] or b"") == box[0].read_text()
