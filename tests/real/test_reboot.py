"""A reboot: everything is back without help."""

from __future__ import annotations

from tests.real.estate import HOST, Estate
from tests.real.testhost import wait_until


def test_after_a_reboot_everything_is_back_without_help(estate: Estate) -> None:
    before = estate.host.run("cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat").stdout
    estate.host.reboot()
    assert estate.host.run("cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat").stdout != before
    wait_until("every route answers with its own dashboard's name", estate.all_well, seconds=60)
    direct, api = estate.reach("lan", [(HOST["lan"], 5007, "tcp"), (HOST["lan"], 5400, "tcp")])
    assert (direct, api) == ("open", "open")
    assert estate.reach("outside", [(HOST["outside"], 5007, "tcp"), (HOST["outside"], 443, "tcp")]) == [
        "silent",
        "open",
    ]
    failed = estate.host.run("systemctl", "list-units", "--failed", "--plain", "--no-legend").stdout
    assert failed == ""
