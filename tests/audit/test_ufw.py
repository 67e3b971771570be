"""The firewall: what differs between the inventory, the kernel and ufw's files, each fault by itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portgen.audit import Audited, Found, Places
from portgen.plan.live import InstalledFile
from portgen.targets import Command, Files, Said, Seen
from portgen.targets.ufw import loading
from tests.audit import hosts

SCRIPT = "sh /srv/portgen/output/es-docker/ufw/portgen-ufw.sh"
LAN = "192.168.0.0/16"


class Firewall:
    """The firewall of a host, to be changed and audited."""

    def __init__(self, declared: hosts.Declared) -> None:
        self.host, self.rendered = declared
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

    def audited(self) -> Audited:
        places = Places("/srv/portgen", "/srv/portgen/output/es-docker", ("docker-compose",))
        return Audited(self.host, self.seen, self.rendered, places, ("ufw",))

    def insert_nat(self, line: str) -> None:
        """A rule at the end of the table nat, which is the last one."""
        before, mark, after = self.kernel().rpartition("\nCOMMIT\n#")
        self.set_kernel(f"{before}\n{line}{mark}{after}")

    def audit(self, *sources: str) -> list[Found]:
        return hosts.found(self.host, self.seen, self.rendered, *(sources or ("ufw",)))

    def one(self, rule: str) -> Found:
        """The only finding."""
        found = self.audit()
        assert [one.rule for one in found] == [rule], found
        return found[0]


def _saved(family: int) -> tuple[str, ...]:
    return ("ip6tables-save" if family == 6 else "iptables-save",)


@pytest.fixture
def es() -> Firewall:
    return Firewall(hosts.of_folder(hosts.REPOSITORY))


# Services that docker publishes to the lan, by IPv4 and by IPv6: both have a guard.
GUARDED = """\
version: 1
hosts:
  es-docker:
    zones: {lan: [192.168.0.0/16, "fd00:77::/64"]}
projects:
  annex:
    ports: 6000-6099
    network: {name: annex, subnet: 172.31.0.0/24, subnet6: "fd00:31::/64"}
    defaults: {allow: [lan], via: docker}
    services:
      collector: {port: 6000, container_port: 5000}
      relay: {port: 6001, protocol: udp, container_port: 514}
      media: {ports: [{port: 6010-6019, protocol: udp, container_port: 6010}]}
