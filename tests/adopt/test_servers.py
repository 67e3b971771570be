"""What becomes of a server of nginx's as a whole: what it says itself, what stands around it, and the servers
beside it."""

from __future__ import annotations

import pytest

from portgen import adopt
from portgen.adopt import Adopted, Sources, Text
from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.plan.routes import Route

BOTH = "listen 80;\nlisten [::]:80;"
TLS = "ssl_certificate /etc/a.crt;\nssl_certificate_key /etc/a.key;"
SECURE = f"listen 443 ssl;\nlisten [::]:443 ssl;\n{TLS}"
APP = "location /app/ { proxy_pass http://127.0.0.1:8080; }"
API = "location /api/ { proxy_pass http://127.0.0.1:8081; }"
TO_HTTPS = "return 301 https://$host$request_uri;"


def server(name: str, *lines: str, listen: str = BOTH) -> str:
    names = [f"server_name {name};"] if name else []
    return "\n".join(["server {", listen, *names, *lines, "}", ""])


def of(*files: str | tuple[str, str], http: str = "") -> Adopted:
    """An import of files in conf.d, by their order, or by their names."""
    named = [one if isinstance(one, tuple) else (f"{at}.conf", one) for at, one in enumerate(files)]
    main = f"http {{\n{http}\ninclude conf.d/*;\n}}\n"
    texts = [Text("nginx", "nginx.conf", main, "nginx.conf")]
    texts += [Text("nginx", f"conf.d/{name}", text, f"conf.d/{name}") for name, text in named]
    return adopt.adopt(Sources(texts, {}.get), "box")


def routes(result: Adopted) -> dict[str, Route]:
    return {one.name: one for one in planner.make(result.source.inventory).hosts[0].routes}


def left(result: Adopted) -> dict[str, str]:
    return {one.said.text: one.why for one in result.lists.left}


def different(result: Adopted) -> dict[str, str]:
    return {one.said.text: one.why for one in result.lists.different}


UNKNOWN = [
    "merge_slashes off;",
    "underscores_in_headers on;",
    "proxy_cache zone;",
    "ssl_reject_handshake on;",
    "large_client_header_buffers 8 32k;",
    "more_set_headers X;",
]
KNOWN = ["access_log off;", "ssl_protocols TLSv1.3;", "gzip on;", "keepalive_timeout 70s;"]


@pytest.mark.parametrize("line", UNKNOWN)
def test_a_directive_that_is_not_known_keeps_its_server(line: str) -> None:
    assert sorted(routes(of(server("a.org", APP, API, line)))) == ["/api/", "/app/"]
    result = of(server("a.org", APP, API), server("b.org", APP, line))
    assert "b.org/app/" not in routes(result)
    assert left(result)[line.rstrip(";")] == "an inventory has no word for it"


@pytest.mark.parametrize("line", KNOWN)
def test_one_that_changes_nothing_for_visitors_goes_with_it(line: str) -> None:
    result = of(server("a.org", APP, API, line))
    assert "server_name: a.org" in result.source.text
    assert left(result) == {}


def test_what_is_said_for_all_servers_counts_wherever_it_stands() -> None:
    lines = 'proxy_set_header X-Key k;\nallow 10.0.0.0/8;\ndeny all;\nauth_basic "x";'
    for text in (
        f"http {{\n{lines}\n{server('a.org', APP, API)}}}",
        f"http {{\n{server('a.org', APP, API)}{lines}\n}}",
    ):
        result = adopt.adopt(Sources([Text("nginx", "n", text, "nginx.conf")], {}.get), "box")
        app = routes(result)["/app/"]
        assert (app.extra, app.clients) == (("proxy_set_header X-Key k;",), ("10.0.0.0/8",))


def test_the_settings_of_a_stream_are_not_those_of_http() -> None:
    stream = f"stream {{\n{TLS}\ndeny 10.0.0.1;\nserver {{ listen 5000; proxy_pass a:1; }}\n}}"
    text = f"{stream}\nhttp {{\n{server('a.org', APP, API)}}}"
    result = adopt.adopt(Sources([Text("nginx", "n", text, "nginx.conf")], {}.get), "box")
    assert "tls" not in result.source.text
    assert "extra" not in result.source.text
    assert left(result)["deny 10.0.0.1"] == "nginx's streams stay as they are"


