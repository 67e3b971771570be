"""What nginx reads otherwise than it looks, and what follows from the other files of its folder."""

from __future__ import annotations

import pytest

from portgen import adopt
from portgen.adopt import Adopted, Sources, Text
from portgen.inventory.source import parse
from portgen.plan import planner
from tests.adopt.test_servers import (
    API,
    APP,
    INVENTORY,
    RENDERED,
    SECURE,
    different,
    into,
    left,
    of,
    routes,
    server,
)

GLUED = [
    "location ~/secret { deny all; }",
    "location ~*^/APP { deny all; }",
    "location =/app { return 403; }",
]


@pytest.mark.parametrize("line", GLUED)
def test_the_kind_of_a_location_may_be_written_without_a_blank(line: str) -> None:
    assert "/app/" not in routes(of(server("a.org", APP, API, line)))
    final = APP.replace("location /app/", "location ^~/app/")
    assert "/app/" in routes(of(server("a.org", final, API, "location ~/secret { deny all; }")))


def test_a_no_break_space_is_a_part_of_a_word() -> None:
    result = of(
        server("a.org", APP.replace("/app/ ", "/app/\xa0 "), API), server("b.org\xa0", ROOT)
    )
    assert list(routes(result)) == ["/api/"]


ROOT = "location / { proxy_pass http://127.0.0.1:8082; }"


def test_a_name_with_a_last_dot_is_never_asked_for() -> None:
    assert "a.org" not in of(server("a.org.", ROOT), server("b.org", APP, API)).source.text


def test_a_port_that_is_asked_by_two_protocols_has_no_route() -> None:
    secure = "location /safe/ { proxy_pass https://127.0.0.1:8080; }"
    result = of(server("a.org", APP, API, secure))
    assert list(routes(result)) == ["/api/"]
    assert left(result)["location /safe/"].startswith("nginx asks 8080/tcp by http and https")


def test_the_order_of_files_is_that_of_the_includes() -> None:
    """Here sites-enabled comes before conf.d, so before portgen's own file."""
    main = "http { include sites-enabled/*; include conf.d/*; }"
    texts = [
        Text("nginx", "nginx.conf", main, "nginx.conf"),
        Text("nginx", "sites-enabled/a", server("a.org", APP, API), "sites-enabled/a"),
        Text("nginx", "sites-enabled/b", server("b.org", "return 410;"), "sites-enabled/b"),
    ]
    assert routes(adopt.adopt(Sources(texts, {}.get), "box")) == {}
    texts[0] = Text("nginx", "nginx.conf", "http { include sites-enabled/*; }", "nginx.conf")
    steps = adopt.adopt(Sources(texts[:2], {}.get), "box").steps
    assert (
        "nginx.conf: write `include conf.d/portgen.conf;` at the end of its block `http`"
        in "".join(steps)
    )


def test_steps_name_the_files_of_the_host_where_nginx_printed_them() -> None:
    head = "# configuration file /etc/nginx/"
    dump = f"{head}nginx.conf:\nhttp {{ include conf.d/*.conf; include sites-enabled/*; }}\n"
    dump += f"{head}sites-enabled/a:\n{server('a.org', APP, API)}"
    result = adopt.adopt(Sources([Text("nginx", "dump.txt", dump, "dump.txt")], {}.get), "box")
    assert [step.partition(": p")[0] for step in result.steps] == [
        "/etc/nginx/sites-enabled/a: remove it from sites-enabled"
    ]


def test_two_servers_on_one_line_stay() -> None:
    one_line = " ".join(f"{server('a.org', APP, API)} {server('b.org', ROOT)}".split("\n"))
    assert routes(of(one_line)) == {}


FALLS_BACK = ["error_page 404 = /app/;", "try_files $uri /app/$uri;"]