"""


@pytest.fixture
def annex() -> Firewall:
    return Firewall(hosts.declared(GUARDED))


SMARTNUMBERS = f"-A ufw-user-input -s {LAN} -p tcp -m tcp --dport 5007 -j ACCEPT"


# --- nothing, and not seen ------------------------------------------------------------------------


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_a_clean_firewall_gives_nothing(folder: Path) -> None:
    assert Firewall(hosts.of_folder(folder)).audit() == []


def test_a_clean_guard_of_both_families_gives_nothing(annex: Firewall) -> None:
    assert "--ctorigdstport 6010:6019" in annex.kernel(6)
    assert annex.audit() == []


OTHERS = (
    # fail2ban, a tool's chain in INPUT, and what an operator let in and logs.
    "-A INPUT -p tcp -m multiport --dports 22,80,443 -j f2b-sshd",
    "-A f2b-sshd -s 203.0.113.7/32 -j REJECT --reject-with icmp-port-unreachable",
    "-A f2b-sshd -s 192.168.0.9/32 -j REJECT --reject-with icmp-port-unreachable",
    "-A f2b-sshd -j RETURN",
    "-A INPUT -p tcp -m tcp --dport 2222 -j ACCEPT",
    "-A INPUT -p vrrp -j ACCEPT",
    "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A INPUT -p tcp -m tcp --dport 443 -m connlimit --connlimit-above 99 -j DROP",
    "-A INPUT -m limit --limit 1/sec -j LOG --log-prefix mine",
    "-A DOCKER-USER -s 203.0.113.7/32 -j DROP",
    "-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A DOCKER-USER -i br-0123456789ab -j ACCEPT",
    "-A FORWARD -o virbr0 -j LIBVIRT_FWI",
    "-A LIBVIRT_FWI -d 192.168.122.0/24 -o virbr0 -j ACCEPT",
)


@pytest.mark.parametrize("at_the_end", [False, True])
def test_what_others_put_beside_ufw_and_the_guard_is_their_business(
    annex: Firewall, *, at_the_end: bool
) -> None:
    text = annex.kernel()
    for line in reversed(OTHERS):
        chain = line.split()[1]
        if f":{chain} " not in text:
            text = text.replace("*filter\n", f"*filter\n:{chain} - [0:0]\n")
        head, mark, rules = text.partition("*filter\n")
        place = rules.rindex("\nCOMMIT\n*nat") if at_the_end else rules.index("\n-A ")
        text = f"{head}{mark}{rules[:place]}\n{line}{rules[place:]}"
    annex.set_kernel(text)
    assert annex.audit() == []


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("allow tcp 9000 0.0.0.0/0 any 0.0.0.0/0 in", "-p tcp -m tcp --dport 9000 -j ACCEPT"),
        (
            "allow any 53 0.0.0.0/0 any 10.0.0.0/8 in",
            "-s 10.0.0.0/8 -p udp -m udp --dport 53 -j ACCEPT",
        ),
        (
            f"allow tcp 5007 0.0.0.0/0 any {LAN} in comment=6d696e65",
            f"-s {LAN} -p tcp -m tcp --dport 5007 -j ACCEPT",
        ),
        (
            "allow tcp 5007 0.0.0.0/0 any 192.168.7.0/24 in",
            "-s 192.168.7.0/24 -p tcp -m tcp --dport 5007 -j ACCEPT",
        ),
    ],
)
def test_an_operator_s_rule_that_opens_nothing_undeclared(
    es: Firewall, rule: str, line: str
) -> None:
    es.allow(rule, line)
    assert es.audit() == []


RECENT = "--name DEFAULT --mask 255.255.255.255 --rsource"
# Both forms of the same rules: as ufw writes them into its files, and as the kernel prints them.
FORMS = (
    (
        "-p tcp --dport 2200 -m conntrack --ctstate NEW -m recent --set",
        "-p tcp -m tcp --dport 2200 -m conntrack --ctstate NEW -m recent --set --rsource",
    ),
    ("-p icmp --icmp-type echo-request -j ACCEPT", "-p icmp -m icmp --icmp-type 8 -j ACCEPT"),
    ("-s 10.1.2.3/8 -j ACCEPT", "-s 10.0.0.0/8 -j ACCEPT"),
    ("-s 10.0.0.0/255.0.0.0 -j ACCEPT", "-s 10.0.0.0/8 -j ACCEPT"),
    ("-m limit --limit 60/minute -j LOG", "-m limit --limit 1/sec -j LOG"),
    ("-p tcp --syn -j DROP", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"),
    (
        "-m state --state NEW,ESTABLISHED -j ACCEPT",
        "-m conntrack --ctstate ESTABLISHED,NEW -j ACCEPT",
    ),
    ("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable"),
    ("-p tcp --destination-port 80: -j DROP", "-p tcp -m tcp --dport 80:65535 -j DROP"),
    ("-p 47 -s 0.0.0.0/0 -j ACCEPT -m comment --comment x", "-p gre -j ACCEPT"),
    ("-j LOG --log-level warning --log-prefix 'a b '", '-j LOG --log-prefix "a b "'),
    ("-j MARK --set-mark 1", "-j MARK --set-xmark 0x1/0xffffffff"),
)


@pytest.mark.parametrize(("written", "printed"), FORMS)
def test_a_rule_of_ufw_s_file_is_found_in_the_kernel(
    es: Firewall, written: str, printed: str
) -> None:
    es.change_file(
        "before.rules",
        "-A ufw-not-local -j DROP",
        f"-A ufw-not-local {written}\n-A ufw-not-local -j DROP",
    )
    assert [one.rule for one in es.audit()] == ["rules-not-loaded"]
    es.insert(f"-A ufw-not-local {printed}", before="-A ufw-not-local -j DROP")
    assert es.audit() == []


def _gaps(firewall: Firewall) -> list[str]:
    assert firewall.audit() == []
    return [gap.why for gap in firewall.audited().gaps if gap.whole]


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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # A comment may have a line break, and iptables-save prints it as it is.
        ("-A INPUT ", '-A INPUT -m comment --comment "a\nb" -j ACCEPT\n-A INPUT '),
        ("*filter", "# Table `raw' is incompatible, use 'nft' tool.\n*filter"),
        ("COMMIT", ""),
    ],
)
@pytest.mark.parametrize("family", [4, 6])
def test_what_iptables_save_does_not_show_is_not_fine(
    es: Firewall, old: str, new: str, family: int
) -> None:
    text = es.kernel(family)
    before, found, after = text.rpartition(f"\n{old}") if old == "COMMIT" else text.partition(old)
    assert found
    es.set_kernel(f"{before}{found.replace(old, new)}{after}", family)
    assert es.audited().gaps


def test_rules_of_iptables_legacy_are_not_seen(es: Firewall) -> None:
    said = es.seen.commands["iptables-save",]
    warning = "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n"
    es.seen.commands["iptables-save",] = said._replace(complaint=warning)
    (gap,) = es.audited().gaps
    assert gap.why == f"iptables-save: {warning.strip('# ' + chr(10))}"


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


SSHD = 'tcp LISTEN 0 128 0.0.0.0:{} 0.0.0.0:* users:(("sshd",pid={},fd=3))\n'
SSH = "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in"
SSH_LINE = "-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n"


def _without_ssh(es: Firewall) -> None:
    """ufw is disabled, and its files have no rule for port 22."""
    es.change_file("ufw.conf", "ENABLED=yes", "ENABLED=no")
    es.change_file("user.rules", SSH_LINE, "")
    es.change_file("user6.rules", SSH_LINE.replace("ufw-", "ufw6-"), "")
    for family in (4, 6):
        es.remove(
            f"-A ufw{'6' if family == 6 else ''}-user-input -p tcp -m tcp --dport 22 -j ACCEPT",
            family,
        )


def _listens(es: Firewall, *lines: str) -> None:
    said = next(words for words in es.seen.commands if words[0] == "ss")
    text = re.sub(r'.*"sshd".*\n', "", es.seen.commands[said].text)
    es.seen.commands[said] = Said(0, text + "".join(lines))


def _off(es: Firewall) -> tuple[str, str]:
    found = [one.finding for one in es.audit("ufw", "sockets") if one.rule == "firewall-off"]
    assert len(found) == 1
    return found[0].message, found[0].do


def test_enabling_ufw_would_lock_out_who_works_by_ssh(es: Firewall) -> None:
    _without_ssh(es)
    message, do = _off(es)
    assert message.endswith("; none of its rules lets anybody in by ssh (port 22)")
    assert do == "ufw allow ssh\nufw --force enable"


def test_enabling_ufw_lets_in_by_ssh_where_it_listens(es: Firewall) -> None:
    es.change_file("ufw.conf", "ENABLED=yes", "ENABLED=no")
    _listens(es, SSHD.format(2222, 99))
    assert _off(es)[1] == "ufw allow 2222/tcp\nufw --force enable"
    _listens(es, SSHD.format(2222, 99), SSHD.format(22, 99))
    assert _off(es)[1] == "ufw --force enable"


@pytest.mark.parametrize(
    "line",
    [
        "-A ufw-user-input -s 10.0.0.0/8 -j ACCEPT\n",
        "-A ufw-user-input -i wg0 -p tcp --dport 22 -j ACCEPT\n",
        "-A ufw-user-input -p tcp -m multiport --dports 20:30 -j ACCEPT\n",
    ],
)
def test_enabling_ufw_locks_nobody_out_whom_another_rule_lets_in(es: Firewall, line: str) -> None:
    _without_ssh(es)
    es.change_file("user.rules", "### END RULES ###", f"{line}### END RULES ###")
    assert _off(es)[1] == "ufw --force enable"


def test_ufw_s_chains_are_gone_and_no_rule_lets_in_by_ssh(es: Firewall) -> None:
    """ufw changes no rules while it counts as enabled and has no chains."""
    _without_ssh(es)
    es.change_file("ufw.conf", "ENABLED=no", "ENABLED=yes")
    es.set_kernel(CLOSED.replace("INPUT DROP", "INPUT ACCEPT"))
    message, do = _off(es)
    assert message.endswith("; none of its rules lets anybody in by ssh (port 22)")
    assert do == "ufw disable\nufw allow ssh\nufw --force enable"


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


def test_a_rule_that_the_file_has_half(es: Firewall) -> None:
    es.change_file("user.rules", f"-A ufw-user-input -p tcp --dport 5007 -s {LAN} -j ACCEPT\n", "")
    found = es.one("rule-missing").finding
    assert "is open to 192.168.0.0/16 by IPv4 until ufw starts again" in found.message
    assert found.do == f"ufw delete allow proto tcp from {LAN} to any port 5007\n{SCRIPT}"


def test_a_rule_that_a_default_asks_for_is_one_of_its_service(es: Firewall) -> None:
    """There people look for it, and there its `ignore` stands."""
    es.remove("-A ufw-user-input -s 192.168.0.0/16 -p tcp -m tcp --dport 5007 -j ACCEPT")
    found = es.one("rule-missing").finding
    assert found.key_path == ("projects", "dashboard", "services", "smartnumbers")
    assert found.message.startswith("port 5007 of smartnumbers is not open to 192.168.0.0/16")


def test_one_family_is_missing(es: Firewall) -> None:
    es.remove("-A ufw6-user-input -p tcp -m tcp --dport 80 -j ACCEPT", family=6)
    found = es.one("rule-missing").finding
    assert found.service == "nginx"
    assert found.message == "port 80 of nginx is not open to any by IPv6: the rule is missing"
    assert found.do == "ip6tables-restore -w --noflush </etc/ufw/user6.rules"


CLOSED = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT DROP [0:0]
-A INPUT -i lo -j ACCEPT
-A OUTPUT -o lo -j ACCEPT
COMMIT
"""


