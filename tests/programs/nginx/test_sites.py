"""Each site answers for its own name only, at its own ports, with its own certificate, over IPv4 and IPv6."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.limit import HANGS
from tests.programs.nginx.serving import (
    Answer,
    Nginx,
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
    ipv6: {ipv6}
    nginx:
      server_name: [box.example, "*.apps.example"]
      listen: {http}
      listen_tls: {https}
      allow: [{allow}]
      tls: {{certificate: {box_crt}, key: {box_key}}}
      {more}
      sites:
        grafana.example: {{tls: {{certificate: {own_crt}, key: {own_key}}}}}
        plain.example: {{tls: null, listen: {plain}}}
projects:
  wall:
    defaults: {{via: process}}
    services:
      hub: {{port: {hub}, route: /}}
      grafana:
        port: {grafana}
        route: [{{host: grafana.example}}, {{host: one.apps.example, path: /g/}}]
      only: {{port: {only}, route: {{host: plain.example, path: /only/}}}}
"""


class Sites(NamedTuple):
    """An nginx with sites, by its ports."""

    http: int
    https: int
    plain: int

    def ask(self, port: int, host: str, path: str = "/", address: str = "127.0.0.1") -> Answer:
        with socket.create_connection((address, port), HANGS) as visitor:
            visitor.sendall(request(path, host=host))
            return read_answer(visitor)

    def ask_tls(
        self, host: str, sni: str | None, path: str = "/", address: str = "127.0.0.1"
    ) -> Answer:
        with self.handshake(sni, address) as visitor:
            visitor.sendall(request(path, host=host))
            return read_answer(visitor)

    @contextlib.contextmanager
    def handshake(self, sni: str | None, address: str = "127.0.0.1") -> Iterator[ssl.SSLSocket]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection((address, self.https), HANGS) as plain,
            context.wrap_socket(plain, server_hostname=sni) as visitor,
        ):
            yield visitor


@pytest.fixture
def sites(need: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[..., Sites]]:
    program = need("nginx")
    with contextlib.ExitStack() as stack:

        def made(*, allow: str = "any", ipv6: str = "true", more: str = "") -> Sites:
            http, https, plain, hub, grafana, only = free_ports(6)
            for name in ("box", "own"):
                (tmp_path / name).mkdir()
            box, own = certificate(tmp_path / "box"), certificate(tmp_path / "own")
            ports = {"http": http, "https": https, "plain": plain, "hub": hub, "grafana": grafana}
            text = INVENTORY.format(
                **ports, only=only, ipv6=ipv6, allow=allow, more=more,
                box_crt=box[0], box_key=box[1], own_crt=own[0], own_key=own[1],
            )  # fmt: skip
            stack.enter_context(applications(hub=hub, grafana=grafana, only=only))
            (tmp_path / "nginx").mkdir()
            stack.enter_context(Nginx(program, tmp_path / "nginx", rendered(text)))
            return Sites(http, https, plain)

        yield made


def test_each_name_leads_to_its_own_site(sites: Callable[..., Sites]) -> None:
    found = sites()
    assert found.ask_tls("box.example", "box.example").heard["name"] == "hub"
    assert found.ask_tls("two.apps.example", "two.apps.example").heard["name"] == "hub"
    assert found.ask_tls("grafana.example", "grafana.example").heard["name"] == "grafana"
    assert found.ask_tls("GRAFANA.example.", "grafana.example").heard["name"] == "grafana"
    assert found.ask_tls("one.apps.example", None, "/g/x").heard["path"] == "/x"
    assert found.ask_tls("one.apps.example", None, "/").status == 404
    assert found.ask(found.plain, "plain.example", "/only/").heard["name"] == "only"
    assert found.ask(found.plain, "plain.example").status == 404
    redirected = found.ask(found.http, "grafana.example", "/x")
    assert redirected.headers["location"] == f"https://grafana.example:{found.https}/x"


@pytest.mark.parametrize("sni", ["box.example", "grafana.example", "plain.example", "evil", None])
def test_what_a_visitor_names_in_the_handshake_opens_no_other_site(
    sites: Callable[..., Sites], sni: str | None
) -> None:
    """The request's own name decides, whatever the handshake had."""
    found = sites()
    assert found.ask_tls("grafana.example", sni).heard["name"] == "grafana"
    for host in ("evil", "plain.example", "grafana.example.evil", "x.grafana.example", ""):
        assert found.ask_tls(host, sni, "/only/").status in (0, 400), host


