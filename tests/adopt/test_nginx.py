"""nginx's servers: what portgen's own take over, and what is listed because they don't have it."""

from __future__ import annotations

import pytest

from portgen import adopt
from portgen.adopt import Adopted, Sources, Text
from portgen.plan import planner
from portgen.plan.facts import single

SSL = "ssl_certificate /etc/a.crt; ssl_certificate_key /etc/a.key;"
ROUTE = "location /app/ { proxy_pass http://127.0.0.1:8080/; }"


def adopted(*files: tuple[str, str]) -> Adopted:
    """An import of files, by what people are shown; all are named one by one."""
    texts = [Text("nginx", name, text, name.rpartition("/")[2]) for name, text in files]
    return adopt.adopt(Sources(texts, {}.get), "box")


def in_a_folder(*files: tuple[str, str]) -> Adopted:
    texts = [Text("nginx", f"/etc/nginx/{name}", text, name) for name, text in files]
    return adopt.adopt(Sources(texts, {}.get), "box")


def server(*lines: str) -> str:
    return "\n".join(["server {", *lines, "}"])


def site(*lines: str, listen: str = "listen 80; listen [::]:80;") -> str:
    return server(listen, "server_name box.example.com;", ROUTE, *lines)


def left(result: Adopted) -> dict[int, str]:
    return {one.said.line: one.why for one in result.lists.left}


def different(result: Adopted) -> dict[int, str]:
    return {one.said.line: one.why for one in result.lists.different}


def test_two_files_of_one_name_are_both_read() -> None:
    other = server(
        "listen 80;",
        "server_name two.example.com;",
        "location / { proxy_pass http://127.0.0.1:8081; }",
    )
    result = adopted(("a/site.conf", site()), ("b/site.conf", other))
    routes = planner.make(result.source.inventory).hosts[0].routes
    assert sorted((route.host, route.path) for route in routes) == [
        ("", "/app/"),
        ("two.example.com", "/"),
    ]


TO_HTTPS = {
    "return 301 https://$host$request_uri;": True,
    "return 301 https://box.example.com$request_uri;": True,
    "return 302 https://$server_name$uri$is_args$args;": True,
    "location / { return 301 https://$host$request_uri; }": True,
    "if ($host = box.example.com) { return 301 https://$host$request_uri; }": True,
    "return 301 https://other.example.org$request_uri;": False,
    "location / { return 301 https://other.example.org/; }": False,
    "location /old/ { return 301 https://$host$request_uri; }": False,
    "location /old/ { return 301 https://box.example.com/; }": False,
}


@pytest.mark.parametrize("redirect", TO_HTTPS)
def test_only_what_is_sent_to_https_at_the_same_server_is_taken_over(redirect: str) -> None:
    plain = server("listen 80;", "server_name box.example.com;", redirect)
    secure = site(SSL, listen="listen 443 ssl; listen [::]:443 ssl;")
    result = adopted(("plain.conf", plain), ("secure.conf", secure))
    taken = {(one.said.file, one.said.line) for one in result.lists.taken}
    assert (("plain.conf", 4) in taken) == TO_HTTPS[redirect]
    assert (
        any(step.startswith("plain.conf: disable") for step in result.steps) == TO_HTTPS[redirect]
    )


def test_each_of_two_redirects_is_listed() -> None:
    plain = server(
        "listen 80;",
        "server_name box.example.com;",
        "if ($host = box.example.com) { return 301 https://$host$request_uri; }",
        "return 301 https://$host$request_uri;",
    )
    secure = site(SSL, listen="listen 443 ssl; listen [::]:443 ssl;")
    result = adopted(("plain.conf", plain), ("secure.conf", secure))
    taken = {one.said.line for one in result.lists.taken if one.said.file == "plain.conf"}
    assert {4, 5} <= taken