def test_ufw_leaves_ipv6_alone(es: Firewall) -> None:
    """What `any` means is then everybody by IPv4; nothing of the inventory asks for IPv6 alone."""
    es.change_file("default/ufw", "IPV6=yes", "IPV6=no")
    es.set_kernel(CLOSED, family=6)
    assert es.audit() == []
    es.set_kernel(CLOSED.replace(":INPUT DROP", ":INPUT ACCEPT"), family=6)
    assert es.one("firewall-off").finding.do == "ip6tables -w -P INPUT DROP"


def test_ufw_leaves_ipv6_alone_and_somebody_should_come_by_it(annex: Firewall) -> None:
    annex.change_file("default/ufw", "IPV6=yes", "IPV6=no")
    annex.set_kernel(CLOSED, family=6)
    found = [one for one in annex.audit() if one.rule == "rule-missing"]
    (finding,) = (one.finding for one in found)
    assert finding.message.startswith("nobody comes by IPv6 to collector, media, relay")
    assert finding.do.endswith(f"COMMIT | ip6tables-restore -w --noflush\n{SCRIPT}")


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


@pytest.mark.parametrize("words", ["-j RETURN", "-p tcp -g THEIRS"])
def test_a_rule_that_leaves_input_early(es: Firewall, words: str) -> None:
    es.change("*filter\n", "*filter\n:THEIRS - [0:0]\n")
    es.insert(f"-A INPUT {words}")
    found = es.audit()
    assert {one.rule for one in found} == {"rule-dead"}
    assert {one.finding.do for one in found} == {f"iptables -w -D INPUT {words}"}
    assert len(found) > 20


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
    assert found.do == "iptables-restore -w --noflush </etc/ufw/user.rules"


def test_a_rule_that_the_kernel_lacks(es: Firewall) -> None:
    es.remove("-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT")
    found = es.one("rules-not-loaded").finding
    assert (
        found.do == "iptables -w -I ufw-before-input 8 -p icmp --icmp-type echo-request -j ACCEPT"
    )


def test_a_rule_that_no_file_has_in_another_chain(es: Firewall) -> None:
    es.insert("-A ufw-before-input -p tcp -m tcp --dport 9999 -j ACCEPT")
    found = es.one("rules-not-loaded").finding
    assert found.do == "iptables -w -D ufw-before-input -p tcp -m tcp --dport 9999 -j ACCEPT"


