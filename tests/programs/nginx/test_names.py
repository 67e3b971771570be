"""nginx answers for its own names only, and no application hears a name of a visitor's choosing; beside
Debian's stock site too."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.programs.nginx.serving import (
    Answer,
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
hosts: {{box: {{nginx: {{server_name: {names}, listen: {listen}{more}}}}}}}
projects: {{wall: {{services: {{web: {{port: {port}, via: process, route: /web/}}}}}}}}
"""
# /etc/nginx/sites-available/default of Debian 12, without its comments and its IPv6.
STOCK = """
server {{
    listen {listen} default_server;
    root {folder};
    index index.html index.htm index.nginx-debian.html;
    server_name _;
    location / {{
        try_files $uri $uri/ =404;
    }}
}}
"""
SERVED, CLOSED = 200, 0


class Site:
    """One nginx with our server block, and what one asks of it."""

    def __init__(
        self, program: str, folder: Path, names: str, *, stock: bool = False, tls: bool = False
    ) -> None:
        self.listen, self.listen_tls, self.port = free_ports(3)
        self.stack = contextlib.ExitStack()
        more = ""
        if tls:
            paths = certificate(folder)
            more = f", listen_tls: {self.listen_tls}, tls: {{certificate: {paths[0]}, key: {paths[1]}}}"
        files = rendered(
            INVENTORY.format(names=names, listen=self.listen, port=self.port, more=more)
        )
        after = STOCK.format(listen=self.listen, folder=folder) if stock else ""
        self.nginx = Nginx(program, folder, files, after=after)

    def __enter__(self) -> Self:
        self.stack.enter_context(applications(web=self.port))
        self.stack.enter_context(self.nginx)
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def ask(
        self, host: str | None, path: str = "/web/x", *headers: str, version: str = "1.1"
    ) -> Answer:
        return Visitor(self.listen, request(path, *headers, host=host, version=version)).answer()

    def ask_tls(self, host: str, sni: str | None) -> Answer:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        visitor = Visitor(self.listen_tls)
        with context.wrap_socket(visitor.socket, server_hostname=sni) as wrapped:
            wrapped.sendall(request("/web/x", host=host))
            return read_answer(wrapped)


@pytest.fixture
def site(need: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[..., Site]]:
    program = need("nginx")
    with contextlib.ExitStack() as stack:

        def made(names: str, **options: bool) -> Site:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            return stack.enter_context(Site(program, folder, names, **options))

        yield made


LONG = f"{'l' * 63}.example.com"
NAMES = {
    # server_name, then what a visitor writes as Host: the name that the application hears, or None where
    # there is no answer
    "one-name": (
        "box.example",
        {
            "box.example": "box.example",
            "BOX.Example": "box.example",
            "box.example.": "box.example",
            "box.example:99": "box.example",
            "BOX.EXAMPLE.:80": "box.example",
            "evil.example": None,
            "box.example.evil.example": None,
            "xbox.example": None,
            "127.0.0.1": None,
            "[::1]": None,
            "_": None,
            "localhost": None,
        },
    ),
    "several": (
        "[A.example, b.example., 127.0.0.1]",
        {
            "a.example": "a.example",
            "b.example": "b.example",
            "127.0.0.1": "127.0.0.1",
            "127.0.0.2": None,
            "c.example": None,
        },
    ),
    "wildcard-before": (
        '["*.box.example", box.example]',
        {
            "a.box.example": "a.box.example",
            "A.b.BOX.example": "a.b.box.example",
            "box.example": "box.example",
            "abox.example": None,
            "*.box.example": None,
            "a@b.box.example": None,
            '"x.box.example': None,
            "<b>.box.example": None,
        },
    ),
    "with-a-dot": (
        '[.box.example, box.example, "*.box.example"]',
        {"a.box.example": "a.box.example", "box.example": "box.example", "example": None},
    ),
    "wildcard-behind": (
        '["box.*"]',
        {
            "box.example": "box.example",
            "box.a.example": "box.a.example",
            "mybox.example": None,
            "box": None,
        },
    ),
    "long": (
        f"[{LONG}, .dot.{LONG}, '*.star.{LONG}', 'www.{LONG}.*']",
        {
            LONG: LONG,
            f"dot.{LONG}": f"dot.{LONG}",
            f"a.b.dot.{LONG}": f"a.b.dot.{LONG}",
            f"a.star.{LONG}": f"a.star.{LONG}",
            f"www.{LONG}.example": f"www.{LONG}.example",
            f"star.{LONG}": None,
            f"a.{LONG}": None,
            LONG.replace(".", "x"): None,
        },
    ),
    "words-of-a-map": (
        "[default, hostnames, include, volatile]",
        {
            "default": "default",
            "hostnames": "hostnames",
            "include": "include",
            "volatile": "volatile",
            "evil.example": None,
        },
    ),
}


