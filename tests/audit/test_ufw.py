"""The firewall: what differs between the inventory, the kernel and ufw's files, each fault by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from portgen.audit import Audited, Found, Places
from portgen.plan.live import InstalledFile
from portgen.targets import Command, Files, Said, Seen
from tests.audit import hosts

SCRIPT = "sh /srv/portgen/output/es-docker/ufw/portgen-ufw.sh"
LAN = "192.168.0.0/16"


class Firewall:
    """The firewall of a host, to be changed and audited."""

    def __init__(self, folder: Path) -> None:
        self.host, self.rendered = hosts.of_folder(folder)
        self.seen = hosts.clean(self.host, self.rendered)

    def kernel(self, family: int = 4) -> str:
        return self.seen.commands[_saved(family)].text

    def set_kernel(self, text: str, family: int = 4) -> None:
        self.seen.commands[_saved(family)] = Said(0, text)

    def change(self, old: str, new: str, family: int = 4) -> None:
        """Put a line, or a part of one, in another's place."""
        text = self.kernel(family)
        assert text.count(old) == 1, f"{text.count(old)} times in the kernel: {old}"
        self.set_kernel(text.replace(old, new), family)

    def remove(self, line: str, family: int = 4) -> None:
        self.change(f"{line}\n", "", family)

    def insert(self, line: str, before: str = "", family: int = 4) -> None:
        """Put a rule before another one; first in its chain where nothing is said."""
        chain = line.split()[1]
        text = self.kernel(family)
        head, found, tail = text.partition("*filter\n")
        place = tail.index(f"\n{before or f'-A {chain} '}") + 1
        self.set_kernel(f"{head}{found}{tail[:place]}{line}\n{tail[place:]}", family)

    def file(self, name: str) -> str:
        return str(self._file(name).text)

    def _file(self, name: str) -> InstalledFile:
        for files in self.seen.folders.values():
            for file in files:
                if isinstance(file, InstalledFile) and file.path.endswith(f"/{name}"):
                    return file
        raise AssertionError(name)

    def set_file(self, name: str, text: str, mode: int | None = None) -> None:
        old = self._file(name)
        new = old._replace(text=text, mode=old.mode if mode is None else mode)
        for ask, files in self.seen.folders.items():
            if not isinstance(files, str):
                self.seen.folders[ask] = tuple(new if file == old else file for file in files)

    def change_file(self, name: str, old: str, new: str) -> None:
        text = self.file(name)
        assert text.count(old) == 1, f"{text.count(old)} times in {name}: {old}"
        self.set_file(name, text.replace(old, new))

    def allow(self, rule: str, line: str, family: int = 4, *, first: bool = False) -> None:
        """A rule of ufw's: its tuple, and the rule, in the file and in the kernel."""
        name = "user6.rules" if family == 6 else "user.rules"
        chain = "ufw6-user-input" if family == 6 else "ufw-user-input"
        added = f"### tuple ### {rule}\n-A {chain} {line}\n\n"
        mark = "### RULES ###\n\n" if first else "### END RULES ###"
        text = self.file(name)
        place = text.index(mark) + (len(mark) if first else 0)
        self.set_file(name, text[:place] + added + text[place:])
        if first:
            self.insert(f"-A {chain} {line}", family=family)
            return
        before, mark, after = self.kernel(family).rpartition("\nCOMMIT\n*nat")
        if not mark:
            before, mark, after = self.kernel(family).rpartition("\nCOMMIT\n#")
        self.set_kernel(f"{before}\n-A {chain} {line}{mark}{after}", family)

    def audit(self) -> list[Found]:
        return hosts.found(self.host, self.seen, self.rendered, "ufw")

    def one(self, rule: str) -> Found:
        """The only finding."""
        found = self.audit()
        assert [one.rule for one in found] == [rule], found
        return found[0]


def _saved(family: int) -> tuple[str, ...]:
    return ("ip6tables-save" if family == 6 else "iptables-save",)


@pytest.fixture
def es() -> Firewall:
    return Firewall(hosts.REPOSITORY)


SMARTNUMBERS = f"-A ufw-user-input -s {LAN} -p tcp -m tcp --dport 5007 -j ACCEPT"


# --- nothing, and not seen ------------------------------------------------------------------------


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_a_clean_firewall_gives_nothing(folder: Path) -> None:
    assert Firewall(folder).audit() == []


def _gaps(firewall: Firewall) -> list[str]:
    places = Places("/srv/portgen", "/srv/portgen/output/es-docker", ("docker-compose",))
    audited = Audited(firewall.host, firewall.seen, firewall.rendered, places, ("ufw",))
    assert firewall.audit() == []
    return [gap.why for gap in audited.gaps if gap.whole]


def test_without_root_nothing_of_it_is_seen(es: Firewall) -> None:
    why = "only root may ask iptables-save"
    es.seen.commands[_saved(4)] = Said(1, "", why=why)
    assert _gaps(es) == [why]