@pytest.mark.parametrize("line", FALLS_BACK)
def test_what_a_server_falls_back_to_stays(line: str) -> None:
    result = of(server("a.org", APP, API, line))
    assert "server_name" not in result.source.text
    assert line.rstrip(";") in left(result)


def test_files_for_all_servers_stay_with_each() -> None:
    result = of(server("a.org", APP, API), http="root /srv/www;")
    assert "server_name" not in result.source.text
    assert (
        "server_name: a.org"
        in of(server("a.org", APP, API, ROOT), http="root /srv/www;").source.text
    )


def test_a_location_of_a_file_that_another_server_includes_is_not_taken_out_of_it() -> None:
    texts = [
        Text("nginx", "nginx.conf", "http { include conf.d/*; }", "nginx.conf"),
        Text(
            "nginx", "conf.d/a", server("a.org", "include shared;", API, "return 410;"), "conf.d/a"
        ),
        Text("nginx", "conf.d/b", server("b.org", "include shared;", "root /x;"), "conf.d/b"),
        Text("nginx", "shared", APP, "shared"),
    ]
    texts[1] = Text(
        "nginx", "conf.d/a", server("a.org", "include shared;", API, "root /x;"), "conf.d/a"
    )
    result = adopt.adopt(Sources(texts, {}.get), "box")
    assert list(routes(result)) == ["/api/"]
    assert left(result)["location /app/"].startswith("another server includes its file, too")


def test_a_known_service_without_the_route_keeps_the_server() -> None:
    """The inventory has no nginx yet, and its service no route."""
    base = INVENTORY.replace("hosts: {box: {nginx: %s}}", "hosts: {box: {}}").replace(
        ", route: {path: /app/, strip: false%s}", ""
    )
    source = parse(base.encode(), "inventory.yaml")
    onto = adopt.onto(source, planner.make(source.inventory), None)
    texts = [Text("nginx", "0.conf", server("a.org", APP, API), "0.conf")]
    result, _ = adopt.adopt_into(Sources(texts, {}.get), onto)
    assert not any("disable" in step for step in result.steps)
    assert left(result)["location /app/"].endswith("write `route: /app/` there")


def test_other_passwords_are_another_route() -> None:
    locked = APP.replace("{ ", "{ auth_basic x; auth_basic_user_file /etc/one; ")
    result, _ = into("{server_name: a.org}", server("a.org", locked), more=", auth_file: /etc/two")
    assert "has other passwords for /app/" in left(result)["server_name a.org"]
    result, _ = into("{server_name: a.org}", server("a.org", locked), more=", auth_file: /etc/one")
    assert any("disable" in step for step in result.steps)


def test_the_servers_own_values_lift_what_is_said_for_all() -> None:
    lines = 'deny all;\nauth_basic "x";\nauth_basic_user_file f;'
    result = of(server("a.org", "allow all;", "auth_basic off;", APP, API), http=lines)
    assert routes(result)["/app/"].extra == ("allow all;", "auth_basic off;")


def test_an_include_of_no_file_in_a_location_is_not_its_route() -> None:
    result = of(server("a.org", APP.replace("{ ", "{ include more.d/*.conf; "), API))
    assert routes(result)["/app/"].extra == ()


def test_certbots_own_file_is_known() -> None:
    tls = "include /etc/letsencrypt/options-ssl-nginx.conf;\nssl_dhparam /etc/letsencrypt/dh.pem;"
    result = of(server("a.org", tls, APP, API))
    assert "server_name: a.org" in result.source.text
    assert left(result) == {}


def folder(**files: str) -> Adopted:
    """An import of files by their paths."""
    main = "http { include conf.d/*.conf; include sites-enabled/*; }"
    texts = [Text("nginx", "nginx.conf", main, "nginx.conf")]
    texts += [Text("nginx", path, text, path) for path, text in files.items()]
    return adopt.adopt(Sources(texts, {}.get), "box")


