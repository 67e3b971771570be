"""`portgen audit` on a host that runs: each kind of fault is named, with its service and the commands that
end it, and these, run as they are printed, end it. On a host as declared it finds nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portgen.machine.observe import COMMANDS
from tests.real import audited, faults
from tests.real.audited import Ground
from tests.real.deployed import REPOSITORY
from tests.real.estate import Estate
from tests.real.faults import Change, Fault

Kind = Change | Fault


@pytest.fixture(scope="module")
def ground(installed: Estate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The estate with what the catalogue needs, and portgen as its operator has it there."""
    with audited.ground(installed, tmp_path_factory.mktemp("ground")) as made:
        yield made


@pytest.mark.parametrize("happens", audited.QUIET, ids=lambda event: event.__name__)
def test_on_a_host_as_declared_it_finds_nothing(
    ground: Ground, happens: Callable[[Estate], None]
) -> None:
    """Four audits after each; visitors come meanwhile."""
    happens(ground.estate)
    report = audited.settled(ground.estate)
    assert report.clean, str(report)
    with ground.estate.watched():
        reports = [audited.audit(ground.estate) for _ in range(4)]
    assert all(report.clean for report in reports), "\n".join(map(str, reports))


SMARTNUMBERS = "portgen-smartnumbers.service"
# Paths that it may open for writing, beside those in the record's folder.
NOWHERE = ("/dev/null", "/dev/tty")
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
# Calls that change something, whatever they are given.
CHANGES = "creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,link,linkat,symlink"
CHANGES += ",symlinkat,mknod,mknodat,chmod,fchmodat,chown,lchown,fchownat,truncate,utimensat,mount"
RECORD = "/run/audit-record"
OWN = ("portgen", "python3")  # the command, which is a shell script here, and what that runs


def test_it_runs_what_is_listed_and_writes_into_its_record_only(ground: Ground) -> None:
    traced = f"""
        rm -rf {RECORD} /run/audit-trace; mkdir /run/audit-trace
        strace -ff -qq -s 4096 -e trace=execve,execveat,open,openat,connect,kill,{CHANGES} \
            -o /run/audit-trace/of portgen -C /srv/portgen audit --record {RECORD} 2>&1
        cat /run/audit-trace/*; rm -rf {RECORD} /run/audit-trace
    """
    lines = ground.estate.host.sh(traced).stdout.splitlines()
    done = [line for line in lines if " = -1 " not in line]
    ran = [shell_words(line) for line in done if line.startswith("execve")]
    others = [argv for argv in ran if argv[0] not in OWN]
    assert others
    assert [argv for argv in others if not is_listed(argv)] == []
    assert len(others) + 1 <= 8
    written = [line for line in done if line.startswith("open") and WRITES.search(line)]
    assert any(RECORD in line for line in written)
    assert [line for line in written if not inside(line)] == []
    changing = tuple(f"{name}(" for name in CHANGES.split(","))
    assert [line for line in done if line.startswith(changing) and not inside(line)] == []
    sent = [line for line in done if line.startswith("connect") and "AF_INET" in line]
    assert [line for line in sent if '"127.0.0.1"' not in line] == []


def is_listed(argv: list[str]) -> bool:
    return any(tuple(argv[: len(start)]) == start for start in COMMANDS)


def shell_words(line: str) -> list[str]:
    """The arguments of an `execve`, the program without its folder."""
    argv: list[str] = json.loads(re.findall(r'execve\("[^"]*", (\[.*\]), 0x', line)[0])
    return [argv[0].rpartition("/")[2], *argv[1:]]


def inside(line: str) -> bool:
    """Whether a call names a path in the record's folder, or one that keeps nothing."""
    path = re.findall(r'"([^"]*)"', line)[0]
    return path in NOWHERE or f"{path}/".startswith(f"{RECORD}/")


def test_an_audit_of_25_services_is_quick(
    ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    """No limit is checked: the machine may be busy. The figure is printed."""
    begun = time.monotonic()
    assert audited.audit(ground.estate).clean
    with capsys.disabled():
        print(f"\none audit took {time.monotonic() - begun:.2f} s")


def test_the_timer_of_the_documentation_writes_what_the_audit_finds(ground: Ground) -> None:
    """The units of docs/audit.md, as they are; the service is sandboxed, and sees everything all the same."""
    page = (REPOSITORY / "docs" / "audit.md").read_text(encoding="utf-8")
    units = dict(
        re.findall(
            r"^Write `(/etc/systemd/\S+)`:\n\n```ini\n(.*?)^```$", page, re.MULTILINE | re.DOTALL
        )
    )
    (commands,) = re.findall(r"^```sh\n([^`]*audit-portgen\.timer\n)```$", page, re.MULTILINE)
    host, prom = ground.estate.host, "/var/lib/prometheus/node-exporter/portgen.prom"
    with ground.put_right():
        try:
            host.put_all(units)
            host.sh(commands)
            host.run("systemctl", "is-active", "audit-portgen.timer")
            host.run("systemctl", "start", "audit-portgen.service")
            clean = host.read(prom)
            host.run("systemctl", "stop", SMARTNUMBERS)
            failed = host.run("systemctl", "start", "audit-portgen.service", check=False)
            found = host.read(prom)
        finally:
            host.sh(
                f"systemctl start {SMARTNUMBERS}; systemctl disable --now audit-portgen.timer; "
                f"rm {' '.join(units)} {prom}; systemctl daemon-reload; systemctl reset-failed"
            )
    assert failed.returncode != 0
    assert 'rule="unit-stopped"} 1\n' in found
    assert 'rule="unit-stopped"} 0\n' in clean


def named(kinds: Iterable[Kind]) -> list[Any]:
    """Those that CI has time for, by name."""
    return [pytest.param(kind, id=kind.name) for kind in kinds if kind.name not in faults.LONG]


@pytest.mark.parametrize("fault", named(faults.FAULTS))
def test_a_fault_is_named_and_its_remedy_ends_it(ground: Ground, fault: Fault) -> None:
    with ground.put_right():
        ground.estate.host.sh(fault.make)
        ground.prove(fault)


@pytest.mark.parametrize("change", named(faults.CHANGES))
def test_a_change_that_was_installed_in_part_is_finished(
    ground: Ground, edited: Callable[..., Path], change: Change
) -> None:
    with ground.put_right():
        ground.half(edited(*faults.GROUND, *change.edits), change.forth)
        ground.half(ground.project, change.back)
