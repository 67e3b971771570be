"""ufw's rules, as sightings: its own files, what it prints, and scripts that call it.

In: a text. Out: more of a `Sighted`. Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from portgen.adopt import fitting, scripts
from portgen.adopt.sighted import Guarded, Left, Rule, Said, Sighted, Text, said
from portgen.formats import ports, ufw
from portgen.inventory.zones import ZoneMember
from portgen.plan.facts import Guard
from portgen.plan.ports import is_ipv6
from portgen.targets.ufw import reading

_TUPLE = "### tuple ###"
_CHAINS = (":ufw6-", ":ufw-")  # how the chains of each of ufw's two files begin
_STATUS = re.compile(r"Status: (active|inactive)\s*")
_DEFAULT = re.compile(r"Default: (?P<incoming>\w+) \(incoming\).*")
_ENABLED = re.compile(r"\s*ENABLED\s*=\s*\"?(?P<value>\w+)\"?\s*", re.IGNORECASE)
_POLICY = re.compile(r"\s*DEFAULT_INPUT_POLICY\s*=\s*\"?(?P<value>\w+)\"?\s*")
# What ufw itself installs in after.rules, and the chain that docker asks first.
_STOCK = re.compile(r"-A ufw6?-after-input .* -j ufw6?-skip-to-policy-input")
_OF_DOCKER = re.compile(r"-[AI] DOCKER-USER\b")
# What people seldom change of ufw's own, and what stays in effect beside portgen's rules.
_UNREAD = {
    ".init": "a script that ufw itself runs",
    "before.rules": "rules that ufw asks before all others; they stay as they are",
    "before6.rules": "rules that ufw asks before all others; they stay as they are",
}
# A command that ufw is given to: `xargs ufw deny`, `$UFW deny`.
_MAY_CALL = re.compile(
    r"(?:(?:^|[\s;&|({/=])ufw|\$\{?(?i:ufw)\}?)[\"']?\s+(?:--force\s+)?"
    r"(?:allow|deny|reject|limit|route|insert|prepend|delete|default)\b"
)
# One by which rules of this host may go: `yes | xargs -n1 ufw --force delete`.
_MAY_DELETE = re.compile(
    r"(?:\bxargs\b[^;&|]{0,200}\bufw|\$\{?(?i:ufw)\}?)[\"']?\s+(?:--force\s+)?delete\b"
)
# What people call ports: names of /etc/services.
_SERVICES = {
    "ssh": 22,
    "smtp": 25,
    "domain": 53,
    "http": 80,
    "imap": 143,
    "https": 443,
    "imaps": 993,
}
_LETS_IN = ("allow", "limit")
_CHANGES = ("allow", "deny", "reject", "limit", "route", "rule", "insert", "prepend", "delete")
# What ufw's command line does besides rules.
_OTHERS = ("default", "enable", "disable", "reload", "reset", "status", "show", "logging", "app")


def sight(text: Text, found: Sighted) -> None:
    """Add what a file of ufw's, its output or a script says."""
    for ending, why in _UNREAD.items():
        if text.path.endswith(ending):
            found.unread[text.name] = why
            return
    found.firewall.known = True
    if re.search(rf"(?m)^{_TUPLE}", text.text) or re.search(r"user6?\.rules$", text.path):
        _sight_tuples(text, found)
    elif re.search(r"(?m)^Status: ", text.text):
        _sight_status(text, found)
    elif text.path.endswith(".rules"):
        _sight_chains(text, found)
    elif text.path.endswith("ufw.conf") or any(map(_POLICY.fullmatch, text.text.split("\n"))):
        _sight_settings(text, found)
    else:
        _sight_script(text, found)


def is_script(text: str) -> bool:
    """Whether a text is a script that calls ufw."""
    for command in scripts.commands(text):
        if "ufw" in command.text and not command.is_text:
            calls = scripts.calls(command.text) or ()
            if any(scripts.program(words) == "ufw" and _is_call(words) for words in calls):
                return True
    return False


def _is_call(words: list[str]) -> bool:
    """Whether these words make ufw do something: they may be a sentence about it."""
    named = [word for word in words[1:] if not word.startswith("-")]
    return named[:1] != [] and named[0] in (*_OTHERS, *_CHANGES)


def _sight_tuples(text: Text, found: Sighted) -> None:
    usual = 6 if text.path.endswith("6.rules") else 4
    section, families = usual, set()
    rules = {rule.line: rule for rule in ufw.tuples(text.text)}
    for number, line in enumerate(text.text.split("\n"), 1):
        if line.startswith(_CHAINS):
            section = 6 if line.startswith(_CHAINS[0]) else 4
            families.add(section)
        if not line.startswith(_TUPLE):
            section = usual if line.startswith("*") else section
            continue
        where = said(text.name, number, line.removeprefix(_TUPLE))
        rule = _canonical(rules[number]) if number in rules else None
        if rule is not None:
            family = _family(rule, section)
            families.add(family)
            found.firewall.rules.append(Rule(where, rule, family))
        else:
            why = "it names a port, an address or an interface that an inventory can't have"
            found.left.append(Left(where, why if number in rules else "not a tuple that ufw reads"))
    found.firewall.families |= families or {usual}


def _family(rule: ufw.Rule, section: int) -> int:
    """The family of a tuple: by its addresses, or by the file that it was in, of which several may have been
    put into one."""
    for address in (rule.source, rule.to):
        if address != ufw.ANYWHERE:
            return 6 if is_ipv6(address) else 4
    return section


def _sight_settings(text: Text, found: Sighted) -> None:
    """ufw.conf, and /etc/default/ufw."""
    for line in text.text.split("\n"):
        enabled, policy = _ENABLED.fullmatch(line), _POLICY.fullmatch(line)
        if enabled is not None:
            found.firewall.active = enabled["value"].lower() == "yes"
        elif policy is not None:
            found.firewall.lets_in = policy["value"].upper() == "ACCEPT"
        elif "=" in line and not line.lstrip().startswith("#"):
            found.count(text.name)


def _sight_status(text: Text, found: Sighted) -> None:
    firewall = found.firewall
    firewall.families.update((4, 6))  # without rows for IPv6 its rules let nobody in
    for number, line in enumerate(text.text.split("\n"), 1):
        status, default = _STATUS.fullmatch(line), _DEFAULT.fullmatch(line)
        read = ufw.row(line)
        if status is not None:
            firewall.active = status[1] == "active"
        elif default is not None:
            firewall.lets_in = default["incoming"] == "allow"
        elif read is not None and (rule := _canonical(read[0])) is not None:
            where = said(text.name, number, line)
            firewall.rules.append(Rule(where, rule._replace(line=number), read[1]))
        elif re.search(r"\b(?:ALLOW|DENY|REJECT|LIMIT)\b", line):
            why = "a rule for an application whose ports are not known: `ufw app info` prints them"
            found.left.append(Left(said(text.name, number, line), why))
        elif re.match(r"(?:Logging|New profiles):", line):
            found.count(text.name)


def _sight_chains(text: Text, found: Sighted) -> None:
    """after.rules and after6.rules: what keeps docker's ports closed."""
    known: set[int] = set()
    for statement in reading.read({text.path: text.text}):
        guard = statement.fact
        where = said(text.name, statement.first, text.text.split("\n")[statement.first - 1])
        known.update(range(statement.first, statement.last + 1))
        if not isinstance(guard, Guard):
            continue
        if guard.other and _STOCK.match(where.text):
            found.count(text.name)
        elif guard.other:
            found.left.append(Left(where, "a rule of iptables that an inventory has no word for"))
            if _OF_DOCKER.match(where.text):
                found.firewall.filters.append(where)
        elif guard.address or guard.subnet6:
            found.noted.append(where)
        for endpoint, sources in (*guard.published.items(), *guard.published6.items()):
            found.firewall.guarded.append(Guarded(where, endpoint, sources))
    for number, line in enumerate(text.text.split("\n"), 1):
        if number not in known and line.strip() and not line.lstrip().startswith("#"):
            found.count(text.name)


def _sight_script(text: Text, found: Sighted) -> None:
    """A script, or what `ufw show added` printed."""
    found.firewall.families.update((4, 6))
    rules = _Rules(found)
    for command in scripts.commands(text.text):
        calls = [] if command.is_text else scripts.calls(command.text)
        ours = [words for words in calls or () if scripts.program(words) == "ufw"]
        where = said(text.name, command.line, command.text)
        for words in ours:
            # Each has a place of its own in the lists, also beside others on one line.
            own = where if len(ours) == 1 else said(text.name, command.line, " ".join(words))
            _sight_call(own, words[1:], rules, found)
        if not ours and (_MAY_CALL.search(command.text) or any(map(_gives_it_on, calls or ()))):
            why = scripts.HERE if command.is_text else "can't be read as a call of ufw's"
            found.left.append(Left(where, why))
            if not command.is_text and _MAY_DELETE.search(command.text):
                rules.doubt(where)
        elif not ours:
            found.count(text.name)
    found.firewall.rules = rules.in_order()


def _gives_it_on(words: list[str]) -> bool:
    """Whether a shell gets a call of ufw's as a word, which it may run or not."""
    return scripts.is_shell(words) and any(map(_MAY_CALL.search, words))


def _sight_call(where: Said, words: list[str], rules: _Rules, found: Sighted) -> None:
    """One call of ufw's command line, as ufw carries it out after those before. `words`: behind `ufw`;
    `rules`: those so far."""
    if "--dry-run" in words:
        found.left.append(Left(where, "with --dry-run ufw changes nothing"))
        return
    words = [word for word in words if word != "--force"]
    if words[:1] == ["default"] and words[2:3] in ([], ["incoming"]):
        found.firewall.lets_in = words[1:2] == ["allow"]
    if words[:1] == ["reset"]:
        rules.reset(where)
    if not words or words[0] in _OTHERS:
        found.count(where.file)
        return
    is_deleted = _is_delete(words)
    named = [word for word in words if word != "delete"]
    rule = _read(named)
    if rule is not None:
        _carry_out(Rule(where, rule._replace(line=where.line), 0), words, rules, found)
    elif is_deleted and (not named or named[-1].isdecimal() or any(map(_is_open, named))):
        found.left.append(Left(where, "which rule it deletes, the script does not say"))
        rules.doubt(where)
    else:
        found.left.append(Left(where, "can't be read as a rule of ufw's"))


def _is_delete(words: list[str]) -> bool:
    return words[0] == "delete" or words[:2] == ["route", "delete"]


def _carry_out(new: Rule, words: list[str], rules: _Rules, found: Sighted) -> None:
    """Add a rule, or take it back."""
    if _is_delete(words):
        rules.delete(new)
        found.noted.append(new.said)
    else:
        rules.add(new, is_first=_is_first(new, words))


