"""gixy-next, which looks for what is risky in nginx's configuration, over all that is rendered: each finding
is one that we know."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.limit import HANGS
from tests.programs.nginx.serving import REPOSITORY

# What is accepted, and why. Nothing of severity HIGH may stand here.
ACCEPTED = {
    # server-sent events arrive at once, which dashboards live by; `buffering: true` turns it on where an
    # application is slow
    "proxy_buffering_off": "MEDIUM",
    # several sites on a port, and no default server: nginx allows one, which Debian's stock site has.
    # Each site refuses every name but its own
    "default_server_flag": "MEDIUM",
}
RENDERED = sorted(
    {*REPOSITORY.glob("output/*/nginx"), *REPOSITORY.glob("tests/targets/cases/*/output/*/nginx")}
)


def staged(rendered: Path, folder: Path) -> Path:
    """A whole configuration around one host's files; a snippet that a team includes itself stands in a server
    block."""
    (folder / "snippets").mkdir(parents=True)
    site = (rendered / "conf.d/portgen.conf").read_text()
    snippet = folder / "snippets/portgen-locations.conf"
    snippet.write_text((rendered / "snippets/portgen-locations.conf").read_text())
    include = "include snippets/portgen-locations.conf;"
    own = (
        ""
        if include in site
        else f"server {{ listen 80; server_name team.example; server_tokens off; {include} }}"
    )
    (folder / "portgen.conf").write_text(site.replace(include, f"include {snippet};"))
    main = folder / "nginx.conf"
    own = own.replace(include, f"include {snippet};")
    main.write_text(
        f"worker_processes auto;\nevents {{}}\nhttp {{\ninclude {folder}/portgen.conf;\n{own}\n}}\n"
    )
    return main


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    if importlib.util.find_spec("gixy") is None:
        missing("gixy-next is not installed")
    stage = tmp_path_factory.mktemp("gixy")
    files = {
        str(staged(rendered, stage / str(number))): rendered
        for number, rendered in enumerate(RENDERED)
    }
    command = [str(Path(sys.executable).parent / "gixy"), "--format", "json", *files]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=HANGS)
    assert done.stdout, done.stderr
    return [
        {**finding, "of": str(files[finding["path"]].relative_to(REPOSITORY))}
        for finding in json.loads(done.stdout)
    ]


def test_both_ways_to_an_application_are_among_what_is_looked_at() -> None:
    sites = [(rendered / "conf.d/portgen.conf").read_text() for rendered in RENDERED]
    assert any("server 127.0.0.1:" in site for site in sites)
    assert any("server 172." in site for site in sites)


def test_nothing_is_of_high_severity(findings: list[dict[str, str]]) -> None:
    assert [finding for finding in findings if finding["severity"] == "HIGH"] == []


def test_each_finding_is_one_that_is_accepted_and_each_accepted_one_is_found(
    findings: list[dict[str, str]],
) -> None:
    found = {(finding["plugin"], finding["severity"]) for finding in findings}
    assert found == set(ACCEPTED.items()), [
        finding for finding in findings if finding["plugin"] not in ACCEPTED
    ]