def test_rules_in_another_order(es: Firewall) -> None:
    es.remove("-A ufw-before-input -i lo -j ACCEPT")
    es.insert("-A ufw-before-input -i lo -j ACCEPT", before="-A ufw-before-input -j ufw-user-input")
    found = es.one("rules-not-loaded").finding
    assert found.do == (
        "printf '%s\\n' '*filter' '-D ufw-before-input -i lo -j ACCEPT' "
        "'-I ufw-before-input 1 -i lo -j ACCEPT' COMMIT | iptables-restore -w --noflush"
    )


# What ufw 0.36.2 leaves of the rules of `limit` for IPv6 when it is first enabled, without a rule for IPv6.
NOT_YET = (
    "-A ufw6-user-limit -j REJECT --reject-with icmp6-port-unreachable",
    "-A ufw6-user-limit-accept -j ACCEPT",
)


def test_chains_of_limit_that_nothing_leads_to_need_not_be_loaded(es: Firewall) -> None:
    for line in NOT_YET:
        es.remove(line, family=6)
    assert not es.audit()
    es.insert("-A ufw6-user-limit -j ACCEPT", family=6)
    found = [one.finding.message for one in es.audit() if one.rule == "rules-not-loaded"]
    assert "has 1 rule that they don't have (-j ACCEPT)" in found[0]


def test_chains_of_limit_that_a_rule_leads_to_have_to_be_loaded(es: Firewall) -> None:
    for line in NOT_YET:
        es.remove(line, family=6)
    new = "-m conntrack --ctstate NEW -m recent"
    mask = "--name DEFAULT --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource"
    lines = (
        f"-p tcp -m tcp --dport 22 {new} --set {mask}",
        f"-p tcp -m tcp --dport 22 {new} --update --seconds 30 --hitcount 6 {mask} -j ufw6-user-limit",
        "-p tcp -m tcp --dport 22 -j ufw6-user-limit-accept",
    )
    es.allow("limit tcp 22 ::/0 any ::/0 in", "\n-A ufw6-user-input ".join(lines), family=6)
    found = [one.finding.message for one in es.audit() if one.rule == "rules-not-loaded"]
    assert [message.partition(" lacks ")[0] for message in found] == [
        "the kernel's chain ufw6-user-limit",
        "the kernel's chain ufw6-user-limit-accept",
    ]


def test_a_policy_that_ufw_does_not_set(es: Firewall) -> None:
    es.change(":OUTPUT ACCEPT [50", ":OUTPUT DROP [50", family=6)
    assert es.one("rules-not-loaded").finding.do == "ip6tables -w -P OUTPUT ACCEPT"


def test_ipv6_is_switched_off_in_the_file_only(es: Firewall) -> None:
    es.change_file("default/ufw", "IPV6=yes", "IPV6=no")
    found = es.one("rules-not-loaded").finding
    assert found.do == "printf '\\n%s\\n' IPV6=yes >>/etc/default/ufw"


def test_a_file_that_would_open_everything(es: Firewall) -> None:
    es.change_file("default/ufw", 'DEFAULT_INPUT_POLICY="DROP"', 'DEFAULT_INPUT_POLICY="ACCEPT"')
    found = es.one("firewall-off").finding
    assert found.do == "printf '\\n%s\\n' 'DEFAULT_INPUT_POLICY=\"DROP\"' >>/etc/default/ufw"


def test_a_file_that_is_cut_off(es: Firewall) -> None:
    text = es.file("user6.rules")
    es.set_file("user6.rules", text[: text.index("### RATE")])
    found = [one for one in es.audit() if one.rule == "rules-not-loaded"]
    assert "user6.rules is cut off" in found[0].finding.message


# --- rule-wider -----------------------------------------------------------------------------------


def test_the_range_of_a_project(es: Firewall) -> None:
    es.allow(
        "allow tcp 5000:5399 0.0.0.0/0 any 0.0.0.0/0 in",
        "-p tcp -m multiport --dports 5000:5399 -j ACCEPT",
    )
    found = es.one("rule-wider").finding
    assert found.do == "ufw delete allow proto tcp from 0.0.0.0/0 to any port 5000:5399"
    assert "lets anyone" in found.message
    assert set(found.declared) >= {"5000/tcp", "5007/tcp"}
    es.allow(
        "allow tcp 5000:5399 ::/0 any ::/0 in",
        "-p tcp -m multiport --dports 5000:5399 -j ACCEPT",
        family=6,
    )
    assert (
        es.one("rule-wider").finding.do
        == "ufw delete allow proto tcp from any to any port 5000:5399"
    )


