"""A small project, its folders, and what happens to them: for all tests of the output folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.estates import TWO_SERVICES as INVENTORY

CHANGED = INVENTORY.replace("allow: [lan]", "allow: [any]").replace(
    "      beta: {port: 5001}\n", "      gamma: {port: 5002}\n"
)
UNIT = "output/box/systemd/portgen-alpha.service"
SNIPPET = "output/box/nginx/snippets/portgen-locations.conf"
SUMS = "output/SHA256SUMS"
Run = Callable[..., Any]


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder, links as links, and without the times."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }
