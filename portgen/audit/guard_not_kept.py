"""The guard is not in ufw's files as it is declared, so it is gone after the next boot.

The kernel may have it now. ufw loads the block of after.rules, or after6.rules, when it starts, and
after.init adds the jump to it. portgen's script writes both.

Symptom:
    None yet; after the next reboot more people can reach what docker publishes.
Ends it:
    sh /srv/portgen/output/es-docker/ufw/portgen-ufw.sh
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _guard
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._guard import Declared
from portgen.problem import Severity, listed
from portgen.targets.ufw import loading
from portgen.targets.ufw.writing import CHAIN

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR
_EXECUTABLE = 0o100


def check(host: Audited) -> Iterator[Finding]:
    if not host.firewall.is_installed:
        return
    guarded = []
    for family in _guard.families(host):
        wanted = _guard.declared(host, family)
        if wanted.services:
            guarded.append(wanted)
            yield from _rules(host, wanted)
    if guarded:
        yield from _init(host, guarded)


def _rules(host: Audited, wanted: Declared) -> Iterator[Finding]:
    path = loading.rules_file("after", wanted.family.number)
    text = host.firewall.texts.get(path, "")
    block = text.partition(f"\n{loading.BEGIN}\n")[2].partition(f"\n{loading.END}")[0]
    if not block:
        yield _finding(host, [wanted], f"{path} lacks the block of the guard", path)
        return
    there = _guard.in_file(block)
    for table in _guard.TABLES:
        forms = [wanted.family.form(rule) for rule in there.rules(table, CHAIN)]
        if forms != wanted.forms or (table, CHAIN) not in there.policies:
            message = f"{path} does not have the guard as it is declared"
            yield _finding(host, [wanted], message, path)
            return


def _init(host: Audited, guarded: list[Declared]) -> Iterator[Finding]:
    file = host.firewall.files.get(loading.INIT)
    lines = None if file is None else loading.init_block(file.text or "")
    families = tuple(wanted.family.number for wanted in guarded)
    message = ""
    if lines is None:
        message = f"{loading.INIT} lacks the block with the jumps to the guard"
    elif lines != loading.init_lines(families):
        message = f"{loading.INIT} does not have the jumps to the guard as they should be"
    elif file is not None and not file.mode & _EXECUTABLE:
        message = f"{loading.INIT} is not executable, so the jumps to the guard are not made"
    if message:
        yield _finding(host, guarded, message, loading.INIT)


def _finding(host: Audited, guarded: list[Declared], message: str, path: str) -> Finding:
    names = list(dict.fromkeys(guard.service for one in guarded for guard, _ in one.services))
    service = names[0] if len(names) == 1 else None
    return Finding(
        f"{message}: after the next boot {listed(names)} can be reached by everybody",
        host.key_path(service),
        service=service,
        declared=names,
        found=path,
        do=_commands.firewall(host),
    )
