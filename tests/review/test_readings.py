"""Facts that are read back from rendered files are those of the plan."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from portgen import targets
from portgen.files import render
from portgen.plan import facts, of_plan
from portgen.plan.facts import Key
from portgen.review import words
from portgen.review.steps import ChangeFirewall, Lead, ReloadNginx
from tests.estates import REPOSITORY, planned
from tests.review.reviewed import FEATURES, TEMPLATES, by_hand, read_back


@pytest.mark.parametrize(
    "case",
    [case for case in FEATURES if not (case.parent / "templates").exists()],
    ids=lambda case: case.parent.name,
)
def test_files_hold_the_facts_that_the_plan_has(case: Path) -> None:
    plan = planned(case.read_bytes())
    files = render.files(plan, targets.every(), TEMPLATES)
    keys = {Key(service.host, service.name) for service in plan.services}
    planned_facts = of_plan.of(plan, keys)
    of_files = read_back({file.path: file.text for file in files}, keys)
    for key, expected in planned_facts.services.items():
        rendered = (
            expected.units
            or expected.variables
            or expected.container
            or expected.openings
            or expected.routes
            or (expected.ports and expected.status == "active")
        )
        if not rendered:
            # A target that portgen does not have may say something of it, which no fact of a plan is.
            assert key not in of_files.services or of_files.services[key].other
            continue
        found = msgspec.to_builtins(of_files.services[key])
        wanted = msgspec.to_builtins(expected)
        for unit in found["units"].values():
            assert unit.pop("settings").startswith("[Unit]\n")
        for unit in wanted["units"].values():
            unit.pop("settings")
        unseen = {"project", "described", "other"}
        if expected.via in ("host", "process"):
            unseen.add("primary")  # which of a program's ports is the first, no file says
        if found["title"] is None:
            unseen.add("title")
        assert {name: value for name, value in found.items() if name not in unseen} == {
            name: value for name, value in wanted.items() if name not in unseen
        }
    assert of_files.networks == planned_facts.networks
    assert {
        host: nginx for host, nginx in planned_facts.nginx.items() if nginx != facts.Nginx()
    } == {host: nginx for host, nginx in of_files.nginx.items() if nginx != facts.Nginx()}


INVENTORY = """\
version: 1
hosts: {box: {nginx: {server_name: box.example.com}}}
projects:
  wall:
    ports: 5000-5099
    network: {name: wall, subnet: 172.30.0.0/24}
    services: {web: {port: 5000, route: /web/}}