def test_a_name_at_a_port_where_its_site_does_not_listen_gets_no_answer(
    sites: Callable[..., Sites],
) -> None:
    found = sites()
    for host in ("plain.example", "evil", "192.0.2.1"):
        assert found.ask(found.http, host).status == 0
        assert found.ask_tls(host, host).status == 0
    for host in ("box.example", "grafana.example", "one.apps.example", "evil"):
        assert found.ask(found.plain, host, "/only/").status == 0


def test_each_site_shows_its_own_certificate(sites: Callable[..., Sites]) -> None:
    found = sites()
    shown = {}
    for name in ("box.example", "grafana.example", "one.apps.example"):
        with found.handshake(name) as visitor:
            shown[name] = visitor.getpeercert(binary_form=True)
    assert shown["box.example"] == shown["one.apps.example"] != shown["grafana.example"]


def listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), HANGS).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("allow", "ipv6", "both"),
    [
        ("any", "true", True),
        ("", "true", True),
        ("192.168.0.0/16, 'fd00::/8'", "true", True),
        ("192.168.0.0/16", "true", False),
        ("any", "false", False),
    ],
)
def test_it_listens_on_the_families_of_those_who_may_come(
    sites: Callable[..., Sites], allow: str, ipv6: str, *, both: bool
) -> None:
    found = sites(allow=allow, ipv6=ipv6)
    for port in found:
        assert listens("127.0.0.1", port)
        assert listens("::1", port) is both
    if both:
        assert found.ask_tls("grafana.example", None, address="::1").heard["name"] == "grafana"
        assert found.ask_tls("evil", None, address="::1").status == 0
        assert found.ask(found.plain, "plain.example", "/only/", "::1").heard["name"] == "only"


def test_a_certificate_authority_is_answered_before_the_redirect(
    sites: Callable[..., Sites], tmp_path: Path
) -> None:
    folder = tmp_path / "acme $x" / ".well-known/acme-challenge"
    folder.mkdir(parents=True)
    (folder / "token").write_text("proof")
    found = sites(more=f"acme: {tmp_path}/acme $x")
    path = "/.well-known/acme-challenge/"
    for port, host in (
        (found.http, "box.example"),
        (found.http, "grafana.example"),
        (found.plain, "plain.example"),
    ):
        assert found.ask(port, host, f"{path}token").body == "proof"
        assert found.ask(port, host, f"{path}other").status == 404
        assert found.ask(port, "evil", f"{path}token").status == 0
    redirected = found.ask(found.http, "grafana.example", "/.well-known/other")
    assert redirected.headers["location"].startswith("https://grafana.example")


@pytest.mark.parametrize(("more", "spoken"), [("http2: true", "h2"), ("", "http/1.1")])
def test_https_speaks_http2_where_it_is_asked_for(
    sites: Callable[..., Sites], more: str, spoken: str
) -> None:
    found = sites(more=more)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", found.https), HANGS) as plain,
        context.wrap_socket(plain, server_hostname="box.example") as visitor,
    ):
        assert visitor.selected_alpn_protocol() == spoken


@pytest.mark.parametrize(
    ("proxies", "heard"),
    [("127.0.0.0/8, 192.0.2.0/24", "203.0.113.9"), ("192.0.2.0/24", "127.0.0.1")],
)
def test_only_a_proxy_in_front_says_who_the_visitor_is(
    sites: Callable[..., Sites], proxies: str, heard: str
) -> None:
    """A visitor may have written addresses before his own into the header."""
    found = sites(more=f"client_ip: {{from: [{proxies}]}}")
    with socket.create_connection(("127.0.0.1", found.plain), HANGS) as visitor:
        forwarded = "X-Forwarded-For: 10.0.0.1, 203.0.113.9, 192.0.2.4"
        visitor.sendall(request("/only/", forwarded, host="plain.example"))
        assert dict(read_answer(visitor).heard["headers"])["x-real-ip"] == heard
