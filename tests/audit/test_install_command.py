"""The command that an audit prints to install says where things are, as this audit was asked."""

from __future__ import annotations

import shlex

import pytest
from click.testing import CliRunner

from portgen.audit import Audited, Places, check
from portgen.cli import portgen
from portgen.plan.live import SOURCES, InstalledFile
from tests.audit import hosts

COPY = "docker-compose.portgen.yml"


def printed(places: Places, change: str) -> set[str]:
    """The commands that install, of the findings about a host whose copies of an override are changed."""
    host, rendered = hosts.of_folder(hosts.FOLDERS[0])
    seen = hosts.clean(host, rendered)
    for ask, files in seen.folders.items():
        if not isinstance(files, str):
            seen.folders[ask] = tuple(
                changed for file in files for changed in _changed(file, change)
            )
    findings = check(Audited(host, seen, rendered, places, SOURCES))
    return {one.finding.do for one in findings if " install " in one.finding.do}


def _changed(file: InstalledFile, change: str) -> list[InstalledFile]:
    if not file.path.endswith(f"/{COPY}"):
        return [file]
    return [] if change == "missing" else [file._replace(text=f"{file.text}\n# edited\n")]


@pytest.mark.parametrize(
    ("places", "command"),
    [
        (
            Places("/srv/portgen", "/srv/portgen/output/es-docker", ("x",)),
            "-C /srv/portgen install",
        ),
        (
            Places("/srv/my ports", "/srv/my ports/output/es-docker", ("x",)),
            "-C '/srv/my ports' install",
        ),
        (
            Places("/srv/ports", "/var/out/es-docker", ("x",), "hosts.yaml", "es-docker"),
            "-C /srv/ports -i hosts.yaml -o /var/out install es-docker",
        ),
    ],
)
def test_it_says_where_things_are(places: Places, command: str) -> None:
    assert printed(places, "missing") == {f"portgen {command} --yes"}


def test_it_replaces_what_somebody_edited() -> None:
    places = Places("/srv/portgen", "/srv/portgen/output/es-docker", ("x",))
    assert printed(places, "edited") == {"portgen -C /srv/portgen install --yes --force"}


def test_its_options_are_those_of_the_command() -> None:
    words = shlex.split(
        "-C /nowhere -i hosts.yaml -o /var/out install es-docker --yes --force --help"
    )
    assert CliRunner().invoke(portgen, words).exit_code == 0
