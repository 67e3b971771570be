"""ufw's rules, as sightings: its own files, what it prints, and scripts that call it.

In: a text. Out: more of a `Sighted`. Pure.
"""

from __future__ import annotations

import re
import shlex

from portgen.adopt import fitting, scripts
from portgen.adopt.scripts import Command
from portgen.adopt.sighted import Guarded, Left, Rule, Sighted, Text, said
from portgen.formats import ports, ufw
from portgen.plan.facts import Guard
from portgen.targets.ufw import reading

_TUPLE = "### tuple ###"
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
    family = 6 if text.path.endswith("6.rules") else 4
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
            found.left.append(Left(where, "not a tuple that ufw reads"))


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
    shows_ipv6 = "(v6)" in text.text
    firewall.families.update((4, 6) if shows_ipv6 else (4,))
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
        calls = scripts.simple(command.text)
        ours = [words for words in calls or () if words[0].rpartition("/")[2] == "ufw"]
        for words in ours:
            _sight_call(text.name, command, words[1:], found)
        if not ours and _MAY_CALL.search(command.text):
            where = said(text.name, command.line, command.text)
            found.left.append(Left(where, "can't be read as a call of ufw's"))
        elif not ours:
            found.count(text.name)


def _sight_call(file: str, command: Command, words: list[str], found: Sighted) -> None:
    """One call of ufw's command line. `words`: behind `ufw`."""
    where = said(file, command.line, command.text)
    words = [word for word in words if word not in ("--force", "--dry-run")]
    rule = ufw.line(shlex.join(["ufw", *words]))
    if words[:1] == ["default"] and words[2:3] in ([], ["incoming"]):
        found.firewall.lets_in = words[1:2] == ["allow"]
        found.count(file)
    elif not words or words[0] in _OTHERS:
        found.count(file)
    elif rule is None or (known := _canonical(_named(rule))) is None:
        found.left.append(Left(where, "can't be read as a rule of ufw's"))
    else:
        found.firewall.rules.append(Rule(where, known._replace(line=command.line), 0))


def _canonical(rule: ufw.Rule) -> ufw.Rule | None:
    """A rule with its networks as an inventory has them; None where one of them or a port is not valid."""
    source, to = _network(rule.source), _network(rule.to)
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