def test_a_location_in_a_file_by_itself_is_not_in_the_server_before_it() -> None:
    texts = [
        Text("nginx", "site", server("a.org", "auth_request /a;", "return 410;"), "site"),
        Text("nginx", "snippet", APP, "snippet"),
    ]
    for given in (texts, texts[::-1]):
        assert list(routes(adopt.adopt(Sources(given, {}.get), "box"))) == ["/app/"]


RETURNS = {
    f"return 404;\nif ($host = a.org) {{ {TO_HTTPS} }}": False,
    f"if ($host = a.org) {{ {TO_HTTPS} }}\nreturn 404;": True,
    f"if ($scheme = http) {{ {TO_HTTPS} }}": True,
    f"if ($host != a.org) {{ {TO_HTTPS} }}": False,
    f"if ($http_x = y) {{ {TO_HTTPS} }}": False,
    "return 301 https://b.org$request_uri;": False,
    "return 303 https://$server_name$request_uri;": True,
}


@pytest.mark.parametrize("lines", RETURNS)
def test_nginx_asks_the_first_return_and_its_condition(lines: str) -> None:
    result = of(server("a.org", lines), server("a.org", APP, API, listen=SECURE))
    assert ("server_name: a.org" in result.source.text) == RETURNS[lines]


HEADERS = {
    "proxy_set_header Host $http_host;": "",
    'proxy_set_header X-Remote-User "";': "",
    "proxy_set_header X-Real-IP $http_x;": "portgen sets a different X-Real-IP",
    'proxy_set_header X-Forwarded-For "";': "portgen sets a different X-Forwarded-For",
    "proxy_set_header X-Forwarded-Proto https;": "portgen sets a different X-Forwarded-Proto",
    "proxy_set_header X-Forwarded-Prefix /other;": "portgen sets a different X-Forwarded-Prefix",
    "proxy_set_header x-remote-user $remote_user;": "portgen sets a different X-Remote-User",
}


@pytest.mark.parametrize("line", HEADERS)
def test_a_header_with_another_value_is_a_difference_wherever_it_stands(line: str) -> None:
    wanted = {line.rstrip(";"): HEADERS[line]} if HEADERS[line] else {}
    inside = APP.replace("{ ", f"{{ {line} ")
    assert different(of(server("a.org", inside, API))) == wanted
    assert different(of(server("a.org", line, APP, API))) == wanted
    assert different(of(server("a.org", APP, API), http=line)) == wanted


def test_a_server_for_https_says_so_to_its_services() -> None:
    line = "proxy_set_header X-Forwarded-Proto https;"
    result = of(server("a.org", TO_HTTPS), server("a.org", line, APP, API, listen=SECURE))
    assert different(result) == {}


def test_a_service_that_is_asked_for_another_host_stays() -> None:
    """Behind one port there may be several services, by their names."""
    line = "proxy_set_header Host other.org;"
    own = API.replace("{ ", "{ proxy_set_header X-Key k; ")
    for result in (of(server("a.org", line, APP, own)), of(server("a.org", APP, own), http=line)):
        assert list(routes(result)) == ["/api/"]
        assert left(result)["location /app/"].startswith(f"`{line}` asks the service")
    inside = of(server("a.org", APP.replace("{ ", f"{{ {line} "), own))
    assert list(routes(inside)) == ["/api/"]


def test_a_cache_keeps_what_goes_past_it() -> None:
    usual = APP.replace("{ ", "{ proxy_cache_bypass $http_upgrade; ")
    assert routes(of(server("a.org", usual, API)))["/app/"].extra == ()
    cached = APP.replace("{ ", "{ proxy_cache z; proxy_cache_bypass $cookie_session; ")
    extra = routes(of(server("a.org", cached, API)))["/app/"].extra
    assert extra == ("proxy_cache z;", "proxy_cache_bypass $cookie_session;")