@pytest.mark.parametrize(
    ("rule", "line", "delete"),
    [
        (
            "allow tcp 5007 0.0.0.0/0 any 10.0.0.0/8 in comment=6d696e65",
            "-s 10.0.0.0/8 -p tcp -m tcp --dport 5007 -j ACCEPT",
            "allow proto tcp from 10.0.0.0/8 to any port 5007",
        ),
        (
            "allow tcp 5007 0.0.0.0/0 any 0.0.0.0/0 in_eth1",
            "-i eth1 -p tcp -m tcp --dport 5007 -j ACCEPT",
            "allow in on eth1 proto tcp from 0.0.0.0/0 to any port 5007",
        ),
        (
            "allow tcp 5007 192.168.1.10 any 10.0.0.0/8 in",
            "-s 10.0.0.0/8 -d 192.168.1.10/32 -p tcp -m tcp --dport 5007 -j ACCEPT",
            "allow proto tcp from 10.0.0.0/8 to 192.168.1.10 port 5007",
        ),
        (
            "allow tcp 22,5007 0.0.0.0/0 any 10.0.0.0/8 My%20App - in",
            "-s 10.0.0.0/8 -p tcp -m multiport --dports 22,5007 -j ACCEPT",
            "allow from 10.0.0.0/8 to any app 'My App'",
        ),
        (
            "allow tcp 5007 0.0.0.0/0 53 10.0.0.0/8 in",
            "-s 10.0.0.0/8 -p tcp -m tcp --sport 53 --dport 5007 -j ACCEPT",
            "allow proto tcp from 10.0.0.0/8 port 53 to any port 5007",
        ),
    ],
)
def test_a_rule_of_somebody_else_for_one_service(
    es: Firewall, rule: str, line: str, delete: str
) -> None:
    es.allow(rule, line)
    found = es.one("rule-wider").finding
    assert (found.service, str(found.port)) == ("smartnumbers", "5007/tcp")
    assert found.do == f"ufw delete {delete}"
    assert found.declared == {"5007/tcp": [LAN]}


def test_a_port_that_nobody_has(es: Firewall) -> None:
    es.allow(
        "allow udp 5100 0.0.0.0/0 any 192.168.1.1 in",
        "-s 192.168.1.1/32 -p udp -m udp --dport 5100 -j ACCEPT",
    )
    found = es.one("rule-wider").finding
    assert found.service is None
    assert "5100/udp, which no service has" in found.message


def test_a_wide_rule_behind_a_deny_opens_nothing(es: Firewall) -> None:
    es.allow("deny tcp 5100 0.0.0.0/0 any 0.0.0.0/0 in", "-p tcp -m tcp --dport 5100 -j DROP")
    es.allow(
        "allow tcp 5100 0.0.0.0/0 any 10.0.0.0/8 in",
        "-s 10.0.0.0/8 -p tcp -m tcp --dport 5100 -j ACCEPT",
    )
    assert es.audit() == []


def test_portgen_s_own_rule_of_an_older_inventory(es: Firewall) -> None:
    comment = b"portgen:smartnumbers".hex()
    es.allow(
        f"allow tcp 5007 0.0.0.0/0 any 0.0.0.0/0 in comment={comment}",
        "-p tcp -m tcp --dport 5007 -j ACCEPT",
    )
    found = es.one("rule-wider").finding
    assert (found.service, found.do) == ("smartnumbers", SCRIPT)


def test_a_limit_is_an_allow_for_everybody_else(es: Firewall) -> None:
    new = "-p tcp -m tcp --dport 5007 -m conntrack --ctstate NEW -m recent"
    mask = "--name DEFAULT --mask 255.255.255.255 --rsource"
    lines = (
        f"{new} --set {mask}",
        f"{new} --update --seconds 30 --hitcount 6 {mask} -j ufw-user-limit",
        "-p tcp -m tcp --dport 5007 -j ufw-user-limit-accept",
    )
    es.allow("limit tcp 5007 0.0.0.0/0 any 0.0.0.0/0 in", "\n-A ufw-user-input ".join(lines))
    assert (
        es.one("rule-wider").finding.do
        == "ufw delete limit proto tcp from 0.0.0.0/0 to any port 5007"
    )


# --- rule-left-over -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "port", "source", "named"),
    [("gone", 5399, LAN, None), ("smartnumbers", 5007, "192.168.3.0/24", "smartnumbers")],
)
def test_a_rule_that_is_left_over(
    es: Firewall, service: str, port: int, source: str, named: str | None
) -> None:
    comment = f"portgen:{service}".encode().hex()
    es.allow(
        f"allow tcp {port} 0.0.0.0/0 any {source} in comment={comment}",
        f"-s {source} -p tcp -m tcp --dport {port} -j ACCEPT",
    )
    found = es.one("rule-left-over").finding
    assert (found.service, found.do) == (named, SCRIPT)


# --- filter-bypassed ------------------------------------------------------------------------------


def test_a_rule_before_ufw_s(es: Firewall) -> None:
    es.insert("-A INPUT -p tcp -m tcp --dport 5007 -j ACCEPT")
    found = es.one("filter-bypassed").finding
    assert (found.service, str(found.port)) == ("smartnumbers", "5007/tcp")
    assert found.do == "iptables -w -D INPUT -p tcp -m tcp --dport 5007 -j ACCEPT"


def test_a_rule_behind_ufw_s_by_ipv6(es: Firewall) -> None:
    es.insert("-A INPUT -s 2001:db8::/32 -p tcp -j ACCEPT", before="-A ufw6-after-input", family=6)
    found = es.one("filter-bypassed").finding
    assert found.do == "ip6tables -w -D INPUT -s 2001:db8::/32 -p tcp -j ACCEPT"


def test_a_mask_that_is_not_a_network_is_not_nobody(es: Firewall) -> None:
    line = "-A INPUT -s 192.0.0.1/255.0.0.255 -p tcp -m tcp --dport 5007 -j ACCEPT"
    es.insert(line)
    assert es.one("filter-bypassed").finding.found == line


def test_what_a_rule_says_is_quoted(es: Firewall) -> None:
    es.insert('-A INPUT -p tcp -m comment --comment "$(touch /tmp/x) it\'s" -j ACCEPT')
    do = es.one("filter-bypassed").finding.do
    assert "--comment '$(touch /tmp/x) it'\"'\"'s'" in do


