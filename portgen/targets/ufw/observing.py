"""The firewall: what the kernel has, and what ufw's files say.

In: the answers of a live host. Out: `live.Kernel` and `live.Ufw` of each family, and ufw's files. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.formats import iptables, ufw
from portgen.plan.live import Gap, InstalledFile, Kernel, Thing, Ufw
from portgen.plan.types import Host
from portgen.targets import Ask, Command, Files, Seen, UnseenError
from portgen.targets.ufw import loading

SAVED = {4: ("iptables-save",), 6: ("ip6tables-save",)}
FILES = (
    Files(loading.FOLDER, "*.rules"),
    Files(loading.FOLDER, "*.init"),
    Files(loading.FOLDER, "ufw.conf"),
    Files("/etc/default", "ufw"),
)
# It is there where the kernel knows IPv6; otherwise nobody can come by it.
IPV6 = Files("/proc/sys/net/ipv6", "bindv6only")


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    yield from FILES
    yield IPV6
    if host.openings or host.guards or _is_installed(seen):
        yield Command(SAVED[4], needs_root=True)
        if IPV6 in seen.folders and seen.folders[IPV6] != ():
            yield Command(SAVED[6], needs_root=True)


def _is_installed(seen: Seen) -> bool:
    return bool(seen.folders.get(FILES[0]))


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    texts = {}
    for ask in FILES:
        for file in seen.files(ask.folder, ask.pattern):
            if file.text is None:
                raise UnseenError(f"{file.path}: {file.why}")
            texts[file.path] = file.text
            yield file
    for family in loading.FAMILIES:
        path = loading.rules_file("user", family)
        if path in texts:
            yield Ufw(family, tuple(ufw.tuples(texts[path])), texts[path])
    if not (host.openings or host.guards or texts):
        return
    for family in loading.FAMILIES if _has_ipv6(seen) else (4,):
        yield _kernel(family, seen)
        yield from _unread(family, seen)


def _has_ipv6(seen: Seen) -> bool:
    files: tuple[InstalledFile, ...] = seen.files(IPV6.folder, IPV6.pattern)
    return bool(files)


def _kernel(family: int, seen: Seen) -> Kernel:
    text = seen.said(*SAVED[family])
    try:
        found = iptables.tables(text)
    except ValueError as error:
        raise UnseenError(f"{SAVED[family][0]}: {error}") from None
    rules = tuple(rule for chain in found.chains.values() for rule in chain)
    return Kernel(family, found.policies, rules)


# What iptables-save says where other rules are in force, too: of iptables-legacy, and of nft.
_HIDES = ("tables present, use", "is incompatible, use")


def _unread(family: int, seen: Seen) -> Iterator[Gap]:
    """What the kernel may have besides the rules that were read: a rule that is not seen may let anybody
    in."""
    said = seen.commands[SAVED[family]]
    for line in (*said.text.split("\n"), *said.complaint.split("\n")):
        if any(words in line for words in _HIDES) and not line.startswith("-A"):
            yield Gap("ufw", f"{SAVED[family][0]}: {line.strip('# ')}", whole=False)