def test_a_location_lets_in_whom_the_blocks_around_it_keep_out() -> None:
    free = APP.replace("{ ", "{ allow all; auth_basic off; ")
    lines = ("deny all;", "auth_basic x;", "auth_basic_user_file f;", "return 410;")
    result = of(server("a.org", *lines[:3], free, API, "location = /x { return 410; }"))
    assert routes(result)["/app/"].extra == ("allow all;", "auth_basic off;")
    inside = of(server("a.org", free, API), http="\n".join(lines[:3]))
    assert routes(inside)["/app/"].extra == ("allow all;", "auth_basic off;")


# --- beside other servers -------------------------------------------------------------------------


def test_a_wildcard_does_not_answer_for_the_name_of_a_server_that_stays() -> None:
    wild = server("*.org", APP, API, listen="listen 80;")
    stays = server("x.org", "return 410;", listen="listen 80;")
    result = of(("a.conf", wild), ("z.conf", stays))
    assert routes(result) == {}
    assert "would answer for x.org, too" in left(result)["server_name *.org"]
    wild, stays = (one.replace("listen 80;", BOTH) for one in (wild, stays))
    assert "/app/" in routes(of(("a.conf", wild), ("z.conf", stays)))


def test_a_name_that_a_wildcard_answers_for_elsewhere_stays() -> None:
    wild = server("*.org", "return 410;")
    result = of(server("x.org", APP, API, listen="listen 80;"), wild)
    assert "the server of *.org answers for it now" in left(result)["server_name x.org"]


def test_a_name_that_a_wildcard_answers_for_at_another_port_stays() -> None:
    """portgen's wildcard would refuse it there."""
    wild = server("*.a.org", APP, API, listen=SECURE)
    result = of(wild + server("x.a.org", "location / { proxy_pass http://127.0.0.1:8083; }"))
    assert sorted(routes(result)) == ["/api/", "/app/"]
    assert "portgen's would not" in left(result)["server_name x.a.org"]
    both = server("x.a.org", TO_HTTPS) + server(
        "x.a.org", "location / { proxy_pass http://127.0.0.1:8083; }", listen=SECURE
    )
    assert "x.a.org/" in routes(of(wild + both))


def test_one_socket_for_both_families_leaves_no_port_to_portgen() -> None:
    other = server("b.org", "return 410;", listen="listen [::]:80 ipv6only=off;")
    result = of(server("a.org", APP, API, listen="listen [::]:80;"), other)
    assert "ipv6only=off" in left(result)["server_name a.org"]


def test_the_default_server_stays_where_another_one_would_take_its_place() -> None:
    """nginx reads conf.d/portgen.conf after a file whose name comes before it."""
    heir = server("b.org", "return 410;")
    result = of(("a.conf", server("a.org", APP, API)), ("b.conf", heir))
    assert (
        "nginx's default server at port 80, and conf.d/b.conf:1 would be"
        in (left(result)["server_name a.org"])
    )
    for files in (
        (("a.conf", server("a.org", APP, API)), ("z.conf", heir)),
        (("b.conf", server("a.org", APP, API)), ("a.conf", heir)),
    ):
        assert "/app/" in routes(of(*files))


def test_what_stays_makes_others_stay_until_no_more_do() -> None:
    """c stays, so b at 443; then a at 80, of which b would be the default server."""
    a = server("a.org", APP, API, listen="listen 80;")
    b = server("b.org", APP, listen=f"listen 80;\nlisten 443 ssl;\n{TLS}")
    c = server("c.org", "return 410;", listen=f"listen 443 ssl;\n{TLS}")
    result = of(("a.conf", a), ("b.conf", b), ("c.conf", c))
    assert routes(result) == {}


def test_redirects_do_not_keep_one_another() -> None:
    names = ("a.org", "b.org")
    plain = [server(name, TO_HTTPS) for name in names]
    secure = [server(name, APP, API, listen=SECURE) for name in names]
    steps = of(*plain, *secure).steps
    assert len(steps) == 4
    assert all("remove it from conf.d" in step for step in steps)


