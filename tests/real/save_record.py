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
from tests.real.estate import REPOSITORY, Estate

FOLDER = REPOSITORY / "tests" / "audit" / "recorded" / "es-docker"
THERE = "/run/audit-record"


def test_the_record_is_saved(installed: Estate) -> None:
    audited.deploy(installed.host)
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


def _without_outer_names(path: Path) -> None:
    """The control groups begin with the test host's own, which differs from run to run."""
    text = path.read_bytes()
    path.write_bytes(re.sub(rb"/portgen-testhost-[a-z0-9]+", b"", text))