def test_a_rule_that_names_only_who_may_come_is_none(es: Firewall) -> None:
    es.insert("-A INPUT -s 192.168.4.0/24 -p tcp -m tcp --dport 5007 -j ACCEPT")
    assert es.audit() == []


def test_a_rule_of_before_rules(es: Firewall) -> None:
    line = "-A ufw-before-input -p tcp --dport 5007 -j ACCEPT"
    es.change_file("before.rules", "-A ufw-not-local -j DROP", f"-A ufw-not-local -j DROP\n{line}")
    es.insert(
        "-A ufw-before-input -p tcp -m tcp --dport 5007 -j ACCEPT",
        before="-A ufw-before-input -d 224.0.0.251",
    )
    found = es.one("filter-bypassed").finding
    assert "of /etc/ufw/before.rules lets anyone" in found.message
    assert (
        found.do.splitlines()[-1]
        == "iptables -w -D ufw-before-input -p tcp -m tcp --dport 5007 -j ACCEPT"
    )


def test_a_jump_of_ufw_s_is_missing(es: Firewall) -> None:
    es.remove("-A INPUT -j ufw6-before-input", family=6)
    found = es.one("filter-bypassed").finding
    assert "INPUT of IPv6 does not lead to ufw6-before-input" in found.message


def test_ufw_s_jumps_in_another_order(es: Firewall) -> None:
    es.remove("-A OUTPUT -j ufw-before-output")
    es.insert(
        "-A OUTPUT -j ufw-before-output", before="-A ufw-after-input -p udp -m udp --dport 137"
    )
    assert "in another order" in es.one("filter-bypassed").finding.message


@pytest.mark.parametrize(
    "line",
    [
        "-A DOCKER-USER -p tcp -m conntrack --ctorigdstport 6000 -j ACCEPT",
        "-A DOCKER-USER -s 10.0.0.0/8 -j RETURN",
        "-A FORWARD -p tcp -m tcp --dport 5000 -j ACCEPT",
        "-A FORWARD -i eth0 -j ACCEPT",
        "-A FORWARD -d 172.31.0.0/24 -j ACCEPT",
    ],
)
def test_a_rule_before_the_guard(annex: Firewall, line: str) -> None:
    annex.insert(line)
    found = annex.one("filter-bypassed").finding
    assert found.do == f"iptables -w -D {line.removeprefix('-A ')}"


@pytest.mark.parametrize("before", ["FORWARD", "DOCKER-USER"])
def test_a_rule_before_the_guard_in_a_chain_of_somebody_s(annex: Firewall, before: str) -> None:
    annex.change("*filter\n", "*filter\n:THEIRS - [0:0]\n-A THEIRS -p tcp -j ACCEPT\n")
    annex.insert(f"-A {before} -j THEIRS")
    assert annex.one("filter-bypassed").finding.do == "iptables -w -D THEIRS -p tcp -j ACCEPT"


def test_who_goes_to_a_chain_before_the_guard_does_not_come_back(annex: Firewall) -> None:
    annex.change("*filter\n", "*filter\n:THEIRS - [0:0]\n-A THEIRS -s 10.0.0.1/32 -j DROP\n")
    annex.insert("-A DOCKER-USER -g THEIRS")
    assert annex.one("filter-bypassed").finding.do == "iptables -w -D DOCKER-USER -g THEIRS"


def test_a_chain_before_the_guard_that_lets_nobody_in(annex: Firewall) -> None:
    annex.change("*filter\n", "*filter\n:THEIRS - [0:0]\n-A THEIRS -p tcp -j RETURN\n")
    annex.insert("-A DOCKER-USER -j THEIRS")
    assert annex.audit() == []


def test_a_rule_before_the_guard_by_ipv6(annex: Firewall) -> None:
    annex.insert("-A FORWARD -j ACCEPT", family=6)
    assert annex.one("filter-bypassed").finding.do == "ip6tables -w -D FORWARD -j ACCEPT"


# --- guards ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [4, 6])
def test_each_rule_of_the_guard_counts_in_each_table(annex: Firewall, family: int) -> None:
    text = annex.kernel(family)
    lines = text.split("\n")
    found = [place for place, line in enumerate(lines) if line.startswith("-A PORTGEN-GUARD ")]
    assert len(found) > 12
    for place in found:
        annex.set_kernel("\n".join(lines[:place] + lines[place + 1 :]), family)
        rules = {one.rule for one in annex.audit()}
        assert rules == {"guard-missing"}, lines[place]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("line", ["-A FORWARD -j PORTGEN-GUARD", "-A DOCKER-USER -j PORTGEN-GUARD"])
def test_each_jump_to_the_guard_counts(annex: Firewall, family: int, line: str) -> None:
    annex.remove(line, family)
    found = annex.audit()
    assert {one.rule for one in found} == {"guard-missing"}
    assert {one.finding.service for one in found} == {"collector", "relay", "media"}
    assert all("guarded in one table only" in one.finding.message for one in found)


def test_a_guard_that_nobody_is_led_to(annex: Firewall) -> None:
    for line in ("-A FORWARD -j PORTGEN-GUARD", "-A DOCKER-USER -j PORTGEN-GUARD"):
        annex.remove(line)
    found = annex.audit()[0].finding
    assert "open to everybody by IPv4" in found.message
    assert found.do == SCRIPT