def test_paths_of_includes_are_those_of_the_files() -> None:
    for path in ("./app.d/*.conf", "/etc/nginx//app.d/*.conf"):
        result = folder(
            **{"sites-enabled/a": server("a.org", f"include {path};", APP, API)},
            **{"app.d/x.conf": "location /app/admin/ { deny all; }"},
        )
        assert "server_name: a.org" not in result.source.text


def test_a_file_that_could_not_be_read_keeps_what_includes_it() -> None:
    for lines in (("include app.d/*;", APP), (APP.replace("{ ", "{ include app.d/*; "),)):
        files = {"sites-enabled/a": server("a.org", *lines, API), "app.d/x": adopt.UNREADABLE}
        assert "server_name: a.org" not in folder(**files).source.text


def test_an_if_for_a_name_that_a_wildcard_stands_for_refuses_somebody() -> None:
    refuses = "if ($host = bad.example.com) { return 444; }"
    assert routes(of(server("*.example.com", refuses, APP, API))) == {}
    assert routes(of(server("a.org", refuses, APP, API))) != {}


def test_nginxs_default_server_is_one_of_each_socket() -> None:
    six = server("a.org", "return 410;", listen="listen [::]:80;")
    four = server("b.org", APP, API, listen="listen 80;")
    stays = server("c.org", "return 410;", listen="listen 80;")
    result = of(("a.conf", six), ("b.conf", four), ("c.conf", stays))
    assert "nginx's default server at port 80" in left(result)["server_name b.org"]
    old = server("b.org", APP, API, listen="listen 80 default;")
    result = of(("a.conf", stays), ("b.conf", old))
    assert "nginx's default server at port 80" in left(result)["server_name b.org"]


def test_a_pattern_that_takes_portgens_snippet_in_is_a_step() -> None:
    stays = server("b.org", "include snippets/*.conf;", "return 410;")
    files = {
        "sites-enabled/a": server("a.org", APP, API, "location = /x { return 410; }"),
        "sites-enabled/b": stays,
        "snippets/z.conf": "gzip on;",
    }
    steps = folder(**files).steps
    assert any("sites-enabled/b:1: name the files of its `include" in step for step in steps)


def test_only_a_file_with_nothing_but_servers_is_removed() -> None:
    one = server("a.org", APP, API)
    for more in ("upstream up { server 127.0.0.1:1; }\n", "include vhosts/*.conf;\n"):
        steps = folder(
            **{"sites-enabled/a": more + one, "vhosts/b.conf": server("b.org", ROOT)}
        ).steps
        assert any(step.startswith("sites-enabled/a: disable") for step in steps)
    texts = [
        Text(
            "nginx",
            "nginx.conf",
            "http { include sites-enabled/a; include conf.d/*.conf; }",
            "nginx.conf",
        ),
        Text("nginx", "sites-enabled/a", one, "sites-enabled/a"),
    ]
    steps = adopt.adopt(Sources(texts, {}.get), "box").steps
    assert [step.partition(": ")[2].partition(":")[0] for step in steps] == [
        "disable the server at line 1"
    ]


def test_an_answer_is_no_redirect_to_the_slash() -> None:
    for answer in ("return 403 /app/;", "rewrite ^ /app/;", "return 200 /app/;"):
        result = of(server("a.org", APP, API, f"location = /app {{ {answer} }}"))
        assert "/app/" not in routes(result)


def test_an_upstream_with_an_include_is_not_known() -> None:
    up = "upstream up { include up/*; server 127.0.0.1:8080; }\n"
    result = of(up + server("a.org", APP.replace("127.0.0.1:8080", "up"), API))
    assert list(routes(result)) == ["/api/"]


def test_headers_of_grpc_are_not_those_of_http() -> None:
    http = "proxy_set_header X-Key k;"
    result = of(server("a.org", "grpc_set_header X-Team a;", APP, API), http=http)
    assert http in routes(result)["/app/"].extra


