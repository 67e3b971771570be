"""nginx's servers: what portgen's own take over, and what is listed because they don't have it."""

from __future__ import annotations

import pytest

from portgen import adopt
from portgen.adopt import Adopted, Sources, Text
from portgen.inventory.source import parse
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
    kept = result.lists.different if "302" in redirect else result.lists.taken
    taken = {(one.said.file, one.said.line) for one in kept}
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
WHOLE = "location / { proxy_pass http://127.0.0.1:8081; }"
OWN = [
    "location = /ping { return 200 pong; }",
    "location /static/ { alias /srv/static/; }",
    "location /old/ { return 301 https://other.example.org/; }",
    "root /srv/www;",
    "rewrite ^/old$ /app/ permanent;",
    "location /deep/ { proxy_pass http://127.0.0.1:8080/a/b/; }",
]


INCLUDE = "put `include snippets/portgen-locations.conf;` in place of its locations"
REST = "and keep the rest: nginx finds that file once portgen is installed"


@pytest.mark.parametrize("line", OWN)
def test_a_server_with_more_than_routes_goes_on_and_includes_them(line: str) -> None:
    """portgen's own server would have its name, and nothing else would answer there."""
    result = adopted(("site.conf", site(line)))
    assert "server_name:" not in result.source.text
    routes = planner.make(result.source.inventory).hosts[0].routes
    assert [route.path for route in routes] == ["/app/"]
    assert result.steps == (f"site.conf:1: in this server {INCLUDE} (line 4), {REST}",)
    assert "locations alone: your own server includes them" in result.source.text
    assert 5 in left(result)


def test_files_that_no_visitor_reaches_go_with_their_server() -> None:
    """The location `/` passes everything on."""
    text = site(WHOLE, "root /srv/www;", "index index.html;")
    assert "server_name: box.example.com" in adopted(("site.conf", text)).source.text


@pytest.mark.parametrize("line", [one for one in OWN if not one.startswith("root")])
def test_a_site_with_more_than_routes_stays_the_teams(line: str) -> None:
    """Of one name, portgen's server would take the place of the team's as a whole."""
    other = server("listen 80; listen [::]:80;", "server_name two.example.com;", WHOLE, line)
    result = adopted(("site.conf", site()), ("two.conf", other))
    routes = planner.make(result.source.inventory).hosts[0].routes
    assert [route.path for route in routes] == ["/app/"]
    assert [step.partition(":")[0] for step in result.steps] == ["site.conf"]
    kept = {one.said.line: one.why for one in result.lists.left if one.said.file == "two.conf"}
    assert "stays your own, and so does all of its server" in kept[4]
    assert 5 in kept


INHERITED = [
    "add_header Strict-Transport-Security max-age=31536000;",
    "proxy_set_header X-Team es;",
    "proxy_hide_header X-Powered-By;",
    "limit_req zone=one;",
    "error_page 502 /sorry.html;",
]


@pytest.mark.parametrize("line", INHERITED)
def test_what_locations_have_from_their_server_its_routes_say(line: str) -> None:
    result = adopted(("site.conf", site(line)))
    routes = planner.make(result.source.inventory).hosts[0].routes
    assert [route.extra for route in routes] == [(line,)]
    assert left(result) == {}
    own = line.replace(";", " own;")
    result = adopted(("site.conf", site(line).replace("{ proxy_pass", f"{{ {own} proxy_pass")))
    routes = planner.make(result.source.inventory).hosts[0].routes
    assert [route.extra for route in routes] == [(own,)]
    assert list(left(result)) == [5]


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
        == "not each server with routes trusts the same, and `client_ip` is for all of them"
    )


def clients(result: Adopted) -> tuple[str, ...]:
    nginx = result.source.inventory.hosts["box"].nginx
    assert nginx is not None
    return () if nginx.client_ip is None else tuple(map(single, map(str, nginx.client_ip.sources)))


def test_the_target_of_a_link_is_read_and_its_lines_count_once() -> None:
    text = site("gzip on;")
    result = in_a_folder(
        ("nginx.conf", "http { include conf.d/*; include sites-enabled/*; }"),
        ("sites-available/box", text),
        ("sites-enabled/box", text),
        ("sites-available/old", text.replace("box", "old")),
    )
    assert list(result.lists.unread) == ["/etc/nginx/sites-available/old"]
    assert result.steps == (f"/etc/nginx/sites-enabled/box: remove it from sites-enabled: {SAME}",)


def test_the_lines_of_a_snippet_count_once() -> None:
    two = server("listen 80;", "server_name two.example.com;", "include snippet.conf;", ROUTE)
    result = in_a_folder(
        ("nginx.conf", "http { include conf.d/*; include sites-enabled/*; }"),
        ("sites-enabled/a", site("include snippet.conf;")),
        ("sites-enabled/b", two),
        ("snippet.conf", "gzip on;\nadd_header X-Team es;\n"),
    )
    assert result.lists.rest["/etc/nginx/snippet.conf"] == 1
    assert result.lists.left == ()


KEPT = [
    "return 503;",
    "return 302 /app/;",
    "if ($cookie_token != x) { return 302 https://login.example.com; }",
    "if ($http_user_agent ~ bot) { rewrite ^ /app/ redirect; }",
    "if ($http_user_agent ~ bot) { return 444; }",
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


PATTERNS = {
    "location ~ ^/app/(a|b) { deny all; }": False,
    "location ~ ^/(app|b)/ { deny all; }": False,
    "location ~ /\\.git { deny all; }": False,
    "location ~* ^/APP/adm { deny all; }": False,
    "location ~ \\.php$ { fastcgi_pass unix:/run/php.sock; }": False,
    "location ~* \\.(js|css)$ { root /srv/www; }": False,
    "location ~ ^/other/ { deny all; }": True,
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_route_takes_no_visitors_from_a_regular_expression(pattern: str) -> None:
    """nginx asks it before a prefix, but not before one with `^~`, as each of portgen's is."""
    result = adopted(("site.conf", site(pattern)))
    routes = [route.path for route in planner.make(result.source.inventory).hosts[0].routes]
    assert routes == (["/app/"] if PATTERNS[pattern] else [])
    if not PATTERNS[pattern]:
        assert "if the route should come first, put `^~` before /app/" in left(result)[4]
    final = adopted(("site.conf", site(pattern).replace("location /app/", "location ^~ /app/")))
    routes = [route.path for route in planner.make(final.source.inventory).hosts[0].routes]
    assert routes == ["/app/"]


def test_a_path_without_its_last_slash_is_not_one_with_it() -> None:
    """Beside a location above it, /apix was never its own, and /api itself would be sent on."""
    api = "location /api { proxy_pass http://127.0.0.1:8082; }"
    alone = adopted(("site.conf", site().replace(ROUTE, api)))
    assert [one.path for one in planner.make(alone.source.inventory).hosts[0].routes] == ["/api/"]
    above = adopted(("site.conf", site(WHOLE).replace(ROUTE, api)))
    assert [one.path for one in planner.make(above.source.inventory).hosts[0].routes] == ["/"]
    assert left(above)[4].startswith("it also answers /api and /apix")
    assert above.steps == (f"site.conf:1: in this server {INCLUDE} (line 5), {REST}",)


OTHERWISE = {
    "another location": (
        "listen 8080;",
        "location /metrics/ { proxy_pass http://127.0.0.1:8081; }",
    ),
    "another backend": ("listen 8080;", "location /app/ { proxy_pass http://127.0.0.1:8081; }"),
    "the same port": ("listen 80; listen [::]:80;", ROUTE),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_servers_of_one_name_that_answer_otherwise_stay_the_teams(what: str) -> None:
    """portgen has one server of a name; of two at one port nginx asks the first alone."""
    listen, location = OTHERWISE[what]
    other = server(listen, "server_name box.example.com;", location)
    result = adopted(("a.conf", site()), ("b.conf", other))
    assert planner.make(result.source.inventory).hosts[0].routes == ()


def test_a_server_of_several_ports_stays_the_teams() -> None:
    result = adopted(("site.conf", site("listen 8080;")))
    assert planner.make(result.source.inventory).hosts[0].routes == ()


def test_a_site_with_a_name_that_an_inventory_can_not_have_stays_the_teams() -> None:
    for name in ("*.example.com", "~^blog-(..)$"):
        other = server("listen 80; listen [::]:80;", f"server_name two.example.com {name};", WHOLE)
        result = adopted(("site.conf", site()), ("two.conf", other))
        routes = planner.make(result.source.inventory).hosts[0].routes
        assert [route.path for route in routes] == ["/app/"]


def test_a_file_with_more_than_servers_stays_enabled() -> None:
    """Its zone of a limit may be needed by a route."""
    result = in_a_folder(
        ("nginx.conf", "http { include conf.d/*; include sites-enabled/*; }"),
        ("sites-enabled/box", f"limit_req_zone $binary_remote_addr zone=z:1m rate=1r/s;\n{site()}"),
    )
    assert result.steps == (f"/etc/nginx/sites-enabled/box: {DISABLE.replace('line 1', 'line 2')}",)


def test_a_shared_include_makes_no_site_of_portgens() -> None:
    """Site a stays the team's, and has a line in common with site b."""
    shared = "location / { include snippet.conf; proxy_pass http://127.0.0.1:808%s; }"
    both = "listen 80; listen [::]:80;"
    secret = "location ~ /secret { deny all; }"
    result = in_a_folder(
        ("nginx.conf", "http { include conf.d/*; include sites-enabled/*; }"),
        ("sites-enabled/a", server(both, "server_name a.example.com;", shared % 1, secret)),
        ("sites-enabled/b", server(both, "server_name b.example.com;", shared % 2)),
        ("snippet.conf", "proxy_set_header Host $host;\n"),
    )
    removed = [step for step in result.steps if "remove it from" in step]
    assert [step.partition(":")[0] for step in removed] == ["/etc/nginx/sites-enabled/b"]


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
        Text("nginx", "site.conf", site("return 302 /app/;"), "site.conf"),
        Text("ufw", "user.rules", RULE, "user.rules"),
    ]
    result = adopt.adopt(Sources(texts, {}.get), "box")
    assert result.conflicts == ()
    assert result.source.inventory.hosts["box"].nginx is None
    own = result.source.inventory.projects["programs"].services["own-nginx"]
    assert str(own.port) == "80"
    assert not any("disable" in step for step in result.steps)


RULE = "### tuple ### allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in"


def test_routes_of_another_name_are_not_those_of_the_existing_default_site() -> None:
    base = """\
version: 1
hosts: {box: {nginx: {server_name: first.example.com}}}
projects: {}
"""
    source = parse(base.encode(), "inventory.yaml")
    onto = adopt.onto(source, planner.make(source.inventory), None)
    text = server("listen 80; listen [::]:80;", "server_name two.example.com;", ROUTE)
    texts = [Text("nginx", "site.conf", text, "site.conf")]
    _, edited = adopt.adopt_into(Sources(texts, {}.get), onto)
    assert "host: two.example.com, path: " in edited.text


DOCKER = """\
services:
  web: {networks: {front: {ipv4_address: 172.25.0.20}}}
networks:
  front: {name: front, ipam: {config: [{subnet: 172.25.0.0/24}]}}
"""


def test_a_location_to_an_address_that_no_container_has_is_reported() -> None:
    lost = ROUTE.replace("127.0.0.1:8080", "172.25.0.9:3000")
    known = lost.replace("/app/", "/web/").replace("172.25.0.9", "172.25.0.20")
    texts = [
        Text("nginx", "site.conf", site().replace(ROUTE, f"{lost}\n{known}"), "site.conf"),
        Text("compose", "docker-compose.yml", DOCKER, "docker-compose.yml", "web"),
    ]
    by_name = {one.name: one.text for one in texts}
    result = adopt.adopt(Sources(texts, by_name.get), "box")
    assert [(one.kind, one.at[0].line) for one in result.conflicts] == [("route-to-nobody", 4)]
    assert left(result)[5].startswith("leads to the address of web")


def test_what_a_server_that_stays_says_is_not_taken_over() -> None:
    """Not even what portgen's own would do as well."""
    text = server(
        "listen 80 default_server;",
        "if ($host = box.example.com) { return 301 https://$host$request_uri; }",
        "return 444;",
    )
    taken = [one.said.text for one in adopted(("site.conf", text)).lists.taken]
    assert taken == ["listen 80 default_server"]  # the port is nginx's, of a server of the team's


def test_a_location_that_servers_with_other_visitors_include_is_no_route() -> None:
    """One asks for a password, the other does not: the place in the file is the same."""
    both = "listen 80; listen [::]:80;"
    locked = "auth_basic x; auth_basic_user_file /etc/users; include app.conf;"
    result = in_a_folder(
        ("nginx.conf", "http { include conf.d/*; include sites-enabled/*; }"),
        ("sites-enabled/a", server(both, "server_name a.example.com;", locked)),
        ("sites-enabled/b", server(both, "server_name b.example.com;", "include app.conf;")),
        ("app.conf", ROUTE),
    )
    assert planner.make(result.source.inventory).hosts[0].routes == ()


def test_without_a_header_nginx_takes_its_own_for_the_visitors_address() -> None:
    result = adopted(("site.conf", site("set_real_ip_from 10.0.0.1;")))
    nginx = result.source.inventory.hosts["box"].nginx
    assert nginx is not None
    assert nginx.client_ip is not None
    assert nginx.client_ip.header == "X-Real-IP"


def test_a_value_for_all_servers_is_one_of_its_routes() -> None:
    """Of one whose routes stay as well as of one that is taken over."""
    kept = server("listen 10.0.0.1:80;", "server_name kept.example.com;", ROUTE)
    files = (
        ("nginx.conf", "http {\nproxy_read_timeout 3600;\ninclude sites-enabled/*; }"),
        ("sites-enabled/a", kept),
        ("sites-enabled/b", site()),
    )
    result = in_a_folder(*files)
    assert [one.timeout for one in planner.make(result.source.inventory).hosts[0].routes] == [3600]
    assert "/etc/nginx/nginx.conf:2" in [one.said.place for one in result.lists.taken]
    alone = in_a_folder(*files[:2])
    assert "/etc/nginx/nginx.conf:2" in [one.said.place for one in alone.lists.left]


@pytest.mark.parametrize("target", ["/", "/metrics", "/other/"])
def test_a_path_without_its_last_slash_has_no_other_one_inside_the_service(target: str) -> None:
    """With the slash the service would be asked for another path: /metrics/."""
    metrics = f"location /metrics {{ proxy_pass http://127.0.0.1:8081{target}; }}"
    result = adopted(("site.conf", site(metrics)))
    assert [one.path for one in planner.make(result.source.inventory).hosts[0].routes] == ["/app/"]
    assert left(result)[5].startswith(f"leads to {target} inside the service")