def test_a_file_that_cannot_be_read_is_not_fine(es: Firewall) -> None:
    es.set_file("user.rules", "")
    for ask, files in es.seen.folders.items():
        if ask == Files("/etc/ufw", "*.rules") and not isinstance(files, str):
            es.seen.folders[ask] = tuple(
                file._replace(text=None, why="Permission denied") for file in files
            )
    assert _gaps(es) == ["/etc/ufw/after.rules: Permission denied"]


def test_ufw_is_not_asked_for_where_nothing_needs_it() -> None:
    host, rendered = hosts.declared("version: 1\nhosts: {a: {}}\nprojects: {a: {ports: 5000}}\n")
    seen = Seen("a")
    for ask in list(hosts.asks(host, seen, ("ufw",))):
        if isinstance(ask, Files):
            seen.folders[ask] = ()
    assert not any(isinstance(ask, Command) for ask in hosts.asks(host, seen, ("ufw",)))
    assert hosts.found(host, seen, rendered, "ufw") == []


# --- firewall-off ---------------------------------------------------------------------------------


def test_ufw_is_not_installed(es: Firewall) -> None:
    for ask in es.seen.folders:
        if ask.folder == "/etc/ufw":
            es.seen.folders[ask] = ()
    assert "not installed" in es.one("firewall-off").finding.message


def test_ufw_is_not_enabled(es: Firewall) -> None:
    es.change_file("ufw.conf", "ENABLED=yes", "ENABLED=no")
    found = es.one("firewall-off").finding
    assert (found.do, found.found) == ("ufw --force enable", "disabled")


def test_the_policy_lets_in(es: Firewall) -> None:
    es.change(":INPUT DROP", ":INPUT ACCEPT", family=6)
    found = es.one("firewall-off").finding
    assert found.do == "ip6tables -w -P INPUT DROP"
    assert "by IPv6" in found.message


# --- rule-missing ---------------------------------------------------------------------------------


def test_a_rule_that_only_the_file_has(es: Firewall) -> None:
    es.remove(SMARTNUMBERS)
    found = es.one("rule-missing").finding
    assert (found.service, str(found.port)) == ("smartnumbers", "5007/tcp")
    assert (found.declared, found.found) == ([LAN], [])
    assert found.do == "iptables-restore -w --noflush </etc/ufw/user.rules"


def test_a_rule_that_only_the_kernel_has(es: Firewall) -> None:
    es.change_file("user.rules", "allow tcp 5007 ", "allow tcp 5999 ")
    rules = [one.rule for one in es.audit()]
    assert "rule-missing" in rules
    found = next(one.finding for one in es.audit() if one.rule == "rule-missing")
    assert found.do == SCRIPT


def test_one_family_is_missing(es: Firewall) -> None:
    es.remove("-A ufw6-user-input -p tcp -m tcp --dport 80 -j ACCEPT", family=6)
    found = es.one("rule-missing").finding
    assert found.service == "nginx"
    assert found.message == "port 80 is not open to any by IPv6: the rule is missing"
    assert found.do == "ip6tables-restore -w --noflush </etc/ufw/user6.rules"


# --- rule-dead ------------------------------------------------------------------------------------


def test_an_earlier_deny(es: Firewall) -> None:
    es.allow(
        "deny tcp 5007 0.0.0.0/0 any 192.168.0.0/24 in",
        "-s 192.168.0.0/24 -p tcp -m tcp --dport 5007 -j DROP",
        first=True,
    )
    found = es.one("rule-dead").finding
    assert (found.service, str(found.port)) == ("smartnumbers", "5007/tcp")
    assert found.do == "ufw delete deny proto tcp from 192.168.0.0/24 to any port 5007"


def test_a_ban_of_one_address_is_none(es: Firewall) -> None:
    es.allow(
        "reject any any 0.0.0.0/0 any 192.168.0.77 in",
        "-s 192.168.0.77/32 -j REJECT --reject-with icmp-port-unreachable",
        first=True,
    )
    assert es.audit() == []


def test_a_deny_in_its_place(es: Firewall) -> None:
    es.change(SMARTNUMBERS, SMARTNUMBERS.replace("ACCEPT", "DROP"))
    es.change_file(
        "user.rules", f"--dport 5007 -s {LAN} -j ACCEPT", f"--dport 5007 -s {LAN} -j DROP"
    )
    es.change_file("user.rules", "allow tcp 5007 ", "deny tcp 5007 ")
    found = es.one("rule-dead").finding
    assert found.do == f"ufw delete deny proto tcp from {LAN} to any port 5007\n{SCRIPT}"


# --- rules-not-loaded -----------------------------------------------------------------------------


def test_a_rule_that_no_file_has(es: Firewall) -> None:
    es.insert("-A ufw-user-input -p tcp -m tcp --dport 9999 -j ACCEPT")
    found = es.one("rules-not-loaded").finding
    assert found.do == "iptables -w -D ufw-user-input -p tcp -m tcp --dport 9999 -j ACCEPT"


def test_a_rule_that_the_kernel_lacks(es: Firewall) -> None:
    es.remove("-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT")
    found = es.one("rules-not-loaded").finding
    assert (
        found.do == "iptables -w -I ufw-before-input 8 -p icmp --icmp-type echo-request -j ACCEPT"
    )