def test_what_is_included_for_all_servers_has_to_be_given() -> None:
    assert routes(of(server("a.org", APP, API), http="include /srv/acl.conf;")) == {}


# --- what a route has not, or would have besides ---------------------------------------------------


def test_what_a_regular_expression_matched_is_no_value_of_a_route() -> None:
    strips = "rewrite ^/app/(.*)$ /$1 break; add_header X-Path $1;"
    shown = APP.replace("{", f"{{ {strips}")
    assert list(routes(of(server("a.org", shown, API)))) == ["/api/"]
    result = of(server("a.org", "add_header X-Path $1;", APP, API))
    assert "server_name" not in result.source.text


def test_a_service_whose_certificate_is_not_verified_as_all_others_stays() -> None:
    verified = "proxy_ssl_verify on;\nproxy_ssl_trusted_certificate /etc/ca.crt;"
    excepted = "location /app/ { proxy_ssl_verify off; proxy_pass https://127.0.0.1:8080; }"
    assert list(routes(of(server("a.org", excepted, API), http=verified))) == ["/api/"]
    assert sorted(routes(of(server("a.org", excepted, API)))) == ["/api/", "/app/"]


@pytest.mark.parametrize("place", ["server", "http"])
def test_an_index_with_a_path_answers_for_a_folder(place: str) -> None:
    index = "index /app/start;"
    result = (
        of(server("a.org", index, APP, API))
        if place == "server"
        else of(server("a.org", APP, API), http=index)
    )
    assert index.removesuffix(";") in left(result)
    assert any("put `include snippets/portgen-locations.conf;`" in step for step in result.steps)
    assert routes(of(server("a.org", "index index.html;", APP, API))).keys() == {"/app/", "/api/"}


@pytest.mark.parametrize("place", ["server", "http"])
def test_a_page_for_what_is_not_found_takes_paths_without_a_slash(place: str) -> None:
    """`/apple` is one of the location `/app`, and of no route."""
    page = "error_page 404 = /api/;"
    app = APP.replace("/app/", "/app")
    said = {"http": page} if place == "http" else {}
    result = of(server("a.org", *([page] if place == "server" else []), app, API), **said)
    assert list(routes(result)) == ["/api/"]


def test_no_pattern_includes_a_hidden_file() -> None:
    files = {"conf.d/.old.conf": server("b.org", ROOT), "conf.d/a.conf": server("a.org", APP, API)}
    result = folder(**files)
    assert sorted(routes(result)) == ["/api/", "/app/"]
    named = folder(**files, **{"nginx.conf": "http { include conf.d/.*.conf; }"})
    assert "b.org/" in routes(named) or "/" in routes(named)


def test_a_redirect_to_the_first_name_keeps_it_when_that_name_goes() -> None:
    sends = server("a.org b.org", "return 301 https://$server_name$request_uri;")
    result = of(sends + server("a.org", APP, API, listen=SECURE))
    steps = [step.partition(": ")[2] for step in result.steps]
    assert "take a.org out of its `server_name`" in steps
    assert any(step.startswith("write `https://a.org` in place of") for step in steps)


def test_portgens_locations_in_two_servers_are_those_of_one() -> None:
    """What the other one has itself stays there, and nothing more comes into both."""
    include = "include snippets/portgen-locations.conf;"
    rendered = RENDERED + "location ^~ /wiki/ { proxy_pass http://127.0.0.1:8083; }\n"
    files = {
        "conf.d/a.conf": server("a.org", include, APP, "location = /x { return 410; }"),
        "conf.d/b.conf": server("b.org", include, API),
        "snippets/portgen-locations.conf": rendered,
    }
    result = folder(**files)
    assert list(routes(result)) == ["/wiki/"]
    assert result.steps == ()
    assert "the server at conf.d/b.conf:1 would get it, too" in left(result).values()


