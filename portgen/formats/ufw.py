"""ufw's rules: as people write them on a command line, and as ufw keeps them in `user.rules`.

In: the words of a command; the text of `/etc/ufw/user.rules` or `user6.rules`. Out: `Rule`s. Pure.
What ufw would refuse is not a rule.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

ANYWHERE = "any"
_EVERYWHERE = (ANYWHERE, "0.0.0.0/0", "::/0")
_ACTIONS = ("allow", "deny", "reject", "limit")
_TUPLE = "### tuple ###"
_COMMENT = re.compile(r"""('[^']*'|"(?:\\.|[^"\\])*"|\\.)|(?<!\S)#.*""")  # or what may hide its `#`
_PLAIN = re.compile(r"'[^']*'|[^\s']+")
_SIMPLE = re.compile(r"(?P<port>[0-9,:]+)(?:/(?P<protocol>tcp|udp))?")
_MOST_PORTS = 15  # of a rule, where both ends of a range count
_SHORTEST, _LONGEST = 6, 9  # fields of a tuple: with applications, and with a direction


class Rule(NamedTuple):
    """One rule. An address is as it was written: `any`, or in ufw's files `0.0.0.0/0` or `::/0`, is
    every one. A port is None where every one is meant, and may be `5000:5010,6000`."""

    action: str
    protocol: str = ANYWHERE
    source: str = ANYWHERE
    source_port: str | None = None
    to: str = ANYWHERE
    port: str | None = None
    direction: str = "in"
    interface: str | None = None
    application: str | None = None
    routed: bool = False
    comment: str | None = None
    line: int = 0  # of the file that it was read from, 1-based
    logged: str = ""  # log or log-all

    @property
    def words(self) -> list[str]:
        """The rule as ufw's command line takes it, without its comment: what `ufw delete` needs to remove
        it, of both families where it is there of both."""
        words = ["route", self.action] if self.routed else [self.action]
        words += [self.logged] if self.logged else []
        if self.interface:
            words += [self.direction, "on", self.interface]
        elif self.direction != "in":
            words.append(self.direction)
        if self.protocol != ANYWHERE and not self.application:
            words += ["proto", self.protocol]
        source, to = (ANYWHERE if end in _EVERYWHERE else end for end in (self.source, self.to))
        words += ["from", source]
        if self.source_port:
            words += ["port", self.source_port]
        words += ["to", to]
        if self.application:
            words += ["app", self.application]
        elif self.port:
            words += ["port", self.port]
        return words


# --- a command line -------------------------------------------------------------------------------


def line(text: str) -> Rule | None:
    """A line of a shell script that calls ufw, without the script's own comment behind it; None for
    any other line, and where a shell could not split it."""
    if "#" in text:
        text = _COMMENT.sub(lambda match: match[1] or "", text)
    words = _PLAIN.findall(text)
    if '"' in text or "\\" in text or text.count("'") % 2:
        # What few lines have, and the standard library takes its time for.
        try:
            words = shlex.split(text)
        except ValueError:
            return None
    if words[:1] != ["ufw"]:
        return None
    return command([word.strip("'") for word in words[1:]])


def command(words: list[str]) -> Rule | None:
    """`allow proto tcp from 10.0.0.0/8 to any port 5000 comment 'x'`, or ufw's short form `allow
    22/tcp`, perhaps with the rule's place before it; the words behind `ufw`. None for any other
    command, and for what this can't read."""
    rest = _without_place(words)
    if not rest or rest[0] not in _ACTIONS:
        return None
    rule = Rule(rest.pop(0), routed=words[0] == "route")
    side = "to"
    while rest:
        word = rest.pop(0)
        if word in ("in", "out"):
            rule = rule._replace(direction=word)
        elif word in ("log", "log-all"):
            continue
        elif word in ("from", "to") or word in _FIELDS:
            if not rest:
                return None
            if word in ("from", "to"):
                side = word
            rule = _with(rule, word, side, rest.pop(0))
        else:
            simple = _SIMPLE.fullmatch(word)
            if simple is None or rule.port is not None:
                return None
            rule = rule._replace(port=simple["port"], protocol=simple["protocol"] or ANYWHERE)
    return None if _are_too_many(rule.port, rule.source_port) else rule