SAME = "portgen renders one with the same `server_name`"
DISABLE = f"disable the server at line 1: {SAME}"
OWN = [
    "location = /ping { return 200 pong; }",
    "location ~ \\.php$ { fastcgi_pass unix:/run/php.sock; }",
    "location /static/ { alias /srv/static/; }",
    "location /old/ { return 301 https://other.example.org/; }",
    "root /srv/www;",
    "add_header X-Team es;",
    "rewrite ^/old$ /app/ permanent;",
    "location /deep/ { proxy_pass http://127.0.0.1:8080/a/b/; }",
]


@pytest.mark.parametrize("line", OWN)
def test_the_steps_name_what_goes_with_a_server(line: str) -> None:
    """portgen's own server has its name: nothing else answers there from then on."""
    result = adopted(("site.conf", site(line)))
    head = line.partition(" {")[0].rstrip(";")
    assert result.steps[0] == f"site.conf: {DISABLE}"
    gone = "site.conf:1: that server also has, and portgen's will not"
    assert result.steps[1] == f"{gone}: {head} (line 5)"
    assert 5 in left(result)


INHERITED = [
    "add_header Strict-Transport-Security max-age=31536000;",
    "proxy_set_header X-Team es;",
    "proxy_hide_header X-Powered-By;",
    "limit_req zone=one;",
    "error_page 502 /sorry.html;",
]


@pytest.mark.parametrize("line", INHERITED)
def test_what_locations_have_from_their_server_is_not_lost_in_silence(line: str) -> None:
    assert left(adopted(("site.conf", site(line)))) == {
        5: "portgen's server does not set this: add it to `extra` of the routes"
    }
    assert left(adopted(("site.conf", site("proxy_set_header Host $host;")))) == {}


def test_another_realm_is_a_difference() -> None:
    locked = ROUTE.replace("{ ", '{ auth_basic "Staff"; auth_basic_user_file /etc/users; ')
    text = site().replace(ROUTE, locked)
    assert "the realm becomes App" in different(adopted(("site.conf", text)))[4]
    assert different(adopted(("site.conf", text.replace("Staff", "App")))) == {}


def test_a_server_of_ipv4_alone_is_a_difference() -> None:
    assert different(adopted(("site.conf", site(listen="listen 80;")))) == {
        2: "portgen's server listens by IPv6, too"
    }
    assert different(adopted(("site.conf", site()))) == {}


def test_a_proxy_that_one_server_trusts_is_not_trusted_by_all() -> None:
    trusting = site("set_real_ip_from 10.0.0.1;", "real_ip_header X-Real-IP;")
    other = server(
        "listen 80;",
        "server_name two.example.com;",
        "location / { proxy_pass http://127.0.0.1:8081; }",
        "set_real_ip_from 10.0.0.1;",
    )
    assert clients(adopted(("a.conf", trusting))) == ("10.0.0.1",)
    both = adopted(("a.conf", trusting), ("b.conf", other))
    assert clients(both) == ("10.0.0.1",)
    result = adopted(("a.conf", trusting), ("b.conf", other.replace("set_real", "#")))
    assert clients(result) == ()
    assert (
        left(result)[5]
        == "not each server with routes trusts it, and `client_ip` is for all of them"
    )


def clients(result: Adopted) -> tuple[str, ...]:
    nginx = result.source.inventory.hosts["box"].nginx
    assert nginx is not None
    return () if nginx.client_ip is None else tuple(map(single, map(str, nginx.client_ip.sources)))


def test_the_target_of_a_link_is_read_and_its_lines_count_once() -> None:
    text = site("gzip on;")
    result = in_a_folder(
        ("nginx.conf", "http { include sites-enabled/*; }"),
        ("sites-available/box", text),
        ("sites-enabled/box", text),
        ("sites-available/old", text.replace("box", "old")),
    )
    assert list(result.lists.unread) == ["/etc/nginx/sites-available/old"]
    assert result.steps == (f"/etc/nginx/sites-enabled/box: remove it from sites-enabled: {SAME}",)