class _Rules:
    """The rules that there are after each call of a script. Each has a number, by which they are in their
    order."""

    def __init__(self, found: Sighted) -> None:
        self._left = found.left
        self._rules = dict(enumerate(found.firewall.rules))
        self._first, self._next = -1, len(self._rules)
        self._same: dict[ufw.Rule, list[int]] = {}  # by the packets that they are about
        self._letting_in: set[int] = set()  # those of the script itself
        for number, rule in self._rules.items():
            self._same.setdefault(_packets(rule.rule), []).append(number)

    def in_order(self) -> list[Rule]:
        """The rules that are left at the end."""
        return [self._rules[number] for number in sorted(self._rules)]

    def add(self, new: Rule, *, is_first: bool) -> None:
        """Add a rule, or put it in the place of the one about the same packets."""
        same = self._same.setdefault(_packets(new.rule), [])
        if same:
            number = same[0]
            self._take_back(same[1:], f"{new.said.place} takes it back")
            if self._rules[number].said != new.said:
                why = f"{new.said.place} has another rule in its place"
                self._left.append(Left(self._rules[number].said, why))
        elif is_first:
            number, self._first = self._first, self._first - 1
        else:
            number, self._next = self._next, self._next + 1
        self._rules[number] = new
        same[:] = [number]
        self._letting_in.discard(number)
        if new.rule.action in _LETS_IN:
            self._letting_in.add(number)

    def delete(self, gone: Rule) -> None:
        """Take back those about the same packets that do the same."""
        same = self._same.get(_packets(gone.rule), ())
        action = gone.rule.action
        numbers = [number for number in same if self._rules[number].rule.action == action]
        self._take_back(numbers, f"{gone.said.place} takes it back")

    def reset(self, where: Said) -> None:
        """Take back all of them."""
        self._take_back(sorted(self._rules), f"{where.place} takes it back")

    def doubt(self, where: Said) -> None:
        """One of them is gone, and nobody knows which: none of the script's counts that lets somebody in."""
        why = f"{where.place} deletes a rule, and the script does not say which: it may be this one"
        self._take_back(sorted(self._letting_in), why)

    def _take_back(self, numbers: Sequence[int], why: str) -> None:
        for number in list(numbers):
            gone = self._rules.pop(number)
            self._same[_packets(gone.rule)].remove(number)
            self._letting_in.discard(number)
            self._left.append(Left(gone.said, why))


def _read(words: list[str]) -> ufw.Rule | None:
    """A rule, also by the name of an application, `allow OpenSSH`, or of a service, `allow ssh/tcp`."""
    if len(words) > 1:
        name, slash, protocol = words[-1].partition("/")
        if name in _SERVICES:
            words = [*words[:-1], f"{_SERVICES[name]}{slash}{protocol}"]
        elif words[-1] in ufw.APPLICATIONS and words[-2] != "app":
            port, transport = ufw.APPLICATIONS[words[-1]]
            words = [*words[:-1], "proto", transport, "from", "any", "to", "any", "port", port]
    rule = ufw.line(shlex.join(["ufw", *words]))
    if rule is None or any(map(_is_open, rule._replace(comment=None))):
        return None
    return _canonical(_named(rule))


def _is_open(field: object) -> bool:
    """Whether a shell would have to say what a field of a rule is."""
    return isinstance(field, str) and ("$" in field or "`" in field)


def _packets(rule: ufw.Rule) -> ufw.Rule:
    """What is alike in all rules about the same packets."""
    return rule._replace(action="", comment=None, line=0, logged="")


def _is_first(new: Rule, words: list[str]) -> bool:
    """Whether a rule's place is before all others. Which one a number means, the script does not say: there
    a rule that keeps visitors out comes first, and one that lets them in last."""
    if "prepend" in words[:2] or words[:2] == ["insert", "1"]:
        return True
    return "insert" in words[:2] and new.rule.action not in _LETS_IN


def _canonical(rule: ufw.Rule) -> ufw.Rule | None:
    """A rule with its networks as an inventory has them; None where one of them or a port is not valid."""
    source, to = _network(rule.source), _network(rule.to)
    if rule.interface not in (None, "lo") and not fitting.fits(
        {"interface": rule.interface}, ZoneMember
    ):
        return None
    if source is None or to is None or not all(map(_is_part, (rule.port or "1").split(","))):
        return None
    return rule._replace(source=source, to=to)


def _network(text: str) -> str | None:
    return text if text == ufw.ANYWHERE else fitting.network(text)


def _is_part(text: str) -> bool:
    span = ports.span(text, ":")
    return span is not None and span.stop <= 65536


def _named(rule: ufw.Rule) -> ufw.Rule:
    """A rule for an application, with its ports where they are known."""
    if rule.application in ufw.APPLICATIONS and rule.port is None:
        port, protocol = ufw.APPLICATIONS[rule.application]
        return rule._replace(port=port, protocol=protocol)
    return rule
