"""ufw's rules, as sightings: its own files, what it prints, and scripts that call it.

In: a text. Out: more of a `Sighted`. Pure.
"""

from __future__ import annotations

import re
import shlex

from portgen.adopt import fitting, scripts
from portgen.adopt.sighted import Guarded, Left, Rule, Said, Sighted, Text, said
from portgen.formats import ports, ufw
from portgen.inventory.zones import ZoneMember
from portgen.plan.facts import Guard
from portgen.targets.ufw import reading

_TUPLE = "### tuple ###"
_OF_IPV6 = re.compile(r"(?m)^:ufw6-|^### tuple ### .*(?: ::/0| [0-9a-f]*:[0-9a-f:]*/)")
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
# A command that ufw is given to: `xargs ufw deny`.
_MAY_CALL = re.compile(
    r"(?:^|[\s;&|({/])ufw\s+(?:allow|deny|reject|limit|route|insert|prepend|delete|default)\b"
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


def _sight_tuples(text: Text, found: Sighted) -> None:
    family = 6 if text.path.endswith("6.rules") or _OF_IPV6.search(text.text) else 4
    found.firewall.families.add(family)
    rules = {rule.line: rule for rule in ufw.tuples(text.text)}
    for number, line in enumerate(text.text.split("\n"), 1):
        if not line.startswith(_TUPLE):
            continue
        where = said(text.name, number, line.removeprefix(_TUPLE))
        rule = _canonical(rules[number]) if number in rules else None
        if rule is not None:
            found.firewall.rules.append(Rule(where, rule, family))
        else:
            why = "it names a port, an address or an interface that an inventory can't have"
            found.left.append(Left(where, why if number in rules else "not a tuple that ufw reads"))


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
    for command in scripts.commands(text.text):
        calls = [] if command.is_text else scripts.calls(command.text)
        ours = [words for words in calls or () if scripts.program(words) == "ufw"]
        where = said(text.name, command.line, command.text)
        for words in ours:
            # Each has a place of its own in the lists, also beside others on one line.
            own = where if len(ours) == 1 else said(text.name, command.line, " ".join(words))
            _sight_call(own, words[1:], found)
        if not ours and _MAY_CALL.search(command.text):
            why = scripts.HERE if command.is_text else "can't be read as a call of ufw's"
            found.left.append(Left(where, why))
        elif not ours:
            found.count(text.name)


def _sight_call(where: Said, words: list[str], found: Sighted) -> None:
    """One call of ufw's command line, as ufw carries it out after those before. `words`: behind `ufw`."""
    if "--dry-run" in words:
        found.left.append(Left(where, "with --dry-run ufw changes nothing"))
        return
    words = [word for word in words if word != "--force"]
    if words[:1] == ["default"] and words[2:3] in ([], ["incoming"]):
        found.firewall.lets_in = words[1:2] == ["allow"]
    if words[:1] == ["reset"]:
        _take_back(found.firewall.rules, where, found)
        found.firewall.rules = []
    if not words or words[0] in _OTHERS:
        found.count(where.file)
        return
    is_deleted = words[0] == "delete" or words[:2] == ["route", "delete"]
    rule = _read([word for word in words if word != "delete"])
    if rule is None:
        found.left.append(Left(where, "can't be read as a rule of ufw's"))
        return
    new = Rule(where, rule._replace(line=where.line), 0)
    same = [one for one in found.firewall.rules if _is_of(one.rule, rule)]
    if is_deleted:
        same = [one for one in same if one.rule.action == rule.action]
        _take_back(same, where, found)
        found.noted.append(where)
    elif same:  # ufw puts it in the place of the one before
        _take_back(same[1:], where, found)
        found.left.append(Left(same[0].said, f"{where.place} has another rule in its place"))
        index = found.firewall.rules.index(same[0])
        found.firewall.rules[index] = new
    else:
        _put(new, words, found.firewall.rules)


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
    return None if rule is None else _canonical(_named(rule))


def _is_of(one: ufw.Rule, other: ufw.Rule) -> bool:
    """Whether two rules are about the same packets."""
    alike = other._replace(action=one.action, comment=one.comment, line=one.line, logged=one.logged)
    return alike == one


def _take_back(rules: list[Rule], where: Said, found: Sighted) -> None:
    found.left += [Left(one.said, f"{where.place} takes it back") for one in rules]
    found.firewall.rules = [one for one in found.firewall.rules if one not in rules]


def _put(new: Rule, words: list[str], rules: list[Rule]) -> None:
    """In its place among the others. Which rule a number means, the script does not say: there one that
    keeps visitors out comes first, and one that lets them in last."""
    is_first = "prepend" in words[:2] or words[:2] == ["insert", "1"]
    if is_first or ("insert" in words[:2] and new.rule.action not in ("allow", "limit")):
        rules.insert(0, new)
    else:
        rules.append(new)


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