def test_an_upstream_with_a_name_of_portgens_needs_another() -> None:
    up = "upstream portgen_app { server 127.0.0.1:8080; }\n"
    steps = of(up + server("a.org", APP, API)).steps
    assert any(step.startswith("conf.d/0.conf:1: give this upstream another") for step in steps)


@pytest.mark.parametrize(
    "line",
    [
        "proxy_set_header Origin http://$proxy_host;",
        "client_max_body_size 10737418240;",
        "proxy_set_header X-Site $server_name;",
    ],
)
def test_what_would_mean_something_else_in_a_route_stays(line: str) -> None:
    names = "a.org www.a.org" if "server_name" in line else "a.org"
    app = APP.replace("{", f"{{ {line}")
    assert [name for name in routes(of(server(names, app, API))) if "/app/" in name] == []


def test_with_a_variable_nginx_leads_to_one_path() -> None:
    app = APP.replace("127.0.0.1:8080;", "$app/;")
    up = "geo $app { default 127.0.0.1:8080; }\n"
    assert list(routes(of(up + server("a.org", app, API)))) == ["/api/"]


def test_a_service_of_ipv6_is_not_that_of_ipv4() -> None:
    app = APP.replace("127.0.0.1", "[::1]")
    one = server("a.org", app, API)
    assert list(routes(of(one))) == ["/api/"]
    both = server("a.org", APP.replace("/app/", "/x/"), app, API)
    assert sorted(routes(of(both))) == ["/api/", "/x/"]
    texts = [Text("nginx", "a.conf", one, "a.conf")]
    expected_by_address = {"*": ["/app/"], "0.0.0.0": [], "[::1]": ["/app/"], "[::]": []}
    for address, expected in expected_by_address.items():
        ss = f'tcp LISTEN 0 9 {address}:8080 *:* users:(("app",pid=1,fd=3))\n'
        found = adopt.adopt(Sources([*texts, Text("ss", "ss.txt", ss)], {}.get), "box")
        assert [name for name in routes(found) if name == "/app/"] == expected


def test_localhost_is_also_the_service_that_only_ipv6_reaches() -> None:
    one = server("a.org", APP.replace("127.0.0.1", "localhost"), API)
    ss = 'tcp LISTEN 0 9 [::1]:8080 *:* users:(("app",pid=1,fd=3))\n'
    texts = [Text("nginx", "a.conf", one, "a.conf"), Text("ss", "ss.txt", ss)]
    found = adopt.adopt(Sources(texts, {}.get), "box")
    assert routes(found)["/app/"].port.bind == "::1"
    assert found.source.text.count("port: 8080") == 1


def test_a_cache_for_all_keeps_what_goes_past_it() -> None:
    found = routes(of(server("a.org", APP, API), http="proxy_cache zone;"))
    assert found["/app/"].buffering


DIFFERENT = {
    "proxy_set_header X-Forwarded-Prefix /app;": "portgen sets a different X-Forwarded-Prefix",
    "proxy_send_timeout 1h;": "portgen's location waits 300 s",
}


@pytest.mark.parametrize("line", DIFFERENT)
def test_what_portgens_location_says_otherwise_is_a_difference(line: str) -> None:
    app = APP.replace("{", f"{{ {line}")
    assert different(of(server("a.org", app, API)))[line.removesuffix(";")] == DIFFERENT[line]


def test_a_service_is_asked_for_its_name_by_tls() -> None:
    app = APP.replace("http:", "https:")
    why = different(of(server("a.org", app, API)))["proxy_pass https://127.0.0.1:8080"]
    assert why == "asked for app by TLS, and nginx names nobody"


def test_headers_of_the_server_are_not_beside_those_of_a_file_that_is_not_here() -> None:
    app = APP.replace("{", "{ include proxy_params;")
    one = Text("nginx", "a", server("a.org", "proxy_set_header X-Key k;", app, API), "a")
    found = routes(adopt.adopt(Sources([one], {}.get), "box"))
    assert found["/app/"].extra == ()
    assert found["/api/"].extra == ("proxy_set_header X-Key k;",)


