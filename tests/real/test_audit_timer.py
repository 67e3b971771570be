"""The timer of docs/audit.md, installed as it is printed: it audits this host by itself, reads as little as
it says, and leaves a whole file whatever the audit finds."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.real.deployed import REPOSITORY
from tests.real.estate import Estate
from tests.real.testhost import wait_until
from tests.tools.test_guides import Block, blocks_of

SERVICE, TIMER = "audit-portgen.service", "audit-portgen.timer"
UNITS = "/etc/systemd/system"
FILE = "/var/lib/prometheus/node-exporter/portgen.prom"
FORWARDER = "portgen-smartnumbers.service"
FINDING = re.compile(r'^portgen_audit_findings\{.*rule="([^"]*)".*\} [1-9]', re.MULTILINE)
SUCCESS = re.compile(r"^portgen_audit_last_success_timestamp_seconds\S* (\S+)$", re.MULTILINE)


def printed() -> list[Block]:
    page = (REPOSITORY / "docs/audit.md").read_text(encoding="utf-8")
    return list(blocks_of(page.partition("\n## Every five minutes\n")[2]))


@pytest.fixture(scope="module")
def timer(installed: Estate) -> Iterator[Estate]:
    """The estate with the page's units, and its commands run."""
    written = [block for block in printed() if block.path is not None]
    assert [block.path for block in written] == [f"{UNITS}/{SERVICE}", f"{UNITS}/{TIMER}"]
    (commands,) = [block.text for block in printed() if block.language == "sh"]
    installed.host.put_all({str(block.path): block.text for block in written})
    try:
        installed.host.sh(commands)
        yield installed
    finally:
        installed.host.sh(
            f"systemctl disable --now {TIMER}; systemctl reset-failed {SERVICE} || true; "
            f"rm -rf {UNITS}/{SERVICE} {UNITS}/{TIMER} /var/lib/prometheus; systemctl daemon-reload"
        )


def run(estate: Estate) -> str:
    """One run of the service, to its end: its result, as systemd has it. More than five in ten seconds
    would be too many for systemd."""
    estate.host.run("systemctl", "reset-failed", SERVICE, check=False)
    estate.host.run("systemctl", "start", SERVICE, check=False)
    shown = estate.host.run("systemctl", "show", "--property=Result,ExecMainStatus", SERVICE)
    return " ".join(sorted(shown.stdout.split()))


def succeeded(estate: Estate) -> float:
    """When the last audit succeeded, as the file says it."""
    found = SUCCESS.search(estate.host.sh(f"cat {FILE}").stdout)
    assert found is not None
    return float(found[1])


def findings(estate: Estate) -> list[str]:
    """What the file says is not as declared."""
    return FINDING.findall(estate.host.sh(f"cat {FILE}").stdout)


def test_the_timer_runs_it_by_itself(timer: Estate) -> None:
    def there() -> bool:
        return timer.host.run("test", "-s", FILE, check=False).returncode == 0

    # Two minutes after the boot, and up to one more: systemd runs the timers of a minute together.
    wait_until("the timer has run the audit", there)
    listed = timer.host.run("systemctl", "list-timers", "--no-legend", TIMER).stdout
    assert listed.split()[-2:] == [TIMER, SERVICE]
    assert "left" in listed or "min" in listed, "it does not run again"


def test_it_sees_what_an_audit_by_root_sees(timer: Estate) -> None:
    """Within its limits nothing is unseen: that would be exit code 4."""
    assert run(timer) == "ExecMainStatus=0 Result=success"
    assert timer.host.run("stat", "--format", "%a", FILE).stdout.strip() == "644"
    assert timer.host.sh(f"ls {FILE.rpartition('/')[0]}").stdout.split() == ["portgen.prom"]


def test_a_finding_fails_the_unit_and_stands_in_the_file(timer: Estate) -> None:
    run(timer)
    before = succeeded(timer)
    timer.host.run("systemctl", "stop", FORWARDER)
    try:
        assert run(timer) == "ExecMainStatus=1 Result=exit-code"
        assert "unit-stopped" in findings(timer)
        assert succeeded(timer) > before
    finally:
        timer.host.run("systemctl", "start", FORWARDER)
    assert run(timer) == "ExecMainStatus=0 Result=success"
    assert "unit-stopped" not in findings(timer)


def test_an_audit_that_can_t_be_made_leaves_the_last_file(timer: Estate) -> None:
    run(timer)
    before = timer.host.sh(f"cat {FILE}").stdout
    timer.host.sh("mv /srv/portgen/inventory.yaml /srv/portgen/away")
    try:
        assert "Result=exit-code" in run(timer)
    finally:
        timer.host.sh("mv /srv/portgen/away /srv/portgen/inventory.yaml")
    assert timer.host.sh(f"cat {FILE}").stdout == before


def test_an_install_leaves_it_alone(timer: Estate) -> None:
    timer.run_install()
    assert timer.host.run("systemctl", "is-enabled", TIMER).stdout.strip() == "enabled"
    assert timer.host.run("systemctl", "is-active", TIMER).stdout.strip() == "active"
    assert run(timer) == "ExecMainStatus=0 Result=success"
