"""ufw does not filter, so every port of the host is as open as its program makes it.

ufw is not installed or not enabled, its chains are not in the kernel, or the kernel lets in what no rule
denies. Before it is enabled, a rule has to let in whoever works on the host by ssh: where none does, the
command begins with one. `ufw show added` lists the rules.

Symptom:
    Anybody can reach every port, from everywhere; `ufw status` says `inactive`.
Ends it:
    ufw --force enable
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import Family, Firewall, whole
from portgen.plan.ports import is_loopback
from portgen.problem import Severity, listed
from portgen.targets.ufw import loading

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    firewall = host.firewall
    if not firewall.is_needed:
        return
    if not firewall.is_installed:
        yield _finding(
            host, "ufw is not installed: no rule keeps anybody out", "installed", "missing"
        )
        return
    missing = [family for family in firewall.all.values() if _is_missing(firewall, family)]
    if not firewall.is_enabled:
        now = (
            ""
            if missing
            else ": its rules, which are in the kernel now, are gone after the next boot"
        )
        shut = _shut_out(host, firewall)
        message = f"ufw is not enabled{now}{_warning(shut)}"
        yield _finding(host, message, "enabled", "disabled", _commands.enable_ufw(shut))
        return
    for family in missing:
        message = f"ufw's chains of {family.name} are not in the kernel: no rule keeps anybody out"
        shut = _shut_out(host, firewall)
        message += _warning(shut)
        do = _commands.enable_ufw(shut, is_enabled=True)
        if family.number == 6 and len(missing) == 1:
            do = _commands.edit(
                family.iptables, whole(family.loaded)
            )  # ufw finds itself started already
        yield _finding(host, message, "loaded", "missing", do)
    closed = True
    for family in firewall.all.values():
        if family not in missing and family.tables.policies.get(("filter", "INPUT")) == "ACCEPT":
            closed = False
            yield _open(host, firewall, family)
    if closed and not missing:
        yield from _opens_later(host, firewall)


def _shut_out(host: Audited, firewall: Firewall) -> list[int]:
    """The ports of sshd, where no rule that ufw would load lets anybody reach one of them."""
    if loading.policy(firewall.settings, "input") == "ACCEPT":
        return []
    ports = sorted(set(_of_sshd(host))) or [_commands.SSH]
    for family in firewall.all.values():
        if any(family.lets_in_later(port) for port in ports):
            return []
    return ports


def _of_sshd(host: Audited) -> Iterator[int]:
    for socket in host.sockets:
        process = host.processes.get(socket.pid or 0)
        # A session listens, too, for what is forwarded through it.
        is_session = process is not None and process.parent != 1
        if socket.program == "sshd" and not is_session and not is_loopback(socket.address):
            yield socket.port


def _warning(ports: list[int]) -> str:
    if not ports:
        return ""
    return (
        f"; none of its rules lets anybody in by ssh (port {listed([str(one) for one in ports])})"
    )


def _is_missing(firewall: Firewall, family: Family) -> bool:
    return firewall.is_taken(family) and not family.has(family.chain("user-input"))


def _open(host: Audited, firewall: Firewall, family: Family) -> Finding:
    do = _commands.policy(family.iptables, "INPUT", "DROP")
    because = "the policy of INPUT is ACCEPT"
    if firewall.is_taken(family) and loading.policy(firewall.settings, "input") == "ACCEPT":
        do = _commands.deny_incoming()
        because = f"DEFAULT_INPUT_POLICY in {loading.DEFAULTS} is ACCEPT"
    message = f"{because}: by {family.name}, whoever no rule denies is let in"
    return _finding(host, message, "DROP", "ACCEPT", do)


def _opens_later(host: Audited, firewall: Firewall) -> Iterator[Finding]:
    """What the kernel keeps closed now, and ufw opens when it starts the next time."""
    has_policy = loading.has_policy(firewall.settings, "input")
    if has_policy and loading.policy(firewall.settings, "input") != "ACCEPT":
        return
    found = "ACCEPT" if has_policy else "missing"
    message = (
        f"DEFAULT_INPUT_POLICY in {loading.DEFAULTS} is {found}: after the next boot all is open"
    )
    do = _commands.with_line(loading.DEFAULTS, loading.set_policy("input", "DROP"))
    yield _finding(host, message, "DROP", found, do)


def _finding(host: Audited, message: str, declared: str, found: str, do: str = "") -> Finding:
    return Finding(
        message, host.host.key_path, declared=declared, found=found, do=do, everywhere="ufw"
    )