# --- the steps ---------------------------------------------------------------------------------------


def test_a_server_that_goes_on_needs_portgens_servers_as_well() -> None:
    """Its locations lead to upstreams of conf.d/portgen.conf."""
    main = "http { include sites-enabled/*; }"
    site = server("a.org", APP, API, "location = /x { return 410; }")
    steps = folder(**{"nginx.conf": main, "sites-enabled/a": site}).steps
    assert any("write `include conf.d/portgen.conf;` at the end" in step for step in steps)


@pytest.mark.parametrize("pattern", ["snippets/*.conf", "conf.d/*.conf"])
def test_a_pattern_in_a_server_must_not_include_portgens_files(pattern: str) -> None:
    site = server("a.org", f"include {pattern};", APP, API, "location = /x { return 410; }")
    folder_of = pattern.partition("/")[0]
    main = "http { include sites-enabled/*; include conf.d/*.conf; }"
    steps = folder(**{"nginx.conf": main, "sites-enabled/a": site}).steps
    assert any(
        f"name the files of its `include {folder_of}/…` one by one" in step for step in steps
    )


def test_a_pattern_elsewhere_must_not_include_portgens_files_either() -> None:
    nested = APP.replace("{", "{ include conf.d/*.conf;")
    site = {"sites-enabled/a": server("a.org", nested, API, "location = /x { return 410; }")}
    result = folder(**site)
    assert any("include conf.d/…` one by one" in step for step in result.steps)
    assert "a pattern in it would include portgen's own files" in left(result).values()
    main = "http { include snippets/*.conf; include conf.d/*.conf; include sites-enabled/*; }"
    steps = folder(**{"nginx.conf": main, "sites-enabled/a": server("a.org", APP, API)}).steps
    assert any(
        step.startswith("nginx.conf: name the files of its `include snippets/…`") for step in steps
    )


INCLUDE = "include snippets/portgen-locations.conf;"
SECOND = {
    "kept for its address": server("b.org", INCLUDE, "root /srv;", listen="listen 127.0.0.1:80;"),
    "in a location": server("b.org", f"location / {{ root /srv; {INCLUDE} }}"),
}


@pytest.mark.parametrize("what", SECOND)
def test_portgens_locations_are_looked_for_in_each_server(what: str) -> None:
    result = folder(
        **{
            "conf.d/a.conf": server("a.org", INCLUDE, APP, "location = /x { return 410; }"),
            "conf.d/b.conf": SECOND[what],
            "snippets/portgen-locations.conf": RENDERED
            + "location ^~ /wiki/ { proxy_pass http://127.0.0.1:8083; }\n",
        }
    )
    assert "/app/" not in routes(result)
    assert "the server at conf.d/b.conf:1 would get it, too" in left(result).values()


def test_the_step_about_portgens_servers_names_the_file_of_the_host() -> None:
    site = server("a.org", APP, API)
    dump = "# configuration file /etc/nginx/nginx.conf:\nhttp { include /etc/nginx/sites-enabled/*; }\n\n"
    dump += f"# configuration file /etc/nginx/sites-enabled/a:\n{site}\n"
    steps = adopt.adopt(Sources([Text("nginx", "dump.txt", dump, "dump.txt")], {}.get), "box").steps
    assert any(step.startswith("/etc/nginx/nginx.conf: write `include conf.d/") for step in steps)


def test_a_name_in_an_included_file_is_named_there() -> None:
    files = {
        "conf.d/a.conf": server("", "include names/a;", "return 301 https://$host$request_uri;"),
        "conf.d/b.conf": server("a.org", APP, API, listen=SECURE),
        "names/a": "server_name a.org b.org;",
    }
    assert any(
        "take a.org out of its `server_name` (names/a:1)" in step for step in folder(**files).steps
    )
