"""The record of a host as declared, tests/audit/recorded/, made anew: `make audit-record`. Needed after an
audit asks the host something new: what a record has no answer to is not seen.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.real import audited
from tests.real.deployed import REPOSITORY
from tests.real.estate import Estate

FOLDER = REPOSITORY / "tests" / "audit" / "recorded" / "es-docker"
THERE = "/run/audit-record"
RENDERED = ("portgen.conf", "portgen-locations.conf")  # by portgen


def test_the_record_is_saved(installed: Estate) -> None:
    installed.named = True
    installed.install(installed.project)
    installed.host.reboot()
    report = audited.settled(installed)
    assert report.clean, str(report)
    audited.audit(installed, "--record", THERE)
    packed = installed.host.sh(f"tar -C {THERE} -c . | base64 --wrap=0").stdout
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    unpack = ("tar", "--no-same-owner", "-C", str(FOLDER), "-x")
    subprocess.run(unpack, input=base64.b64decode(packed), check=True)
    for path in sorted(FOLDER.rglob("*")):
        os.chmod(path, 0o755 if path.is_dir() else 0o644)
        if path.is_file():
            _without_outer_names(path)
            without_prose(path)


def without_prose(path: Path) -> None:
    """What Debian's packages say in comments of ufw's and nginx's files is theirs, and no answer to an audit;
    nor are nginx's types of files. Marks, and the first line of a script, stay."""
    if path.name == "mime.types":
        path.write_text("types {\n}\n")
    elif {"ufw", "nginx"} & set(path.parts) and path.name not in RENDERED:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(filter(_says_something, lines)), encoding="utf-8")


def _says_something(line: str) -> bool:
    text = line.strip()
    return not text.startswith("#") or text.startswith(("###", "#!")) or "PORTGEN" in text


def _without_outer_names(path: Path) -> None:
    """The control groups begin with the test host's own, which differs from run to run."""
    text = path.read_bytes()
    path.write_bytes(re.sub(rb"/portgen-testhost-[a-z0-9]+", b"", text))