def test_a_redirect_for_every_name_stays() -> None:
    every = server("", TO_HTTPS, listen="listen 80 default_server;")
    result = of(("z.conf", every), ("a.conf", server("a.org", APP, API, listen=SECURE)))
    assert [step.partition(":")[0] for step in result.steps] == ["conf.d/a.conf"]


CHALLENGES = "location /.well-known/acme-challenge/ {{ {} }}"
UNKNOWN_FOLDERS = ["root $webroot;", "root acme;", "proxy_pass http://127.0.0.1:8888;"]


def with_http(challenges: str, *, beside: bool) -> Adopted:
    """A server for https, and one that sends there: the challenges are in this one, or in that."""
    ends = f"location / {{ {TO_HTTPS} }}" if beside else TO_HTTPS
    sends = server("a.org", *([challenges] if beside else []), ends)
    own = () if beside else (challenges,)
    return of(sends, server("a.org", *own, APP, API, listen=SECURE))


@pytest.mark.parametrize("beside", [True, False])
def test_the_folder_of_challenges_is_a_sites(*, beside: bool) -> None:
    result = with_http(CHALLENGES.format("root /srv/acme;"), beside=beside)
    nginx = result.source.inventory.hosts["box"].nginx
    assert nginx is not None
    assert nginx.acme == "/srv/acme"


@pytest.mark.parametrize("folder", UNKNOWN_FOLDERS)
def test_challenges_whose_folder_nobody_knows_stay_with_their_server(folder: str) -> None:
    result = with_http(CHALLENGES.format(folder), beside=True)
    assert result.source.inventory.hosts["box"].nginx is None
    assert not any("disable" in step or "remove" in step for step in result.steps)


OTHERS = {
    "the default server": ("listen 80 default_server;", ""),
    "a wildcard": ("listen 80;", "server_name *.org;"),
    "more names": ("listen 80;", "server_name a.org b.org;"),
}


@pytest.mark.parametrize("who", OTHERS)
def test_challenges_that_another_server_answers_are_a_sites_too(who: str) -> None:
    """portgen's server for the name at port 80 takes the place of that one."""
    listen, name = OTHERS[who]
    challenges = CHALLENGES.format("root /srv/acme;")
    sends = server("", name, challenges, f"location / {{ {TO_HTTPS} }}", listen=listen)
    secure = server("a.org", APP, API, listen=SECURE)
    result = of(sends + secure)
    assert "acme: /srv/acme" in result.source.text
    two = server("b.org", "root /srv;", listen=SECURE)
    assert "acme: /srv/acme" in of(sends + two + secure).source.text


NO_FOLDERS = [
    "location ^~ /.well-known/ { root /srv/www; }",
    "location /.well-known/acme-challenge/ { proxy_pass http://127.0.0.1:8888; }",
    "location ~ /\\.well-known { root /srv/www; }",
    "allow 10.0.0.0/8;\ndeny all;\n" + CHALLENGES.format("root /srv/acme;"),
]


@pytest.mark.parametrize("lines", NO_FOLDERS)
def test_challenges_that_another_server_answers_otherwise_keep_the_server(lines: str) -> None:
    sends = server("", lines, f"location / {{ {TO_HTTPS} }}", listen="listen 80 default_server;")
    result = of(sends + server("a.org", APP, API, listen=SECURE))
    assert "server_name" not in result.source.text
    assert "answers a certificate authority for a.org" in left(result)["server_name a.org"]


def test_the_files_of_a_default_server_are_those_of_challenges_too() -> None:
    """As certbot uses the folder of the distribution's own site."""
    files = server("_", "root /srv/www;", "location / { try_files $uri $uri/ =404; }")
    result = of(files + server("a.org", APP, API, listen=SECURE))
    assert "acme: /srv/www" in result.source.text


def test_of_two_folders_at_one_name_the_one_by_http_counts() -> None:
    secure = server("a.org", CHALLENGES.format("root /srv/other;"), APP, API, listen=SECURE)
    plain = server("a.org", CHALLENGES.format("root /srv/acme;"), f"location / {{ {TO_HTTPS} }}")
    assert "acme: /srv/acme" in of(secure + plain).source.text


def test_two_folders_of_challenges_are_of_two_sites() -> None:
    sends = [
        server(name, CHALLENGES.format(f"root /srv/{name};"), f"location / {{ {TO_HTTPS} }}")
        for name in ("a.org", "b.org")
    ]
    result = of(*sends, server("a.org b.org", APP, API, listen=SECURE))
    assert result.source.inventory.hosts["box"].nginx is None


# --- the ports beside -------------------------------------------------------------------------------


def test_portgens_server_takes_no_port_from_anybody() -> None:
    """It listens for http as well, and sends visitors from there."""
    secure = server("a.org", APP, API, listen=SECURE)
    at_80 = server("a.org", APP.replace("8080", "80"), API, listen=SECURE)
    stream = "stream { server { listen 80; proxy_pass 127.0.0.1:9; } }\n"
    result = of(at_80)
    assert routes(result) == {}
    assert "portgen's server would listen at 80, too" in left(result)["server_name a.org"]
    texts = [Text("nginx", "nginx.conf", f"{stream}http {{ {secure} }}", "nginx.conf")]
    assert routes(adopt.adopt(Sources(texts, {}.get), "box")) == {}
    apache = 'tcp LISTEN 0 9 *:80 *:* users:(("apache2",pid=1,fd=3))\n'
    node = 'tcp LISTEN 0 9 *:443 *:* users:(("nginx",pid=2,fd=3))\n'
    texts = [Text("nginx", "a.conf", secure, "a.conf"), Text("ss", "ss.txt", apache + node)]
    result = adopt.adopt(Sources(texts, {}.get), "box")
    assert "port: 80" in result.source.text
    assert result.steps == ()
    assert sorted(routes(of(secure))) == ["/api/", "/app/"]


def test_a_redirect_that_portgens_server_would_not_send_stays() -> None:
    alone = server("a.org b.org", f"if ($host = a.org) {{ {TO_HTTPS} }}", APP, API)
    result = of(alone)
    assert "server_name" not in result.source.text
    to_one = server("a.org b.org", "return 301 https://a.org$request_uri;")
    result = of(to_one, server("a.org b.org", APP, API, listen=SECURE))
    assert "server_name" not in result.source.text


def test_a_redirect_to_the_usual_port_stays_where_https_is_at_another() -> None:
    at_8443 = SECURE.replace("443", "8443")
    result = of(server("a.org", TO_HTTPS), server("a.org", APP, API, listen=at_8443))
    assert not any("0.conf" in step for step in result.steps)
    for beside in (server("a.org b.org", TO_HTTPS), server("", TO_HTTPS)):
        result = of(beside, server("a.org", APP, API, listen=at_8443))
        assert (
            "sends visitors of a.org to 443, where it does not listen"
            in left(result)["server_name a.org"]
        )


def test_another_code_of_a_redirect_is_a_difference() -> None:
    result = of(
        server("a.org", TO_HTTPS.replace("301", "308")), server("a.org", APP, API, listen=SECURE)
    )
    assert different(result)["return 308 https://$host$request_uri"] == "portgen's server sends 301"


def test_a_return_answers_before_any_location() -> None:
    closed = server("a.org", "return 444;", f"location / {{ {TO_HTTPS} }}")
    result = of(closed, server("a.org", APP, API, listen=SECURE))
    assert not any("0.conf" in step and "portgen renders one" in step for step in result.steps)


def test_nginx_has_a_port_only_where_it_listens_at_each_address() -> None:
    own = server("localhost", "return 410;", listen="listen 127.0.0.1:80;")
    secure = server("a.org", APP, API, listen=SECURE)
    ss = 'tcp LISTEN 0 9 192.0.2.1:80 *:* users:(("haproxy",pid=1,fd=3))\n'
    ss += 'tcp LISTEN 0 9 *:443 *:* users:(("nginx",pid=2,fd=3))\n'
    texts = [Text("nginx", "a.conf", own + secure, "a.conf"), Text("ss", "ss.txt", ss)]
    result = adopt.adopt(Sources(texts, {}.get), "box")
    assert "would listen at 80, too" in left(result)["server_name a.org"]


