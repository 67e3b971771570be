"""A host as declared: an audit of it finds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from portgen.audit import Audited, Places
from tests.audit import hosts


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_a_clean_host_has_no_finding_and_no_gap(folder: Path) -> None:
    host, rendered = hosts.of_folder(folder)
    seen = hosts.clean(host, rendered)
    assert hosts.found(host, seen, rendered) == []
    places = Places(seen.folder, f"{seen.out}/{host.name}", seen.compose)
    audited = Audited(host, seen, rendered, places)
    assert audited.gaps == []
