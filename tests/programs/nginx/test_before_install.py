"""What the real nginx says of an install before it: portgen's files among those of the team."""

from __future__ import annotations

from portgen import targets, whole
from portgen.inventory.source import parse
from portgen.machine import programs, verify
from portgen.plan import planner
from portgen.targets import Machine
from tests.audit import hosts
from tests.install.preflights import estate

TEXT = estate("alpha: {port: 5000, route: /alpha/}")
SNIPPET = "snippets/portgen-locations.conf"
TEAMS = {
    "nginx.conf": "events {} http { include /etc/nginx/conf.d/*.conf; }",
    "conf.d/own.conf": f"server {{ listen 8080; include /etc/nginx/{SNIPPET}; }}",
}


def said(rendered: dict[str, str], theirs: dict[str, str]) -> list[str]:
    """What is wrong, by nginx's words, where only `rendered` is portgen's."""
    source = parse(TEXT.encode(), "inventory.yaml")
    plan = planner.make(source.inventory)
    own = (programs.is_root(), "/srv/portgen", whole.text, lambda _path: True, theirs)
    texts = {f"box/{path}": text for path, text in rendered.items() if path.startswith("nginx/")}
    chosen = {"nginx": targets.every()["nginx"]}
    on = Machine(*own)
    outcomes = verify.run(
        plan, chosen, texts, source.at, "output", on, always=("nginx",), versions=False
    )
    return [problem.message for problem in verify.problems(outcomes)]


def test_the_files_of_an_install_are_read_together_with_the_teams() -> None:
    assert said(hosts.declared(TEXT).rendered, TEAMS) == []


def test_a_fault_of_the_teams_is_found_before_the_install() -> None:
    (found,) = said(hosts.declared(TEXT).rendered, {**TEAMS, "conf.d/zz.conf": "bogus on;\n"})
    assert found == 'unknown directive "bogus"'


def test_a_file_that_goes_is_missed_where_the_team_includes_it() -> None:
    (found,) = said({}, TEAMS)
    assert SNIPPET in found
    assert "No such file or directory" in found
    assert said({}, {"nginx.conf": TEAMS["nginx.conf"]}) == []
