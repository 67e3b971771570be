"""No visitor of a team's own nginx comes further than before, or to another service, when portgen's files
take over what an import says. With most of these configurations that went wrong once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing
from tests.limit import HANGS
from tests.programs.nginx.serving import REPOSITORY

PASS = "location %s { proxy_pass http://127.0.0.1:%d; }"


def server(*lines: str) -> str:
    return "\n".join(["server {", *lines, "}", ""])


def passes(path: str, port: int, *more: str) -> str:
    """A location, on one line."""
    return f"location {path} {{ proxy_pass http://127.0.0.1:{port}; {' '.join(more)} }}"


def named(name: str, *lines: str, listen: str = "listen 80;\nlisten [::]:80;") -> str:
    return server(listen, f"server_name {name};", *lines)


SECURE = "listen 443 ssl;\nlisten [::]:443 ssl;\nTLS;"
LAN = "allow 10.0.0.0/8; deny all;"
TO_HTTPS = "return 301 https://$host$request_uri;"
APP = passes("/app/", 3000)
API = passes("/api/", 3001)
ROOT = passes("/", 3002)
SNIPPET = "include snippets/portgen-locations.conf;"
RENDERED = "# Rendered by portgen from the inventory of box: edits here are lost.\n"
# Each is one file of a folder conf.d; of several files each has its name.
CONFIGURATIONS: dict[str, str | dict[str, str]] = {
    "plain routes": named("a.org", APP, API, passes("/static/", 3003, LAN)),
    "a site of one name": named("a.org", APP, API) + named("b.org", passes("/", 3004)),
    "https with a redirect": named("a.org", TO_HTTPS) + named("a.org", APP, API, listen=SECURE),
    "a path without a slash": named("a.org", passes("/app", 3000), API),
    "the same beside one with it": named("a.org", passes("/app", 3000), passes("/app/", 3001), API),
    "the same below the root": named("a.org", passes("/app", 3000, LAN), ROOT, API),
    "the same beside files": named("a.org", passes("/app", 3000), "root /nowhere;", API),
    "an exact path beside a route": named("a.org", APP, API, "location = /app { return 403; }"),
    "a redirect to the slash": named("a.org", APP, API, "location = /app { return 301 /app/; }"),
    "the same, and the server goes on": named(
        "a.org", APP, API, "location = /app { return 301 /app/; }", "location = /x { return 410; }"
    ),
    "a redirect for a whole prefix": named(
        "a.org", APP, ROOT, "location /app { return 301 /app/; }"
    ),
    "a deny within a route": named("a.org", APP, API, "location /app/admin/ { deny all; }"),
    "a pattern with a quantifier": named("a.org", APP, API, "location ~ ^/apps?/ { deny all; }"),
    "kinds without a blank": named(
        "a.org", APP, API, "location ~/admin { deny all; }", "location =/api { return 403; }"
    ),
    "a pattern of two": named("a.org", APP, API, "location ~ ^/x/|admin { deny all; }"),
    "the root before a pattern": named(
        "a.org", passes("^~ /", 3000), API, "location ~ admin { return 403; }"
    ),
    "allow all in a closed server": named(
        "a.org", LAN, passes("/app/", 3000, "allow all;"), API, "location = /x { return 410; }"
    ),
    "headers of the server": named(
        "a.org",
        "proxy_set_header X-Key k;",
        "add_header X-Level 1;",
        APP,
        passes("/api/", 3001, "add_header X-Level 2;"),
        "location = /x { return 410; }",
    ),
    "the same, taken over": named(
        "a.org", "proxy_set_header X-Key k;", "add_header X-Level 1;", APP, API
    ),
    "a directive that nobody knows": named("a.org", "merge_slashes off;", APP, API),
    "an if to https for some": named(
        "a.org", f"if ($remote_addr != 10.0.0.5) {{ {TO_HTTPS} }}", APP
    ),
    "an if for one of two names": named(
        "a.org www.a.org", "if ($host = www.a.org) { return 301 http://a.org$request_uri; }", ROOT
    ),
    "a refusal by address": named(
        "a.org", "if ($remote_addr = 10.0.0.5) { return 444; }", APP, API
    ),
    "trust in a proxy": named(
        "a.org", "set_real_ip_from 203.0.113.9;", passes("/app/", 3000, LAN), API
    ),
    "trust of one of two": named(
        "a.org", "set_real_ip_from 203.0.113.0/24;", passes("/app/", 3000, LAN), API
    )
    + named("b.org", passes("/", 3002, LAN)),
    "trust, and the server goes on": named(
        "a.org",
        "set_real_ip_from 203.0.113.9;\nreal_ip_header X-Real-IP;",
        APP,
        API,
        "location = /x { return 410; }",
    ),
    "a name of two servers": named("b.org", "return 403;") + named("a.org b.org", ROOT),
    "a name of two servers by ports": named("a.org b.org", APP, ROOT)
    + named("b.org c.org", API, listen="listen 8080;"),
    "a dot before a name": server("listen 80;", "server_name .a.org;", passes("/", 3003))
    + named("a.org", APP, API),
    "a wildcard by IPv6": server("listen 80;", "server_name *.a.org;", APP, API)
    + server("listen 80;", "server_name x.a.org;", "return 403;"),
    "http otherwise than https": named("a.org", APP, API)
    + named("a.org", APP, passes("/api/", 3001, "proxy_hide_header X;"), listen=SECURE),
    "http alone has routes": named("a.org", APP, API) + named("a.org", listen=SECURE),
    "a redirect with files beside it": named(
        "a.org b.org", "location /static/ { return 410; }", f"location / {{ {TO_HTTPS} }}"
    )
    + named("a.org", ROOT, listen=SECURE)
    + named("b.org", APP, listen=SECURE),
    "a redirect for two, one stays": named("a.org b.org", TO_HTTPS)
    + named("a.org", ROOT, listen=SECURE)
    + named("b.org", "return 410;", listen=SECURE),
    "a redirect to the first of two names": named(
        "a.org b.org", "return 301 https://$server_name$request_uri;"
    )
    + named("a.org", ROOT, listen=SECURE)
    + named("b.org", "return 410;", listen=SECURE),
    "a redirect for every name": server("listen 80 default_server;", TO_HTTPS)
    + named("a.org", ROOT, listen=SECURE)
    + named("b.org", "return 410;", listen=SECURE),
    "the order of files": {
        "conf.d/a.conf": named("a.org", APP, API),
        "conf.d/b.conf": named("b.org", ROOT, "location = /x { return 410; }"),
    },
    "an error that a path answers": named("a.org", "error_page 404 = /app/;", APP, API),
    "unknown names": named("a.org", APP, API) + named("b.org", "return 410;"),
    "a redirect to https without https": named(
        "a.org b.org", f"if ($host = a.org) {{ {TO_HTTPS} }}", APP, API
    ),
    "a redirect at another port": server(
        "listen 80 default_server;\nlisten 8080 default_server;\nlisten [::]:8080 default_server;",
        "return 410;",
    )
    + named("a.org b.org", TO_HTTPS)
    + named("a.org", APP, API, listen="listen 8080;\nlisten [::]:8080;"),
    "redirects at two ports": server("listen 80 default_server;", "return 410;")
    + named("a.org b.org", TO_HTTPS, listen="listen 8080;\nlisten [::]:8080;")
    + named("a.org", TO_HTTPS)
    + named("a.org b.org", ROOT, listen=SECURE),
    "a redirect of two names to one": named("a.org b.org", "return 301 https://a.org$request_uri;")
    + named("a.org b.org", ROOT, APP, listen=SECURE),
    "a variable that leads to one path": {
        "conf.d/app.conf": "geo $app { default 127.0.0.1:3000; }\n",
        "conf.d/site.conf": named("a.org", "location /app/ { proxy_pass http://$app/; }", API),
    },
    "a wildcard at another port": named("w.org", "return 410;", listen=SECURE)
    + named("*.w.org", APP, API, listen=SECURE)
    + named("x.w.org", ROOT),
    "an index that is a path": named("a.org", "index /app/x;", APP, API),
    "a hidden file": {
        "conf.d/sites.conf": "include sites/*;\n",
        "sites/.a": named("a.org", APP, "location = /x { return 410; }"),
        "sites/b": named("a.org", API, passes("/static/", 3003)),
    },
    "portgen's locations in two servers": {
        "conf.d/a.conf": named("a.org", SNIPPET, APP, "location = /x { return 410; }"),
        "conf.d/b.conf": named("b.org", SNIPPET, API),
        "snippets/portgen-locations.conf": RENDERED + passes("^~ /static/", 3003),
    },
    "one socket for both families": named(
        "b.org", "return 410;", listen="listen [::]:80 ipv6only=off;"
    )
    + named("a.org", APP, API, listen="listen [::]:80;"),
    "locations of a file beside it": {
        "conf.d/site.conf": named("a.org", "location = /x { return 410; }", "include more/*;"),
        "more/app": f"#\n#\n{APP}\n",
        "more/api": f"{API}\n",
    },
}
# What an import says beside the lists: nothing that visitors would miss.
CLOSED = ("", "404")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_visitors_come_where_they_came(
    need: Callable[[str], str], tmp_path: Path, name: str
) -> None:
    """What is listed as a difference may be one: `/app` is sent to `/app/`, and http to https. portgen's
    servers answer to no unknown name."""
    one = _compared(need, tmp_path, CONFIGURATIONS[name])
    wrong = {}
    for question, (before, after) in one["differs"].items():
        if not _is_listed(question, before, after, one["listed"]):
            wrong[question] = (before, after)
    assert wrong == {}, one["steps"]


def _compared(
    need: Callable[[str], str], folder: Path, files: str | dict[str, str]
) -> dict[str, Any]:
    """A configuration, asked before and after."""
    program, unshare, _ = need("nginx"), need("unshare"), need("ip")
    if subprocess.run([unshare, "-n", "true"], check=False, capture_output=True).returncode != 0:
        missing("a network namespace of its own needs root")
    given = {"conf.d/site.conf": files} if isinstance(files, str) else files
    command = [unshare, "-n", sys.executable, "-m", "tests.programs.nginx.imported"]
    done = subprocess.run(
        [*command, program, str(folder)],
        input=json.dumps(given),
        check=False,
        capture_output=True,
        text=True,
        timeout=HANGS,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _is_listed(question: str, before: str, after: str, listed: list[str]) -> bool:
    said = " ".join(listed)
    path = re.sub(r"^[^/]*|[ ].*", "", question)
    if question.startswith(("unknown.", "sub.")) and after == "":
        return True
    if after.startswith("301 https:"):
        return "http is sent to https" in said or "sends visitors here" in said
    if after == f"301 {path}/":
        return before in CLOSED or f"becomes {path}/" in said or before.endswith(f"{path}/")
    if after in CLOSED and before in CLOSED:
        return True
    is_prefix = f"becomes {path[:4]}/" in said
    return after in CLOSED and is_prefix
