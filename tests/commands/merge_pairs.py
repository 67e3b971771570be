"""Random pairs of branches, merged, rebased and picked by the real git: what becomes of `output/`.

In: a seed. Out: a `Result` for each pair, and the figures of many. Each branch has one or two
commits, each of them one to three edits, made as portgen makes them.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from portgen import rules
from portgen.edits import edit
from portgen.edits.splice import Unsafe, set_fields, spliced
from portgen.inventory.source import Source
from portgen.plan import planner
from portgen.plan.free import free_ports
from portgen.plan.types import Plan, Service
from portgen.problem import PortgenError, Severity
from tests.estates import REPOSITORY, loaded
from tests.merges import Make, Repository

CONFLICT = re.compile(r"^CONFLICT \(([^)]+)\): (.*)$", re.MULTILINE)


class Result(NamedTuple):
    """What a pair was, and what came of it."""

    base: str
    kinds: list[str]  # of all edits, of both branches
    inventory: str  # "merges", "conflicts" or "refused"
    merge: str  # "clean", or why a render was needed
    odd: list[str]  # kinds of conflicts in output/ that git does not ask about
    renders: dict[str, int]  # the most for one stop of a merge, rebase or cherry-pick


# --- inventories ----------------------------------------------------------------------------------


def estate(draw: random.Random) -> str:
    """Two or three projects, their services in the style of a person: all in blocks, or each on a line."""
    lines = [
        "version: 1",
        "hosts:",
        "  box:",
        "    zones: {lan: [192.168.0.0/16], far: [10.0.0.0/8]}",
    ]
    lines += ["    nginx: {server_name: box.example.com, allow: [any]}", "projects:"]
    for number in range(draw.randint(2, 3)):
        first = 5000 + 100 * number
        lines += [f"  project-{number}:", f"    ports: {first}-{first + 99}"]
        lines += [f"    network: {{name: net-{number}, subnet: 172.30.{number}.0/24}}"]
        lines += ['    defaults: {container_port: 8080, allow: [lan], route: "/{name}/"}']
        lines += ["    services:"]
        on_a_line = draw.random() < 0.3
        for port in sorted(draw.sample(range(first, first + 40), draw.randint(3, 9))):
            via = draw.choice(["socat", "socat", "docker", "host"])
            if on_a_line:
                lines += [f"      s{port}: {{title: Wall {port}, port: {port}, via: {via}}}"]
                continue
            lines += [f"      s{port}:", f"        title: Wall {port}", f"        port: {port}"]
            lines += [f"        via: {via}", f"        purpose: What {port} is for"]
    return "\n".join(lines) + "\n"


def bases(draw: random.Random) -> tuple[str, str]:
    """The name of a kind of inventory, and one of it."""
    if draw.random() < 0.5:
        return "es", (REPOSITORY / "inventory.yaml").read_text()
    return "estate", estate(draw)


# --- edits ----------------------------------------------------------------------------------------


class _Unfit(Exception):  # noqa: N818
    """There is nothing here to which that can be done."""


def _services(plan: Plan) -> list[Service]:
    return [one for one in plan.services if one.ports and one.status == "active"]


def _free(plan: Plan, service: Service, draw: random.Random) -> int:
    (project,) = [one for one in plan.projects if one.name == service.project]
    ports = list(free_ports(plan, project))[:30]
    if not ports:
        raise _Unfit
    return draw.choice(ports)


def _move(source: Source, plan: Plan, draw: random.Random, name: str) -> edit.Edited:
    service = draw.choice(_services(plan))
    return edit.move(source, (service, 0, _free(plan, service, draw)))


def _mates(plan: Plan, draw: random.Random) -> tuple[Service, Service]:
    one = draw.choice(_services(plan))
    mates = [each for each in _services(plan) if each.project == one.project and each != one]
    if not mates:
        raise _Unfit
    return one, draw.choice(mates)


def _swap(source: Source, plan: Plan, draw: random.Random, name: str) -> edit.Edited:
    one, other = _mates(plan, draw)
    return edit.move(source, (one, 0, other.ports[0].port), (other, 0, one.ports[0].port))


def _chain(source: Source, plan: Plan, draw: random.Random, name: str) -> edit.Edited:
    """One takes the port of another, which takes a free one."""
    one, other = _mates(plan, draw)
    free = _free(plan, other, draw)
    return edit.move(source, (one, 0, other.ports[0].port), (other, 0, free))


def _add(source: Source, plan: Plan, draw: random.Random, name: str) -> edit.Edited:
    """As `portgen add` does: behind the project's last one. Often two branches add to the same project;
    one in three takes just the next free port."""
    project = plan.projects[0]
    if draw.random() < 0.4:
        project = draw.choice(plan.projects)
    ports = list(free_ports(plan, project))[:30]
    if not ports:
        raise _Unfit
    port = ports[0] if draw.random() < 0.35 else draw.choice(ports)
    return edit.add(source, project.name, name, {"title": name.title(), "port": port})


def _remove(source: Source, plan: Plan, draw: random.Random, name: str) -> edit.Edited:
    one, _ = _mates(plan, draw)
    return edit.remove(source, one)


def _retire(source: Source, plan: Plan, draw: random.Random, name: str) -> edit.Edited:
    return edit.retire(source, draw.choice(_services(plan)))


def _address(source: Source, plan: Plan, draw: random.Random, name: str) -> edit.Edited:
    """Another fixed address, written by hand."""
    held = [one for one in _services(plan) if one.address is not None]
    if not held:
        raise _Unfit
    service = draw.choice(held)
    head, _, _ = str(service.address).rpartition(".")
    fields = {"address": f"{head}.{draw.randint(80, 120)}"}
    text = spliced(source.text, set_fields(source, service.key_path, fields, "port"))
    return edit.Edited(text, loaded(text).inventory, "")


KINDS: dict[str, Callable[[Source, Plan, random.Random, str], edit.Edited]] = {
    "move": _move,
    "swap": _swap,
    "chain": _chain,
    "add": _add,
    "remove": _remove,
    "retire": _retire,
    "address": _address,
}


def is_valid(text: str) -> bool:
    """Whether it loads and has no error."""
    try:
        source = loaded(text)
    except PortgenError:
        return False
    found = rules.check(planner.make(source.inventory), source.at)
    return all(problem.severity is not Severity.ERROR for problem in found)


def edited(text: str, draw: random.Random, name: str) -> tuple[str, str]:
    """The text after one edit, valid as before, and what was done."""
    while True:
        kind = draw.choice([*KINDS, "add"])
        source = loaded(text)
        plan = planner.make(source.inventory)
        try:
            after = KINDS[kind](source, plan, draw, name).text
        except (_Unfit, Unsafe, PortgenError):
            continue
        if after != text and is_valid(after):
            return after, kind


# --- one pair -------------------------------------------------------------------------------------


class Pair:
    """Two branches, `ours` and `theirs`, that begin at `main`."""

    def __init__(self, repository: Make, seed: int) -> None:
        draw = random.Random(seed)
        self.base, text = bases(draw)
        self.at = repository(text)
        self.kinds: list[str] = []
        for side in ("ours", "theirs"):
            self.at.must("checkout", "-q", "-b", side, "main")
            after = text
            for commit in range(draw.randint(1, 2)):
                for number in range(draw.choice([1, 1, 2, 3])):
                    after, kind = edited(after, draw, f"{side}-{commit}-{number}")
                    self.kinds.append(kind)
                self.at.inventory.write_text(after)
                self.at.commit(f"{side} {commit}")

    def merge(self) -> tuple[str, str, list[str], int]:
        """What becomes of the inventory, of the merge, of what git does not ask about; renders."""
        at = self.at
        at.must("checkout", "-q", "-B", "merged", "ours")
        done = at.git("merge", "theirs")
        inventory = self._inventory()
        odd = odd_conflicts(done.stdout)
        if done.returncode == 0:
            assert inventory == "merges", done.stdout + done.stderr
            assert is_complete(at)
            return inventory, "clean", odd, 0
        assert done.stderr.count("portgen: ") >= 1 or odd, done.stdout + done.stderr
        why = {"conflicts": "the inventory conflicts", "refused": "the inventory is refused"}.get(
            inventory, "; ".join(sorted(set(odd))) or "both changes together"
        )
        if inventory == "refused":
            assert "error:" in done.stderr, done.stderr
        self._settle(inventory)
        at.must("commit", "-q", "--no-edit")
        assert is_complete(at)
        return inventory, why, odd, 1

    def rebase(self) -> int:
        """The most renders that one stop of a rebase needed."""
        self.at.must("checkout", "-q", "-B", "rebased", "ours")
        return self._step_by_step("rebase", "theirs", "rebase-merge")

    def pick(self) -> int:
        """The most renders that one stop of picking their commits needed."""
        self.at.must("checkout", "-q", "-B", "picked", "ours")
        return self._step_by_step("cherry-pick", "main..theirs", "CHERRY_PICK_HEAD")

    def _step_by_step(self, command: str, what: str, sign: str) -> int:
        at = self.at
        renders = 0
        stopped = at.git(command, what)
        for _ in range(10):
            if not (at.folder / ".git" / sign).exists():
                break
            assert "portgen: " in stopped.stderr or odd_conflicts(stopped.stdout), stopped.stderr
            self._settle(self._inventory())
            renders = 1
            empty = at.git("diff", "--cached", "--quiet").returncode == 0
            step = "--skip" if empty else "--continue"
            stopped = at.git(command, step, GIT_EDITOR="true")
        assert is_complete(at), stopped.stdout + stopped.stderr
        return renders

    def _inventory(self) -> str:
        if self.at.must("ls-files", "-u", "inventory.yaml"):
            return "conflicts"
        return "merges" if is_valid(self.at.inventory.read_text()) else "refused"

    def _settle(self, inventory: str) -> None:
        """What the documentation says: an inventory that is right (here the one of the side that we
        are on), one render, one add."""
        at = self.at
        if inventory != "merges":
            at.inventory.write_text(at.must("show", "HEAD:inventory.yaml") + "\n")
        code, shown = at.portgen("render")
        assert code == 0, shown
        at.must("add", "-A", "inventory.yaml", "output")


def odd_conflicts(said: str) -> list[str]:
    """The kinds of conflicts in `output/` about which git asks no driver."""
    found = []
    for kind, about in CONFLICT.findall(said):
        if kind not in ("content", "add/add") and "output/" in about:
            found.append(kind)
    return found


def is_complete(at: Repository) -> bool:
    """Whether all is committed and current, and `output/` has nothing else in it."""
    sums = (at.home / "output/SHA256SUMS").read_text()
    recorded = {f"output/{line[66:]}" for line in sums.splitlines()} | {"output/SHA256SUMS"}
    tracked = set(at.must("ls-files", "output").split("\n"))
    return at.is_current() and tracked == recorded


def run(repository: Make, seed: int, *, rebase: bool = True, pick: bool = True) -> Result:
    """Make a pair, and do all with it."""
    pair = Pair(repository, seed)
    inventory, merge, odd, renders = pair.merge()
    counted = {"merge": renders}
    if rebase:
        counted["rebase"] = pair.rebase()
    if pick:
        counted["cherry-pick"] = pair.pick()
    return Result(pair.base, pair.kinds, inventory, merge, odd, counted)


def line(one: Result) -> str:
    """A pair on a line."""
    renders = ", ".join(f"{what} {count}" for what, count in one.renders.items())
    odd = ", ".join(one.odd) or "nothing"
    kinds = " ".join(one.kinds)
    return f"{one.base}; {kinds}; {one.inventory}; {one.merge}; not asked about: {odd}; renders: {renders}"


def figures(results: list[Result]) -> str:
    """The distribution, as lines."""
    lines = [f"{len(results)} pairs"]
    rows: dict[str, Counter[str]] = {
        "inventories": Counter(one.base for one in results),
        "edits": Counter(kind for one in results for kind in one.kinds),
        "the inventory": Counter(one.inventory for one in results),
        "the merge": Counter(one.merge for one in results),
        "not asked about": Counter(kind for one in results for kind in one.odd),
    }
    for what in ("merge", "rebase", "cherry-pick"):
        rows[f"renders a {what}"] = Counter(
            str(one.renders[what]) for one in results if what in one.renders
        )
    for name, counted in rows.items():
        shown = ", ".join(f"{key}: {count}" for key, count in counted.most_common())
        lines.append(f"  {name:24} {shown or 'none'}")
    return "\n".join(lines)
