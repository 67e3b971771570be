"""nginx's configurations as trees: crossplane, which nginx itself maintains, reads them just so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import crossplane
import pytest
import yaml
from hypothesis import Phase, given, settings

from portgen import targets
from portgen.files import memory, render
from portgen.formats import nginx
from portgen.formats.nginx import Node
from portgen.inventory.source import parse
from portgen.plan import planner
from tests import inventories
from tests.estates import REPOSITORY

MAIN = "http { include conf.d/*.conf; }\n"
WRITTEN: dict[str, dict[str, str]] = {
    "comments, quotes and escapes": {
        "nginx.conf": """\
# a comment ; with { all } of it
events {} # behind
http {
    log_format main '$remote_addr "$request" {"a": 1}';
    add_header X "a;}b" always;
    map $uri $new { "~^/a{2}/(?<rest>.*)$" /b/$rest; default ''; "a b" c\\ d; }
    server { listen 80; listen [::]:443 ssl; server_name a.example ~^www\\.(.+)$;
        location ~ "\\.php(/|$)" { return 200 "#no comment"; }
        location / { if ($request_method ~ "^(GET|HEAD)$") { set $a "${b}c"; } proxy_pass http://$a/; }
    }
}
""",
    },
    "files that include others": {
        "nginx.conf": "events {}\nhttp {\n    include conf.d/*.conf;\n    include mime.types;\n}\n",
        "mime.types": "types {\n    text/html html htm;\n}\n",
        "conf.d/b.conf": "server { listen 81; include snippets/one.conf; }\n",
        "conf.d/a.conf": (
            "upstream up { server 127.0.0.1:5000; keepalive 4; }\n"
            "server {\n  listen 80;\n\n  include snippets/*.conf;\n}\n"
        ),
        "snippets/one.conf": "location /one/ { return 204; }\n",
        "snippets/two.conf": "location /two/ {\n    return 204;\n}\n",
    },
}


def judged(files: Mapping[str, str], folder: Path) -> list[Any]:
    """The whole configuration as crossplane reads it, with what is included in its place."""
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    payload = crossplane.parse(
        str(folder / "nginx.conf"), combine=True, check_ctx=False, check_args=False
    )
    assert payload["errors"] == []
    return [_plain(entry) for entry in payload["config"][0]["parsed"]]


def _plain(entry: dict[str, Any]) -> Any:
    """Its line, words and block. Not its file: behind an `include` crossplane names the included one."""
    # Of two backslashes nginx makes one; crossplane leaves both.
    words = [word.replace("\\\\", "\\") for word in (entry["directive"], *entry["args"])]
    if words[0] == "if":  # crossplane takes the brackets off a condition
        words = ["if", "(" + " ".join(words[1:]) + ")"]
    block = None
    if "block" in entry:
        block = [_plain(inner) for inner in entry["block"]]
    return entry["line"], words, block


def ours(node: Node) -> Any:
    words = list(node.words)
    if words[0] == "if":
        words = ["if", " ".join(words[1:]).replace(" )", ")")]
    block = None
    if node.block is not None:
        block = [ours(inner) for inner in node.block]
    return node.first, words, block


@pytest.mark.parametrize("name", WRITTEN)
def test_a_written_configuration_is_read_as_crossplane_reads_it(name: str, tmp_path: Path) -> None:
    files = WRITTEN[name]
    assert [ours(node) for node in nginx.load(files)] == judged(files, tmp_path)


@settings(max_examples=15, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(written=inventories.valid())
def test_what_portgen_renders_is_read_as_crossplane_reads_it(
    written: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = yaml.safe_dump(written, sort_keys=False, width=10**9).encode()
    plan = planner.make(parse(text, "inventory.yaml").inventory)
    only = {"nginx": targets.every()["nginx"]}
    rendered = render.files(plan, only, [REPOSITORY / "templates"], memory.Folder)
    for host in plan.hosts:
        files = {"nginx.conf": MAIN}
        for file in rendered:
            if file.path.startswith(f"{host.name}/"):
                files[file.path.removeprefix(f"{host.name}/nginx/")] = file.text
        folder = tmp_path_factory.mktemp("nginx")
        if len(files) > 1:
            assert [ours(node) for node in nginx.load(files)] == judged(files, folder)


def test_a_realm_with_quotes_is_one_word(tmp_path: Path) -> None:
    files = {"nginx.conf": 'auth_basic "a \\\\\\"b\\\\\\" {";'}
    assert [ours(node) for node in nginx.load(files)] == judged(files, tmp_path)


def test_what_is_not_whole_is_read_as_far_as_it_goes() -> None:
    (server,) = nginx.parse("} server { listen 80; location / { return 200;")
    assert server.text == "server { listen 80; location / { return 200; } }"
    assert nginx.parse("listen 80") == ()
    assert nginx.parse("a b; # the last; words { are }\n# not read;") == nginx.parse("a b;")


def test_an_include_of_itself_comes_to_an_end() -> None:
    nodes = nginx.load({"nginx.conf": "a; include b.conf;", "b.conf": "b; include b.conf;"})
    assert {node.name for node in nodes} == {"a", "b", "include"}


def names(files: Mapping[str, str]) -> list[str]:
    return [node.name for node in nginx.load(files)]


def test_a_circle_of_includes_is_read_once_around() -> None:
    assert names({"nginx.conf": "a; include nginx.conf; include nginx.conf;"}) == [
        "a",
        "include",
        "include",
    ]
    twice = "include a.conf; include b.conf; " * 2
    files = {"nginx.conf": twice, "a.conf": f"a; {twice}", "b.conf": f"b; {twice}"}
    assert names(files).count("a") == 6


def test_files_that_double_one_another_come_to_an_end() -> None:
    files = {"nginx.conf": "include 0.conf;"}
    for number in range(30):
        files[f"{number}.conf"] = f"include {number + 1}.conf; include {number + 1}.conf;"
    files["30.conf"] = "a; b;"
    assert 2 < len(names(files)) < 500_000


def test_files_that_only_include_one_another_are_read_too() -> None:
    assert names({"a.conf": "a; include a.conf;"}) == ["a", "include"]
    assert names({"b.conf": "b; include a.conf;", "a.conf": "a; include b.conf;"}) == [
        "a",
        "b",
        "include",
    ]
    files = {"0.conf": "include 1.conf;", "1.conf": "a; include 1.conf;", "2.conf": "b;"}
    assert names(files) == ["a", "include", "b"]


@pytest.mark.parametrize("deep", [60, 3000, 100_000])
def test_blocks_deeper_than_anybody_nests_them_are_passed_over(deep: int) -> None:
    text = "a {" * deep + " deepest; " + "}" * deep + " b;"
    (first, last) = nginx.load({"nginx.conf": text})
    assert "deepest" not in first.text
    assert last.name == "b"
    files = {"nginx.conf": "a { " * 40 + "include a.conf;" + "}" * 40}
    for name, other in ("ab", "bc", "cd"):
        files[f"{name}.conf"] = "a { " * 40 + f"include {other}.conf;" + "}" * 40
    files["d.conf"] = "d;"
    assert nginx.load(files)[0].text


def test_each_directive_names_the_file_that_it_stands_in() -> None:
    files = WRITTEN["files that include others"]
    (_, http) = nginx.load(files)
    assert http.block is not None
    assert [(node.path, node.name, node.first, node.last) for node in http.block] == [
        ("conf.d/a.conf", "upstream", 1, 1),
        ("conf.d/a.conf", "server", 2, 6),
        ("conf.d/b.conf", "server", 1, 1),
        ("mime.types", "types", 1, 3),
    ]
    places = [(node.path, node.first, node.last) for node in http.block[1].block or ()]
    assert places == [
        ("conf.d/a.conf", 3, 3),
        ("snippets/one.conf", 1, 1),
        ("snippets/two.conf", 1, 3),
    ]


# --- a server's names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["box.example.com", "*.example.com", ".example.com", "www.*", "*.x", "a_b-1", "192.168.1.5"],
)
@pytest.mark.parametrize("besides", [(), ("a.example.com",), ("a.example.com", "b.x")])
def test_a_name_is_read_back_from_its_pattern(name: str, besides: tuple[str, ...]) -> None:
    assert nginx.name_of(nginx.as_regex(name, besides)) == name
    assert nginx.name_of(name) == name


@pytest.mark.parametrize("pattern", [r"~^www\.(.+)$", "~^a.b$", "~example", r"~^(?!a$).+\.x$"])
def test_another_pattern_stays_as_it_is(pattern: str) -> None:
    assert nginx.name_of(pattern) == pattern


def test_a_pattern_stands_for_the_names_below_it() -> None:
    assert nginx.covers("*.example.com", "a.b.example.com")
    assert nginx.covers(".example.com", "example.com")
    assert nginx.covers("www.*", "www.example.com")
    for pattern in ("*.example.com", "www.*", "example.com", ".b.example.com"):
        assert not nginx.covers(pattern, "example.com")