def test_docker_s_jump_to_its_users_is_missing(annex: Firewall) -> None:
    annex.remove("-A FORWARD -j DOCKER-USER")
    found = annex.audit()[0].finding
    assert found.do == f"iptables -w -I FORWARD 1 -j DOCKER-USER\n{SCRIPT}"


@pytest.mark.parametrize("family", [4, 6])
def test_the_guard_is_not_in_ufw_s_file(annex: Firewall, family: int) -> None:
    name = "after6.rules" if family == 6 else "after.rules"
    text = annex.file(name)
    annex.set_file(name, text[: text.index("# BEGIN PORTGEN-GUARD")])
    found = annex.one("guard-not-kept").finding
    assert (found.declared, found.do) == (["collector", "media", "relay"], SCRIPT)


def test_the_jumps_are_not_made_at_boot(annex: Firewall) -> None:
    annex.set_file("after.init", annex.file("after.init"), 0o640)
    assert "not executable" in annex.one("guard-not-kept").finding.message


@pytest.mark.parametrize("place", range(2, 16))
def test_each_line_of_the_jumps_counts(annex: Firewall, place: int) -> None:
    lines = annex.file("after.init").split("\n")
    if lines[place].startswith("#"):
        return
    annex.set_file("after.init", "\n".join(lines[:place] + lines[place + 1 :]))
    annex.one("guard-not-kept")


def test_the_guard_has_more_than_is_declared(annex: Firewall) -> None:
    annex.insert(
        "-A PORTGEN-GUARD -p tcp -m conntrack --ctstate DNAT --ctorigdstport 6050 --ctdir ORIGINAL -j DROP"
    )
    found = annex.one("guard-left-over").finding
    assert (found.service, found.do) == (None, SCRIPT)


def test_a_chain_that_nothing_needs(es: Firewall) -> None:
    es.change(
        ":ufw6-user-input - [0:0]", ":ufw6-user-input - [0:0]\n:PORTGEN-GUARD - [0:0]", family=6
    )
    assert es.one("guard-left-over").finding.do == SCRIPT


def test_the_jumps_are_those_of_the_script(annex: Firewall) -> None:
    """What the check wants of after.init stands in the script in the same words."""
    script = annex.rendered["ufw/portgen-ufw.sh"]
    for text in loading.INIT_JUMPS.values():
        assert text in script
    assert loading.ASLEEP in script


# --- what docker publishes ------------------------------------------------------------------------


def test_docker_publishes_a_port_that_has_no_guard(es: Firewall) -> None:
    es.insert_nat(
        "-A DOCKER ! -i br-0 -p tcp -m tcp --dport 5007 -j DNAT --to-destination 172.30.0.23:5000"
    )
    found = es.one("published-open").finding
    assert (found.service, str(found.port), found.declared) == ("smartnumbers", "5007/tcp", [LAN])
    assert found.do.endswith("install --yes")


def test_a_rule_of_somebody_s_own_redirects_a_port(es: Firewall) -> None:
    rule = "PREROUTING -p tcp -m tcp --dport 5007 -j DNAT --to-destination 172.30.0.23:5000"
    es.insert_nat(f"-A {rule}")
    found = es.one("published-open").finding
    assert found.message.startswith("a rule that is not docker's redirects port 5007")
    assert found.do == f"iptables -w -t nat -D {rule}"


@pytest.mark.parametrize("bound", ["127.0.0.1/32", "127.0.0.2/32"])
def test_on_loopback_it_is_open_to_nobody(es: Firewall, bound: str) -> None:
    to = "-j DNAT --to-destination 172.30.0.23:5000"
    es.insert_nat(f"-A DOCKER -d {bound} -p tcp -m tcp --dport 5007 {to}")
    assert es.audit() == []


def test_docker_s_rules_for_a_port_are_gone(annex: Firewall) -> None:
    text = annex.kernel()
    line = next(line for line in text.split("\n") if "--dport 6000 -j DNAT" in line)
    annex.set_kernel(text.replace(f"{line}\n", ""))
    assert annex.audit() == []  # without docker nobody knows which containers run
    (found,) = annex.audit("docker", "ufw")
    assert (found.rule, found.finding.service) == ("published-missing", "collector")
    assert found.finding.do == "docker restart annex_collector_1"


def test_docker_s_chains_are_led_to_no_more(annex: Firewall) -> None:
    annex.set_kernel(re.sub(r"-A (PREROUTING|OUTPUT) .*-j DOCKER\n", "", annex.kernel()))
    found = annex.audit("docker", "ufw")
    assert {one.rule for one in found} == {"published-missing"}
    assert {one.finding.do for one in found} == {"systemctl restart docker"}


def lost(firewall: Firewall, *patterns: str) -> Found:
    """The one finding where the kernel's lines of these patterns are gone."""
    text = firewall.kernel()
    for pattern in patterns:
        less = re.sub(rf"(?m)^{pattern}\n", "", text)
        assert less != text, pattern
        text = less
    firewall.set_kernel(text)
    (found,) = firewall.audit("docker", "ufw")
    assert (found.rule, found.severity) == ("docker-rules-missing", "error")
    assert found.finding.do == "systemctl restart docker"
    return found


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_docker_s_rules_of_a_clean_host_are_all_there(folder: Path) -> None:
    assert Firewall(hosts.of_folder(folder)).audit("docker", "ufw") == []


