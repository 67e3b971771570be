"""What of portgen's is on a host now: its files, in the places that they have in output/, and its units.

In: an `Audited` host. Out: `Present`. Pure. What ufw has is put in the words of the firewall script and of
the guard's files: so both sides of an install are trees of the same kind, and each can be the wish.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from functools import cached_property

from portgen.audit import Audited, is_ours
from portgen.formats import ufw
from portgen.install import operations
from portgen.plan.live import InstalledFile
from portgen.plan.team_folders import COPY
from portgen.plan.types import override_file
from portgen.targets import is_documentation
from portgen.targets.env import observing as env
from portgen.targets.nginx import observing as nginx
from portgen.targets.ufw import loading
from portgen.targets.ufw.writing import CHAIN, GUARD, GUARD6, SCRIPT

_OURS = re.compile(r'(?m)^ +portgen: "([a-z0-9-]+)"$')  # whose an override is, by the label in it
_BEGIN, _END = f"# BEGIN {CHAIN}\n", f"# END {CHAIN}\n"
_RULES = 'RULES = """'
_HOLDERS = ("holder ", "holder6 ")
_GUARDED = re.compile(r"(?m)^GUARDED = .*$")
_GUARDS = {
    4: (f"{loading.FOLDER}/after.rules", GUARD),
    6: (f"{loading.FOLDER}/after6.rules", GUARD6),
}
_EVERYWHERE = ("0.0.0.0/0", "::/0")


class Present:
    """The host's share of output/, as the host has it. Paths are as below output/<host>/."""

    def __init__(self, host: Audited) -> None:
        self.host = host

    @cached_property
    def files(self) -> dict[str, InstalledFile]:
        """What is installed of portgen's, by its path in output/."""
        found = {}
        by_place = {place: path for path, place in self.places.items()}
        for place, file in self.host.files.items():
            path = by_place.get(place)
            if path is not None:
                found[path] = file
        return found

    @cached_property
    def places(self) -> dict[str, str]:
        """Where each file goes: those that are rendered, and those that are there and are not."""
        found = dict(nginx.OURS)
        for path in self.host.rendered:
            if path.startswith("systemd/"):
                found[path] = f"{operations.UNITS}/{posixpath.basename(path)}"
            elif path.startswith("env/"):
                found[path] = f"{env.FOLDER}/{posixpath.basename(path)}"
        for override in self.host.host.overrides:
            found[f"compose/{override.file}"] = f"{self.host.folders.of(override)}/{COPY}"
        known = set(found.values())
        for place, file in sorted(self.host.files.items()):
            left = self._left(place, file)
            if place not in known and left is not None:
                found[left] = place
        return found

    def _left(self, place: str, file: InstalledFile) -> str | None:
        """The path of a file that is portgen's, and is not rendered any more."""
        folder, name = posixpath.split(place)
        text = file.text or ""
        if folder == operations.UNITS and name.startswith("portgen-") and name.endswith(".service"):
            return f"systemd/{name}"
        if folder == env.FOLDER and name.endswith(".env") and env.MARK in text:
            return f"env/{name}"
        if name == COPY:
            ours = _OURS.search(text)
            project = ours[1] if ours is not None else posixpath.basename(folder)
            return f"compose/{override_file(project)}"
        return None

    @cached_property
    def texts(self) -> dict[str, str]:
        """All of it as texts, those of the firewall too."""
        found = {path: file.text for path, file in self.files.items() if file.text is not None}
        found.update(self._guards())
        script = self.host.rendered.get(SCRIPT)
        if script is not None:
            found[SCRIPT] = self._script(script)
        return found

    def _guards(self) -> Iterator[tuple[str, str]]:
        """The guards as rendered: in ufw's file each has its rules for a second table, too."""
        for place, path in _GUARDS.values():
            file = self.host.files.get(place)
            text = "" if file is None else file.text or ""
            _, begins, rest = text.partition(_BEGIN)
            first, _, _ = rest.partition("\nCOMMIT\n")
            if begins and _END in rest:
                yield path, f"{_BEGIN}{first}\nCOMMIT\n{_END}"

    def _script(self, rendered: str) -> str:
        """The firewall script that would make ufw's rules what they are: the rendered one, with the rules
        that there are."""
        wanted = [line for line in rendered.split("\n") if _is_rule(line)]
        there = set(self._rules())
        known = [line for line in wanted if line in there]
        rules = sorted({*known, *there}, key=_order)
        if rules == sorted(wanted, key=_order):
            rules = wanted
        kept = []
        for line in rendered.split("\n"):
            if _is_rule(line):
                continue
            kept.append(line)
            if line == _RULES:
                kept += rules
        guarded = tuple(
            family for family, (_, path) in _GUARDS.items() if path in dict(self._guards())
        )
        return _GUARDED.sub(f"GUARDED = {guarded}", "\n".join(kept), count=1)

    def _rules(self) -> Iterator[str]:
        """ufw's rules that are portgen's, as the script has them."""
        both: dict[str, list[ufw.Rule]] = {}
        for family in self.host.ufw.values():
            for rule in family.rules:
                if rule.action == "allow" and is_ours(rule):
                    both.setdefault(_line(rule), []).append(rule)
        wanted = self.host.rendered.get(SCRIPT, "").split("\n")
        for line, rules in both.items():
            everybody = " from any to any " in line and " in on " not in line
            if everybody and len(rules) == 1:
                own = line.replace(" from any ", f" from {rules[0].source} ", 1)
                yield line if line in wanted and own not in wanted else own
            else:
                yield line


def _is_rule(line: str) -> bool:
    rule = ufw.line(line) if line.startswith("ufw ") else None
    return rule is not None and is_ours(rule)


def _order(line: str) -> tuple[str, int, str]:
    """By service and port, as the script is rendered."""
    port = re.search(r" port (\d+)", line)
    return line.rpartition("comment '")[2], int(port[1]) if port is not None else 0, line


def _line(rule: ufw.Rule) -> str:
    """As the script has it. A rule of both families is one line there."""
    source = "any" if rule.source in _EVERYWHERE else rule.source
    to = "any" if rule.to in _EVERYWHERE else rule.to
    way = f"allow in on {rule.interface}" if rule.interface else "allow"
    return f"ufw {way} proto {rule.protocol} from {source} to {to} port {rule.port} comment '{rule.comment}'"


def wanted(host: Audited) -> dict[str, str]:
    """The rendered files that are installed, by their paths: no documentation."""
    found = {}
    for path, text in host.rendered.items():
        if not is_documentation(f"{host.host.name}/{path}"):
            found[path] = text
    return found