"""


def test_a_template_with_several_directives_on_a_line_is_read_like_any_other(
    tmp_path: Path,
) -> None:
    """What it says in another form is not a change: the prefix is still stripped."""
    (shipped,) = TEMPLATES
    default = (shipped / "nginx/locations.conf.j2").read_text()
    passed = '{{ module }}_pass {{ route.port.protocol }}://{{ route.upstream }}{{ "/" if route.strip }};'
    assert passed in default
    own = tmp_path / "nginx/locations.conf.j2"
    own.parent.mkdir()
    one_line = passed.replace("{{ route.upstream }}", "$up")
    own.write_text(default.replace(passed, f"set $up {{{{ route.upstream }}}}; {one_line}"))
    plan = planned(INVENTORY)
    nginx = {"nginx": targets.every()["nginx"]}
    key = Key("box", "web")
    before, after = (
        read_back(
            {file.path: file.text for file in render.files(plan, nginx, folders)}, {key}
        ).services[key]
        for folders in ([shipped], [tmp_path, shipped])
    )
    (old,), (new,) = before.routes.values(), after.routes.values()
    assert old.route.strip
    assert new.route.strip
    assert new.backend == old.backend == "127.0.0.1:5000"
    assert new.route.directives == ("set $up portgen_web;",)


def test_a_block_in_which_a_reader_finds_nothing_is_shown_by_its_file() -> None:
    (shipped,) = TEMPLATES
    files = render.files(planned(INVENTORY), targets.every(), [shipped])
    texts = {file.path: file.text for file in files}
    path, key = "box/nginx/snippets/portgen-locations.conf", Key("box", "web")
    assert not read_back(texts, {key}).services[key].other
    texts[path] = "# portgen:web Web\n# location /web/ { proxy_pass http://portgen_web/; }\n"
    web = read_back(texts, {key}).services[key]
    assert (web.routes, web.other) == ({}, {"nginx/snippets/portgen-locations.conf": texts[path]})


# --- what somebody changed by hand ----------------------------------------------------------------

DOCKER = (REPOSITORY / "tests/targets/cases/docker-guard/inventory.yaml").read_text()
GUARD = "box/ufw/portgen-after.rules"
OF_5006 = "-p tcp -m conntrack --ctstate DNAT --ctorigdstport 5006 --ctdir ORIGINAL"
FIRST = f"-A PORTGEN-GUARD -s 192.168.0.0/16 {OF_5006} -j RETURN"
LAST = f"-A PORTGEN-GUARD {OF_5006} -j DROP"
STRAIGHT = "-d 172.30.0.22/32 -m conntrack ! --ctstate DNAT --ctdir ORIGINAL -j DROP"


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        (FIRST, f"-A PORTGEN-GUARD -s 203.0.113.0/24 -j RETURN\n{FIRST}"),
        (FIRST, f"-A PORTGEN-GUARD -j RETURN\n{FIRST}"),
        (FIRST, f"-A PORTGEN-GUARD -i eth0 {OF_5006} -j RETURN\n{FIRST}"),
        (FIRST, f"-A PORTGEN-GUARD --source 203.0.113.0/24 --jump RETURN\n{FIRST}"),
        (FIRST, f"{FIRST}\n-I PORTGEN-GUARD {OF_5006} -j RETURN"),
        (FIRST, f"{FIRST}\n-D PORTGEN-GUARD {OF_5006} -j DROP"),
        (FIRST, f"{LAST}\n{FIRST}"),
        ("-s 192.168.0.0/16", "! -s 192.168.0.0/16"),
        ("-s 192.168.0.0/16", "-s 192.168.0.0/16,203.0.113.0/24"),
        (LAST, LAST.replace("-p tcp", "! -s 10.0.0.0/8 -p tcp")),
        (LAST, LAST.replace("-p tcp", "-s 10.0.0.0/8 -p tcp")),
        (LAST, LAST.replace("-p tcp", "-i eth0 -p tcp")),
        (LAST, LAST.replace("-j DROP", "-m limit --limit 1/s -j DROP")),
        (LAST, LAST.replace("-j DROP", "-j LOG")),
        (LAST, LAST.replace("DNAT", "SNAT")),
        (LAST, LAST.replace("ORIGINAL", "REPLY")),
        (LAST, LAST.replace("-A", "-I")),
        (STRAIGHT, f"-i eth0 {STRAIGHT}"),
        (STRAIGHT, STRAIGHT.replace("DROP", "RETURN")),
    ],
)
def test_a_hole_in_the_guard_is_a_change_of_the_service_and_a_step(
    written: str, instead: str
) -> None:
    review = by_hand(DOCKER, GUARD, lambda text: text.replace(written, instead, 1))
    assert [changed.key for changed in review.services] == [Key("box", "both-families")]
    (step,) = review.steps
    assert isinstance(step, ChangeFirewall)
    assert step.guards == ("both-families",)


def test_a_rule_of_the_guard_in_long_words_says_the_same() -> None:
    long = LAST.replace("-p", "--protocol").replace("-m", "--match").replace("-j", "--jump")
    review = by_hand(DOCKER, GUARD, lambda text: text.replace(LAST, long))
    assert (review.services, review.steps) == ((), ())


def test_a_second_server_of_an_upstream_is_a_change_of_the_service() -> None:
    second = "server 127.0.0.1:5000;\n    server 203.0.113.9:80;"
    review = by_hand(
        INVENTORY,
        "box/nginx/conf.d/portgen.conf",
        lambda text: text.replace("server 127.0.0.1:5000;", second),
    )
    (step,) = review.steps
    assert isinstance(step, ReloadNginx)
    assert step.leads == (Lead("web", "127.0.0.1:5000, 203.0.113.9:80", "127.0.0.1:5000"),)
    (changed,) = review.services
    assert words.line(changed, review.names) == (
        "web nginx sends its requests to 127.0.0.1:5000 (was 127.0.0.1:5000, 203.0.113.9:80)"
    )


def test_a_container_that_the_override_lacked_reads_right_behind_the_title() -> None:
    review = by_hand(
        INVENTORY,
        "box/compose/docker-compose.wall.yml",
        lambda text: text.partition("services:")[0] + "services: {}\n",
    )
    (changed,) = review.services
    assert words.line(changed, review.names) == "web adds its container to the compose override"


def test_a_parameter_of_an_upstream_s_server_is_no_other_port() -> None:
    text = INVENTORY.replace("port: 5000,", "port: 5000, via: process,")
    (shipped,) = TEMPLATES
    files = render.files(planned(text), targets.every(), [shipped])
    texts = {file.path: file.text for file in files}
    key = Key("box", "web")
    before = read_back(texts, {key}).services[key]
    site = "box/nginx/conf.d/portgen.conf"
    texts[site] = texts[site].replace(
        "server 127.0.0.1:5000;", "server 127.0.0.1:5000 max_fails=0;"
    )
    after = read_back(texts, {key}).services[key]
    assert before.ports == after.ports != {}
    assert after.routes["/web/"].backend == "127.0.0.1:5000 max_fails=0"