def test_forward_leads_to_docker_s_rules_no_more(es: Firewall) -> None:
    found = lost(es, r"-A FORWARD -o \S+ -j DOCKER").finding
    assert found.service is None
    assert "smartnumbers" in found.also
    assert found.found == ["FORWARD does not lead to docker's chains"]
    assert found.message.endswith("not in the kernel: FORWARD does not lead to docker's chains")


def test_docker_28_leads_there_by_another_chain(es: Firewall) -> None:
    text = re.sub(r"(?m)^-A FORWARD (-o \S+ -j DOCKER)$", r"-A DOCKER-BRIDGE \1", es.kernel())
    assert text != es.kernel()
    jumps = "-A FORWARD -j DOCKER-FORWARD\n-A DOCKER-FORWARD -j DOCKER-BRIDGE\n"
    es.set_kernel(text.replace("-A DOCKER-BRIDGE", f"{jumps}-A DOCKER-BRIDGE", 1))
    assert es.audit("docker", "ufw") == []


def test_a_published_port_is_let_in_by_docker_s_chain(annex: Firewall) -> None:
    found = lost(
        annex, r"-A DOCKER -d \S+ ! -i \S+ -o \S+ -p udp -m udp --dport 514 -j ACCEPT"
    ).finding
    assert found.also == ("relay",)
    assert found.found == ["nothing lets visitors to port 514 of annex_relay_1"]


def test_a_container_that_asks_for_no_port_has_no_rules_of_docker_s(annex: Firewall) -> None:
    """It was made without the override, and that is what is wrong."""
    (words,) = (words for words in annex.seen.commands if words[:2] == ("docker", "inspect"))
    said = annex.seen.commands[words]
    bound = (
        '{"5000/tcp":[{"HostIp":"0.0.0.0","HostPort":"6000"},{"HostIp":"::","HostPort":"6000"}]}'
    )
    assert said.text.count(bound) == 2
    annex.seen.commands[words] = said._replace(text=said.text.replace(bound, "{}"))
    text = re.sub(r"(?m)^-A DOCKER .*--dport [56]000 .*\n", "", annex.kernel())
    assert text != annex.kernel()
    annex.set_kernel(text)
    (found,) = annex.audit("docker", "ufw")
    assert (found.rule, found.finding.service) == ("container-ports", "collector")


def test_a_network_s_addresses_are_translated(annex: Firewall) -> None:
    found = lost(annex, r"-A POSTROUTING -s \S+ ! -o \S+ -j MASQUERADE").finding
    assert "collector" in found.also
    assert found.found[0].startswith("nothing translates the addresses of ")


def test_an_internal_network_is_not_translated(annex: Firewall) -> None:
    text = re.sub(r"(?m)^-A POSTROUTING -s (\S+) ! -o (br-\S+) -j MASQUERADE\n", "", annex.kernel())
    inner = re.findall(r"-A POSTROUTING -s (\S+) ! -o br-", annex.kernel())
    drops = "".join(f"-A {STAGE} ! -s {one} -o br-0 -j DROP\n" for one in inner)
    annex.set_kernel(text.replace(f"-A {STAGE} ", f"{drops}-A {STAGE} ", 1))
    assert annex.audit("docker", "ufw") == []


STAGE = "DOCKER-ISOLATION-STAGE-1"


@pytest.mark.parametrize(("who", "found"), [("lan", ["published-missing"]), ("any", [])])
def test_docker_that_makes_no_rules(who: str, found: list[str]) -> None:
    """It can be kept from that (`iptables: false`); but a guard is for nothing then."""
    firewall = Firewall(hosts.declared(GUARDED.replace("[lan]", f"[{who}]")))
    lines = firewall.kernel().split("\n")
    kept = [line for line in lines if "DNAT --to" not in line and "DOCKER " not in f"{line} "]
    firewall.set_kernel("\n".join(kept))
    assert sorted({one.rule for one in firewall.audit("docker", "ufw")}) == found


# --- each line ------------------------------------------------------------------------------------

DOCKER = re.compile(
    r"DOCKER|docker0|br-|POSTROUTING|PREROUTING|^:\w+ ACCEPT|^:(INPUT|FORWARD|OUTPUT) "
)


@pytest.mark.parametrize("family", [4, 6])
def test_each_line_of_the_kernel_s_counts(annex: Firewall, family: int) -> None:
    """Only docker's own are docker's business."""
    text = annex.kernel(family)
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if line.startswith((":", "-A")) and not DOCKER.search(line):
            annex.set_kernel("\n".join(lines[:place] + lines[place + 1 :]), family)
            assert annex.audit(), line


@pytest.mark.parametrize("family", [4, 6])
def test_each_rule_that_says_something_else_counts(annex: Firewall, family: int) -> None:
    text = annex.kernel(family)
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if line.startswith("-A") and not DOCKER.search(line):
            other = (
                f"{line} -m mark --mark 0x1"
                if "-j" not in line
                else line.replace("-j", "-d 10.9.8.7/32 -j")
            )
            annex.set_kernel("\n".join([*lines[:place], other, *lines[place + 1 :]]), family)
            assert annex.audit(), line


@pytest.mark.parametrize("name", ["user.rules", "before.rules", "after.rules", "before6.rules"])
def test_each_rule_of_a_file_counts(annex: Firewall, name: str) -> None:
    lines = annex.file(name).split("\n")
    for place, line in enumerate(lines):
        if line.startswith(("-", ":ufw-", ":P")) and not re.match(
            ":ufw-(not|logging|user-limit)", line
        ):
            annex.set_file(name, "\n".join(lines[:place] + lines[place + 1 :]))
            assert annex.audit(), line