def test_a_name_is_taken_out_only_at_a_port_of_portgens() -> None:
    sends = server("a.org b.org", TO_HTTPS)
    at_9000 = server("a.org", APP, API, listen="listen 9000;\nlisten [::]:9000;")
    assert not any("out of its `server_name`" in step for step in of(sends, at_9000).steps)
    both = server("a.org b.org", TO_HTTPS, listen=f"{BOTH}\nlisten 9000;\nlisten [::]:9000;")
    result = of(both, server("a.org", APP, API, listen=SECURE))
    assert "a.org has a server at 9000, too" in left(result)["server_name a.org"]


def test_redirects_at_two_ports_are_not_one() -> None:
    at_9000 = server("b.org", TO_HTTPS, listen="listen 9000;\nlisten [::]:9000;")
    secure = server("a.org b.org", APP, API, listen=SECURE)
    result = of(at_9000, server("a.org", TO_HTTPS), secure)
    gone = [step.partition(": ")[0] for step in result.steps if "portgen renders one" in step]
    assert gone == ["conf.d/1.conf", "conf.d/2.conf"]
    assert "listen:" not in result.source.text


def test_a_long_name_stays_where_a_wildcard_would_be_asked_first() -> None:
    long = f"{'a' * 47}.org"
    root = "location / { proxy_pass http://127.0.0.1:8083; }"
    result = of(server(long, root), server("*.org", "return 410;"))
    assert routes(result) == {}
    assert "would be asked first" in left(result)[f"server_name {long}"]
    assert list(routes(of(server(long, root)))) == [f"{long}/"]


def test_trust_that_all_share_is_one_and_any_other_stays() -> None:
    wide = "set_real_ip_from 10.0.0.0/8;\nreal_ip_header X-Forwarded-For;"
    result = of(server("a.org", APP, API), http=f"{wide}\nreal_ip_recursive on;")
    assert "client_ip: {from: [10.0.0.0/8], header: X-Forwarded-For}" in result.source.text
    alone = of(server("a.org", APP, API), http=wide)  # it does not go back over trusted addresses
    assert "client_ip" not in alone.source.text
    assert left(alone)["set_real_ip_from 10.0.0.0/8"].startswith("it stays in nginx's own file")
    everybody = of(server("a.org", APP, API), http="set_real_ip_from 0.0.0.0/0;")
    assert "client_ip" not in everybody.source.text


# --- an inventory that has nginx already ----------------------------------------------------------

INVENTORY = """\
version: 1
hosts: {box: {nginx: %s}}
projects:
  web:
    title: Web
    ports: 8080-8089
    services:
      app: {title: App, port: 8080, via: process, allow: [any], route: {path: /app/, strip: false%s}}
"""


def into(nginx: str, *files: str, more: str = "") -> tuple[Adopted, str]:
    return into_text(INVENTORY % (nginx, more), *files)


def into_text(inventory: str, *files: str) -> tuple[Adopted, str]:
    source = parse(inventory.encode(), "inventory.yaml")
    onto = adopt.onto(source, planner.make(source.inventory), None)
    texts = [Text("nginx", f"{at}.conf", text, f"{at}.conf") for at, text in enumerate(files)]
    result, edited = adopt.adopt_into(Sources(texts, {}.get), onto)
    return result, edited.text


