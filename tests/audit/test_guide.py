"""What an audit prints to run the install guide is what the guide itself says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.audit import hosts

UNIT = re.compile(r"/etc/systemd/system/portgen-[^/]*\.service")


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_both_say_the_same_command(folder: Path) -> None:
    host, rendered = hosts.of_folder(folder)
    seen = hosts.clean(host, rendered)
    for ask, files in seen.folders.items():
        if not isinstance(files, str):
            seen.folders[ask] = tuple(
                file._replace(text=f"{file.text}\n# edited\n")
                if UNIT.fullmatch(file.path)
                else file
                for file in files
            )
    said = {
        one.finding.do
        for one in hosts.found(host, seen, rendered)
        if "INSTALL.md" in one.finding.do
    }
    (command,) = re.findall(r"^    (sed .* \| sh -eu)$", rendered["docs/INSTALL.md"], re.MULTILINE)
    if host.forwarders:
        assert said
    assert {do for do in said if not do.endswith(command)} == set()