@pytest.mark.parametrize("stock", [False, True], ids=["alone", "beside-the-stock-site"])
@pytest.mark.parametrize("case", NAMES)
def test_only_own_names_are_answered_and_an_application_hears_them(
    site: Callable[..., Site], case: str, *, stock: bool
) -> None:
    names, expected = NAMES[case]
    with_stock = site(names, stock=stock)
    for host, name in expected.items():
        answer = with_stock.ask(host)
        if name is None:
            # Beside the stock site a name of nobody's is the stock site's, which has no such file.
            assert answer.status in ((404, 400, CLOSED) if stock else (CLOSED, 400)), host
            continue
        assert answer.status == SERVED, host
        heard = dict(answer.heard["headers"])
        assert (heard["host"], heard["x-forwarded-host"]) == (f"{name}:{with_stock.listen}",) * 2, (
            host
        )


def test_the_request_line_s_name_counts_and_the_header_is_not_passed_on(
    site: Callable[..., Site],
) -> None:
    only = site("box.example")
    answer = only.ask("evil.example", "http://box.example/web/x")
    assert dict(answer.heard["headers"])["host"] == f"box.example:{only.listen}"
    assert "evil" not in answer.body
    assert only.ask("box.example", "http://evil.example/web/x").status == CLOSED


def test_a_request_without_a_host_is_for_the_first_plain_name(
    site: Callable[..., Site],
) -> None:
    answer = site("[box.example, other.example]").ask(None, version="1.0")
    assert dict(answer.heard["headers"])["host"].startswith("box.example:")
    assert site('["*.box.example"]').ask(None, version="1.0").status == CLOSED


def test_two_hosts_are_refused(site: Callable[..., Site]) -> None:
    assert site("box.example").ask("box.example", "/web/x", "Host: evil.example").status == 400


def test_with_tls_both_ports_answer_for_own_names_only(
    site: Callable[..., Site],
) -> None:
    only = site("[box.example, '*.box.example']", tls=True)
    for sni in ("box.example", "evil.example", None):
        assert only.ask_tls("evil.example", sni).status == CLOSED
        heard = dict(only.ask_tls("a.box.example:7", sni).heard["headers"])
        assert heard["host"] == f"a.box.example:{only.listen_tls}"
        assert heard["x-forwarded-proto"] == "https"


def test_the_redirect_to_https_goes_to_a_real_name(site: Callable[..., Site]) -> None:
    only = site("[box.example, '*.box.example']", tls=True)
    for asked, name in (
        ("BOX.example:12", "box.example"),
        ("a.box.example", "a.box.example"),
        (None, "box.example"),
    ):
        answer = only.ask(asked, "/web/x?a=1", version="1.0" if asked is None else "1.1")
        assert (answer.status, answer.headers["location"]) == (
            301,
            f"https://{name}:{only.listen_tls}/web/x?a=1",
        )
    answer = only.ask("evil.example", "http://box.example/web/x")
    assert answer.headers["location"] == f"https://box.example:{only.listen_tls}/web/x"
    for evil in ("evil.example", "*.box.example", "127.0.0.1"):
        assert only.ask(evil).status == CLOSED


def test_a_team_s_own_server_block_decides_which_names_come_through(
    need: Callable[[str], str], tmp_path: Path
) -> None:
    listen, port = free_ports(2)
    text = INVENTORY.replace("server_name: {names}, ", "").format(listen=listen, port=port, more="")
    block = (
        f"server {{ listen {listen}; server_name team.example; include "
        f"{tmp_path}/snippets/portgen-locations.conf; }}"
    )
    strict = f"server {{ listen {listen} default_server; return 444; }}"
    with (
        applications(web=port),
        Nginx(need("nginx"), tmp_path, rendered(text), after=block + strict),
    ):
        assert Visitor(listen, request("/web/x", host="evil.example")).answer().status == CLOSED
        answer = Visitor(listen, request("http://team.example/web/x", host="evil.example")).answer()
        assert dict(answer.heard["headers"])["host"] == f"team.example:{listen}"
        assert "evil" not in answer.body