def test_the_lines_of_a_snippet_count_once() -> None:
    two = server("listen 80;", "server_name two.example.com;", "include snippet.conf;", ROUTE)
    result = in_a_folder(
        ("nginx.conf", "http { include sites-enabled/*; }"),
        ("sites-enabled/a", site("include snippet.conf;")),
        ("sites-enabled/b", two),
        ("snippet.conf", "gzip on;\nadd_header X-Team es;\n"),
    )
    assert result.lists.rest["/etc/nginx/snippet.conf"] == 1
    assert [one.said.place for one in result.lists.left] == ["/etc/nginx/snippet.conf:2"]


KEPT = [
    "return 503;",
    "return 302 /app/;",
    "if ($cookie_token != x) { return 302 https://login.example.com; }",
    "if ($http_user_agent ~ bot) { rewrite ^ /app/ redirect; }",
    "auth_pam Staff;",
    "auth_digest Staff;",
    "modsecurity on;",
    "listen unix:/run/box.sock;",
    "listen web.internal:8080;",
    "listen 8081 proxy_protocol;",
]


@pytest.mark.parametrize("line", KEPT)
def test_a_server_that_does_more_than_a_route_can_say_stays_the_teams(line: str) -> None:
    result = adopted(("site.conf", site(line)))
    assert planner.make(result.source.inventory).hosts[0].routes == ()
    assert 4 in left(result)


def test_a_server_with_nothing_but_a_socket_gets_no_port() -> None:
    result = adopted(("site.conf", site(listen="listen unix:/run/box.sock;")))
    assert result.source.inventory.hosts["box"].nginx is None


FENCES = {
    "location /app/admin/ { allow 10.0.5.0/24; deny all; proxy_pass http://127.0.0.1:8080/x/; }": False,
    "location /app/admin/ { deny all; }": False,
    "location = /app/status { return 403; }": False,
    "location ~ ^/app/(a|b) { deny all; }": False,
    "location ~ ^/(app|b)/ { deny all; }": False,
    "location ~ /\\.git { deny all; }": False,
    "location /app/old/ { proxy_pass http://10.1.2.3:80; }": False,
    "location /other/ { deny all; }": True,
    "location ~ ^/other/ { deny all; }": True,
    "location ~ \\.php$ { fastcgi_pass unix:/run/php.sock; }": True,
    "location /app/static/ { alias /srv/static/; }": True,
    "location /app/gone/ { proxy_pass http://nobody:80; }": True,
}


@pytest.mark.parametrize("fence", FENCES)
def test_a_route_above_what_stays_the_teams_stays_there_too(fence: str) -> None:
    """With the route those visitors would come past the location's rules, or to another service."""
    result = adopted(("site.conf", site(fence)))
    routes = [route.path for route in planner.make(result.source.inventory).hosts[0].routes]
    assert routes == (["/app/"] if FENCES[fence] else [])
    if not FENCES[fence]:
        assert "is below it, and stays your own" in left(result)[4]


def test_a_location_that_nobody_may_come_to_is_no_route() -> None:
    text = site().replace(ROUTE, ROUTE.replace("{ ", "{ deny all; "))
    result = adopted(("site.conf", text))
    assert planner.make(result.source.inventory).hosts[0].routes == ()
    assert (
        left(result)[4]
        == "an inventory can't have it: nobody may come to it, and a route has visitors"
    )


def test_nginx_holds_the_ports_of_servers_that_stay_the_teams() -> None:
    """The firewall's rules for them are not nobody's, and no site of portgen's takes their name."""
    texts = [
        Text("nginx", "site.conf", site("location ~ /\\.git { deny all; }"), "site.conf"),
        Text("ufw", "user.rules", RULE, "user.rules"),
    ]
    result = adopt.adopt(Sources(texts, {}.get), "box")
    assert result.conflicts == ()
    assert result.source.inventory.hosts["box"].nginx is None
    own = result.source.inventory.projects["programs"].services["own-nginx"]
    assert str(own.port) == "80"
    assert not any("disable" in step for step in result.steps)


RULE = "### tuple ### allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in"