def _are_too_many(*written: str | None) -> bool:
    """Whether a rule has more ports than ufw takes, at one of its ends."""
    return any(text and text.count(",") + text.count(":") >= _MOST_PORTS for text in written)


def _without_place(words: list[str]) -> list[str]:
    """The words from the action on: without the kind of the rule, and its place among the others."""
    rest = list(words)
    if rest[:1] in (["route"], ["rule"]):
        del rest[0]
    if rest[:1] == ["prepend"]:
        del rest[0]
    elif rest[:1] == ["insert"]:
        del rest[:2]
    return rest


_FIELDS = ("proto", "on", "app", "comment", "port")


def _with(rule: Rule, word: str, side: str, value: str) -> Rule:
    """The rule with what one keyword says: a `port` belongs to the `from` or `to` before it."""
    match word:
        case "from":
            return rule._replace(source=value)
        case "to":
            return rule._replace(to=value)
        case "proto":
            return rule._replace(protocol=value)
        case "on":
            return rule._replace(interface=value)
        case "app":
            return rule._replace(application=value)
        case "comment":
            return rule._replace(comment=value)
    if side == "from":
        return rule._replace(source_port=value)
    return rule._replace(port=value)


# --- ufw's own files ------------------------------------------------------------------------------


def tuples(text: str) -> Iterator[Rule]:
    """The rules that ufw keeps, each in a comment above the iptables rules that it became. ufw
    itself reads these lines and no others: action, protocol, destination's port and address,
    source's port and address, perhaps two applications, and in which direction, perhaps on which
    interface."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.startswith(_TUPLE):
            continue
        fields = line.removeprefix(_TUPLE).split()
        comment = None
        if fields and fields[-1].startswith("comment="):
            comment = _decoded(fields.pop().removeprefix("comment="))
        rule = _of_fields(fields, number)
        if rule is not None:
            yield rule._replace(comment=comment or None)


def _of_fields(fields: list[str], line: int) -> Rule | None:
    if not _SHORTEST <= len(fields) <= _LONGEST:
        return None
    place = "in"
    if len(fields) in (_SHORTEST + 1, _LONGEST):
        place = fields.pop()
    action, protocol, port, to, source_port, source, *applications = fields
    if _are_too_many(port, source_port):
        return None
    routed = action.startswith("route:")
    direction, _, interface = place.partition("_")
    application = None
    for name in applications:
        if name != "-" and application is None:
            application = name.replace("%20", " ")
    action, _, logged = action.partition("_")
    return Rule(
        action=action.removeprefix("route:"),
        protocol=protocol,
        source=source,
        source_port=_port(source_port),
        to=to,
        port=_port(port),
        direction=direction,
        interface=interface or None,
        application=application,
        routed=routed,
        line=line,
        logged=logged,
    )


def _port(value: str) -> str | None:
    if value == ANYWHERE:
        return None
    return value


def _decoded(comment: str) -> str:
    """ufw keeps a comment as the hexadecimal form of its UTF-8."""
    try:
        return bytes.fromhex(comment).decode()
    except ValueError:
        return comment


# --- what ufw prints ------------------------------------------------------------------------------

_NUMBER = re.compile(r"\[ *\d+\] ")
_ACTION = re.compile(
    r"\s(?P<action>ALLOW|DENY|REJECT|LIMIT)(?: (?P<way>IN|OUT|FWD))?(?: \(log(?:-all)?\))?(?=\s)"
)
_COMMENTED = re.compile(r"\s# ")
_MARKED = re.compile(r"\((?:log|log-all|out|, )+\)")
_IPV4 = r"[0-9]+(?:\.[0-9]+){3}(?:/[0-9]+)?"
_IPV6 = r"[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*(?:/[0-9]+)?"
_PLACE = re.compile(
    rf"(?:(?P<address>Anywhere|{_IPV4}|{_IPV6})(?!\S) ?)?"
    r"(?P<port>[0-9][0-9,:]*)?(?:/(?P<protocol>tcp|udp))?"
    r"(?: ?\((?P<application>[^()]+)\)| ?(?P<name>[A-Z][\w .-]*?))?"
    r"(?: on (?P<interface>\S+))?"
)
# Of the applications that Debian's and Ubuntu's own packages name.
APPLICATIONS = {
    "OpenSSH": ("22", "tcp"),
    "Nginx HTTP": ("80", "tcp"),
    "Nginx HTTPS": ("443", "tcp"),
    "Nginx Full": ("80,443", "tcp"),
    "Nginx QUIC": ("443", "udp"),
    "Apache": ("80", "tcp"),
    "Apache Secure": ("443", "tcp"),
    "Apache Full": ("80,443", "tcp"),
    "WWW": ("80", "tcp"),
    "WWW Full": ("80,443", "tcp"),
    "WWW Secure": ("443", "tcp"),
    "Postfix": ("25", "tcp"),
    "Postfix SMTPS": ("465", "tcp"),
    "Postfix Submission": ("587", "tcp"),
    "Dovecot IMAP": ("143", "tcp"),
    "Dovecot POP3": ("110", "tcp"),
    "Dovecot Secure IMAP": ("993", "tcp"),
    "Dovecot Secure POP3": ("995", "tcp"),
    "DNS": ("53", ANYWHERE),
    "SSH": ("22", "tcp"),
    "IMAP": ("143", "tcp"),
    "IMAPS": ("993", "tcp"),
    "SMTP": ("25", "tcp"),
}


def row(text: str) -> tuple[Rule, int] | None:
    """A row of `ufw status`, plain, verbose or numbered, and its family: 6 with `(v6)`, else 4. None for
    any other line, and for an application whose ports are not known."""
    plain = text.strip().replace(" (v6)", "")
    match = _ACTION.search(plain)
    if match is None:
        return None
    written, comment = _parted(plain[match.end() :].strip())
    number = _NUMBER.match(plain)
    before = plain[number.end() if number else 0 : match.start()].strip()
    if not before or not written:
        return None
    to, source = _PLACE.fullmatch(before), _PLACE.fullmatch(written)
    where = None if to is None else _named_port(to)
    if to is None or source is None or where is None:
        return None
    rule = Rule(
        action=match["action"].lower(),
        protocol=where[1] or source["protocol"] or ANYWHERE,
        source=_written(source["address"]),
        source_port=source["port"],
        to=_written(to["address"]),
        port=where[0],
        direction="out" if match["way"] == "OUT" else "in",
        interface=to["interface"] or source["interface"],
        routed=match["way"] == "FWD",
        comment=comment,
    )
    has_ipv6 = plain != text.strip() or ":" in rule.source + rule.to
    return rule, 6 if has_ipv6 else 4


def _parted(text: str) -> tuple[str, str | None]:
    """What stands behind an action: from where, and the comment; without what ufw says of its log."""
    marks = text.rfind("(")
    if marks >= 0 and _MARKED.fullmatch(text, marks):
        text = text[:marks].rstrip()
    source, *comments = _COMMENTED.split(text, maxsplit=1)
    return source.rstrip(), comments[0].lstrip() if comments else None


def _named_port(to: re.Match[str]) -> tuple[str | None, str | None] | None:
    """The port and the protocol of a destination, also of a known application; None of one that is not, and
    of more ports than ufw takes."""
    name = to["name"] or to["application"]
    if _are_too_many(to["port"]):
        return None
    if to["port"] is not None or name is None:
        return None if to["port"] and to["name"] else (to["port"], to["protocol"])
    return APPLICATIONS.get(name)


def _written(address: str | None) -> str:
    return ANYWHERE if address in (None, "Anywhere") else address