OTHERWISE = {
    "other visitors": (
        APP.replace("{ ", "{ allow 10.0.0.0/8; deny all; "),
        "lets other visitors in",
    ),
    "a password": (
        APP.replace("{ ", "{ auth_basic x; auth_basic_user_file f; "),
        "has other passwords for /app/",
    ),
    "another service": (APP.replace("8080", "8081"), "the inventory has /app/ for app"),
    "another path": (APP.replace("8080", "8080/"), "has another path inside the service"),
    "a route more": (f"{APP}\n" + API.replace("8081", "8080"), "write `route: /api/` there"),
    "something else": (APP + "\nlocation = /x { return 410; }", "stays your own"),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_a_server_that_says_otherwise_than_the_inventory_stays(what: str) -> None:
    location, why = OTHERWISE[what]
    result, text = into("{server_name: a.org}", server("a.org", location))
    assert text.count("route:") == 1
    assert result.steps == ()
    assert why in left(result)["server_name a.org"]
    assert [one.kind for one in result.conflicts] == ["two-servers"]


def test_a_server_that_says_the_same_gives_way() -> None:
    result, text = into("{server_name: a.org}", server("a.org", APP, API))
    assert '        route: {path: "/{name}/", strip: false}\n' in text
    assert [step for step in result.steps if "disable" in step] == [
        "0.conf: disable the server at line 1: portgen renders one with the same `server_name`"
    ]
    assert result.conflicts == ()


def test_a_name_that_the_inventory_has_no_site_for_becomes_one() -> None:
    """Portgen's server would have the certificate of another one, or none."""
    secure = server("b.org", API, listen=SECURE)
    tls = "tls: {certificate: /etc/a.crt, key: /etc/a.key}"
    _, text = into(f"{{server_name: a.org, sites: {{b.org: {{{tls}}}}}}}", secure)
    assert "host: b.org, path: " in text
    for known in ("", ", sites: {c.org: {tls: null}}"):
        nginx = f"{{server_name: a.org, tls: {{certificate: /etc/c.crt, key: /etc/c.key}}{known}}}"
        _, text = into(nginx, secure)
        assert "host: b.org, path: " in text
        site = parse(text.encode(), "inventory.yaml").inventory.hosts["box"].nginx.sites["b.org"]
        assert (site.tls.certificate, site.tls.key) == ("/etc/a.crt", "/etc/a.key")
        again, twice = into_text(text, secure)
        assert twice == text
        assert again.conflicts == ()


def test_a_site_at_a_port_that_the_inventorys_nginx_does_not_have_stays() -> None:
    """Its visitors would be those who may come to nginx."""
    result, text = into("{server_name: a.org}", server("b.org", API, listen=SECURE))
    assert "b.org" not in text
    assert "nginx does not listen at 443" in left(result)["server_name b.org"]


@pytest.mark.parametrize("more", ["", "set_real_ip_from 10.0.0.2;\nreal_ip_header X-Client;"])
def test_a_server_that_believes_other_proxies_stays(more: str) -> None:
    nginx = "{server_name: a.org, client_ip: {from: [10.0.0.1], header: X-Client}}"
    result, _ = into(nginx, server("a.org", more, APP, API))
    assert "believes other proxies" in left(result)["server_name a.org"]
    same = "set_real_ip_from 10.0.0.1;\nreal_ip_header X-Client;"
    result, _ = into(nginx, server("a.org", same, APP, API))
    assert [step for step in result.steps if "disable" in step]


def test_without_a_name_the_server_that_includes_portgens_locations_is_known() -> None:
    goes_on = server("a.org", APP, API, "location = /x { return 410; }")
    result, text = into(
        "{}", goes_on.replace(API, API + "\ninclude snippets/portgen-locations.conf;")
    )
    assert "host:" not in text
    assert "take out its own locations (lines 5, 6)" in "".join(result.steps)
    _, text = into("{}", server("b.org", API, API.replace("/api/", "/x/")))
    assert "host: b.org, path: " in text


# --- portgen's own files, and what comes with them -------------------------------------------------

RENDERED = (
    "# Rendered by portgen from the inventory of box: change it there, edits here are lost.\n"
)


def test_portgens_own_files_are_not_the_teams() -> None:
    """A second import, on the host where the first one was installed."""
    goes_on = server(
        "a.org", API, "include snippets/portgen-locations.conf;", "return 410;", listen=BOTH
    )
    texts = [
        Text("nginx", "nginx.conf", "http { include conf.d/*; }", "nginx.conf"),
        Text(
            "nginx", "conf.d/portgen.conf", RENDERED + server("b.org", APP), "conf.d/portgen.conf"
        ),
        Text("nginx", "conf.d/site.conf", goes_on.replace("return 410;", ""), "conf.d/site.conf"),
        Text("nginx", "s", RENDERED + APP, "snippets/portgen-locations.conf"),
    ]
    result = adopt.adopt(Sources(texts, {}.get), "box")
    assert [step for step in result.steps if "portgen.conf" in step.partition(":")[0]] == []
    assert [step for step in result.steps if "s: line" in step] == []


NOT_GIVEN = [
    "/etc/letsencrypt/office.conf",
    "/usr/share/authelia/auth.conf",
    "/srv/acl.conf",
    "snippets/acl.conf",
]


@pytest.mark.parametrize("path", NOT_GIVEN)
def test_a_file_that_was_not_given_may_keep_visitors_out(path: str) -> None:
    for lines in ((f"include {path};", APP), (APP.replace("{ ", f"{{ include {path}; "),)):
        result = of(server("a.org", *lines), server("b.org", API))
        assert "a.org" not in result.source.text.replace("# ", "")
        assert not any(step.startswith("conf.d/0.conf: ") for step in result.steps)


def test_a_pattern_for_files_that_names_none_says_nothing() -> None:
    result = of(server("a.org", "include default.d/*.conf;", APP, API))
    assert left(result) == {}


def test_a_value_that_portgens_location_says_otherwise_is_a_difference() -> None:
    slow = APP.replace("{ ", "{ proxy_connect_timeout 90s; proxy_http_version 1.1; ")
    assert different(of(server("a.org", slow, API))) == {
        "proxy_connect_timeout 90s": "portgen's location says `proxy_connect_timeout 2s`"
    }


def test_a_setting_for_all_servers_is_taken_over_once() -> None:
    stays = server("b.org", "return 410;", listen="listen 443 ssl;")
    secure = server("a.org", APP, API, listen="listen 443 ssl;")
    result = of(("a.conf", secure), ("z.conf", stays), http=TLS)
    assert "certificate: /etc/a.crt" in result.source.text
    assert not [
        one for one in (*result.lists.left, *result.lists.different) if "ssl_c" in one.said.text
    ]


def test_a_line_of_a_shared_file_is_taken_over_where_its_locations_are() -> None:
    shared = [
        Text("nginx", "nginx.conf", "http { include conf.d/*; }", "nginx.conf"),
        Text("nginx", "common", "proxy_hide_header X;\n", "common"),
        Text(
            "nginx",
            "conf.d/a.conf",
            server(
                "a.org",
                APP.replace("{ ", "{ include common; "),
                API.replace("{ ", "{ include common; ").replace("/api/", "= /api"),
                "location /x/ { proxy_pass http://127.0.0.1:8082/y/; include common; }",
            ),
            "conf.d/a.conf",
        ),
    ]
    result = adopt.adopt(Sources(shared, {}.get), "box")
    assert different(result)["proxy_hide_header X"].startswith("not everywhere: leads to /y/")


def test_the_server_for_unknown_names_says_so_where_portgens_come_before_it() -> None:
    texts = [
        Text(
            "nginx",
            "nginx.conf",
            "http { include conf.d/*; include sites-enabled/*; }",
            "nginx.conf",
        ),
        Text("nginx", "sites-enabled/a", server("", "return 410;"), "sites-enabled/a"),
        Text("nginx", "sites-enabled/b", server("b.org", APP, API), "sites-enabled/b"),
    ]
    result = adopt.adopt(Sources(texts, {}.get), "box")
    step = next(step for step in result.steps if "sites-enabled/a" in step)
    assert "make it `listen 80 default_server;`: portgen's servers are read before it" in step
    said = server(
        "", "return 410;", listen="listen 80 default_server;\nlisten [::]:80 default_server;"
    )
    texts[1] = Text("nginx", "sites-enabled/a", said, "sites-enabled/a")
    assert not [
        one for one in adopt.adopt(Sources(texts, {}.get), "box").steps if "sites-enabled/a" in one
    ]
