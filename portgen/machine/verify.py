"""Rendered files checked by the real programs: staged, run side by side, answers traced back.

In: a plan, rendered texts, where inventory entries stand. Out: an `Outcome` a check. Writes to
temporary folders of its own only; the target that describes a check makes sure that its program
changes nothing else.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from portgen import whole
from portgen.machine import programs
from portgen.plan.types import NGINX, Host, KeyPath, Plan
from portgen.problem import Exit, Location, PortgenError, Problem
from portgen.targets import (
    Check,
    Checked,
    Machine,
    Program,
    Rejection,
    Target,
    Unchecked,
    blamed,
    blocks,
)

TIMEOUT = 60.0  # seconds; 10,000 locations take nginx two
ETC_NGINX = Path("/etc/nginx")
_AT_ONCE = 8
_ALIKE = 3  # so many equal findings are reported one by one

At = Callable[[KeyPath], Location]


class Outcome(NamedTuple):
    """What came of one check: problems, or why it was not made, or nothing wrong."""

    target: str
    subject: str
    # As people call it, with its version: "nginx 1.22.1"; None where no program was asked.
    program: str | None
    problems: tuple[Problem, ...] = ()
    unchecked: str | None = None
    broken: PortgenError | None = None  # the program did not come to an end
    remark: str | None = None


class Found(NamedTuple):
    """A program of this machine: its command and its name."""

    command: tuple[str, ...]
    name: str


class _Traced(NamedTuple):
    """What a finding of one target on one host is traced back with."""

    target: str
    host: Host
    files: Mapping[str, str]  # by path below output/<host>/
    at: At
    out: str
    folder: str


def machine(folder: Path, with_system: bool) -> Machine:
    """This machine, as targets may ask about it. `folder` is the inventory's."""
    return Machine(
        programs.is_root(),
        str(folder.absolute()),
        whole.text,
        _readable,
        configuration_below(ETC_NGINX) if with_system else None,
    )


def _nobody(_text: str) -> None:
    """Where nobody wants to know how far the checks are."""


def run(
    plan: Plan,
    targets: Mapping[str, Target],
    texts: Mapping[str, str],
    at: At,
    out: str,
    on: Machine,
    tell: Callable[[str], None] = _nobody,
    always: Collection[str] = (),
    *,
    versions: bool = True,
) -> list[Outcome]:
    """Check the rendered `texts` (by path below the output folder, which people know as `out`), in
    the targets' order, several at once. `tell` is called with how far that is. `always`: targets that
    have something to check without files, too. `versions`: whether an outcome names the version of its
    program, which has to be asked for it."""
    outcomes: list[Outcome | Future[Outcome]] = []
    found: dict[Program, Future[Found]] = {}
    names: list[str] = []  # of the outcomes' targets
    ended = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for name, target, host, files in _files(plan, targets, texts, always):
                traced = _Traced(name, host, files, at, out, on.folder)
                with blamed(name, target):
                    items = list(target.checks(host, files, on))
                for item in items:
                    names.append(name)
                    if isinstance(item, Check) and not versions:
                        item = item._replace(program=item.program._replace(version=()))  # noqa: PLW2901
                    if not isinstance(item, Check):
                        outcomes.append(_outcome(traced, host.name, [item]))
                        continue
                    # Before the checks that wait for it: they can't fill the pool.
                    if item.program not in found:
                        found[item.program] = pool.submit(find_program, item.program)
                    outcomes.append(pool.submit(_ask, item, found[item.program], traced, on))
            for number, outcome in enumerate(outcomes):
                if isinstance(outcome, Outcome):
                    ended.append(outcome)
                else:
                    tell(f"checking with {names[number]}: {number} of {len(outcomes)} checks")
                    ended.append(outcome.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            _stop([*found.values(), *outcomes])
            raise
    return ended


def _stop(outcomes: Iterable[Outcome | Future[Any]]) -> None:
    """Back when no program runs any more: an interrupt must not wait for them."""
    for outcome in outcomes:
        while isinstance(outcome, Future) and not outcome.done():
            programs.stop()
            time.sleep(0.01)


def _files(
    plan: Plan, targets: Mapping[str, Target], texts: Mapping[str, str], always: Collection[str]
) -> Iterator[tuple[str, Checked, Host, dict[str, str]]]:
    """Each target that checks anything, each host that it has files for, and these by their paths
    below the host's folder."""
    for name, target in targets.items():
        if not isinstance(target, Checked):
            continue
        for host in plan.hosts:
            prefix = f"{host.name}/"
            files = {}
            for path, text in texts.items():
                if path.startswith(f"{prefix}{name}/"):
                    files[path.removeprefix(prefix)] = text
            if files or name in always:
                yield name, target, host, files


def problems(outcomes: Iterable[Outcome]) -> list[Problem]:
    """All that the checks reported, once each, by place. What is the same for many entries comes
    from a template: one stands for all."""
    found = {problem for outcome in outcomes for problem in outcome.problems}
    alike: dict[tuple[str, str], list[Problem]] = {}
    for problem in sorted(found, key=_order):
        alike.setdefault((problem.rule, problem.message), []).append(problem)
    shown = []
    for same in alike.values():
        if len(same) > _ALIKE:
            shown.append(_for_all(same))
        else:
            shown += same
    shown.sort(key=_order)
    return shown


def _order(problem: Problem) -> tuple[Location, str, str, str]:
    return problem.location, problem.rule, problem.message, problem.hint or ""


def _for_all(same: list[Problem]) -> Problem:
    """The first of many equal problems, with the places of some others."""
    first, *others = same
    lines = ", ".join(str(problem.location.line) for problem in others[:_ALIKE])
    entries = f"the same for {len(others)} more entries (lines {lines}, ...)"
    hint = f"{entries}: probably a template's fault"
    if first.hint:
        hint = f"{first.hint}; {hint}"
    return first._replace(hint=hint)


# --- one check ------------------------------------------------------------------------------------


def find_program(program: Program) -> Found:
    """The first of its commands that answers. Raises programs.Missing where this machine has none,
    PortgenError where the last one is broken."""
    failure: PortgenError = programs.Missing(program.commands[-1][0])
    for command in program.commands:
        if programs.find(command[0]) is None:
            continue
        name = " ".join(command)
        if not program.version:
            return Found(command, name)
        said = programs.run((*command, *program.version), timeout=TIMEOUT)
        if said.returncode == 0:
            version = re.search(r"\d+(?:\.\d+)*", said.stdout + said.stderr)
            if version is not None:
                name = f"{name} {version[0]}"
            return Found(command, name)
        if command == program.commands[-1]:  # an earlier one is only a docker without the plugin
            reason = (said.stderr or said.stdout).strip().rpartition("\n")[2]
            message = f"{name} is broken: {reason or f'exit code {said.returncode}'}"
            hint = f"try `{name} {program.version[0]}`"
            failure = PortgenError(message, Exit.MACHINE, hint=hint)
    raise failure


def _ask(check: Check, program: Future[Found], traced: _Traced, on: Machine) -> Outcome:
    """Carry out one check. What a program or the disk does wrong is part of the outcome."""
    try:
        found = program.result()
        if check.needs_root and not on.root:
            reason = Unchecked(f"{found.command[-1]} needs root")
            return _outcome(traced, check.subject, [*check.known, reason])
        said = _answer(check, found, on)
    except programs.Missing as missing:
        reason = Unchecked(f"{missing} ({missing.hint})")
        return _outcome(traced, check.subject, [*check.known, reason])
    except PortgenError as error:
        return _outcome(traced, check.subject, check.known)._replace(broken=error)
    except OSError as error:
        message = f"{error.filename or tempfile.gettempdir()}: can't be staged: {error.strerror}"
        hint = "TMPDIR names another place for temporary files"
        broken = PortgenError(message, Exit.MACHINE, hint=hint)
        return _outcome(traced, check.subject, check.known)._replace(broken=broken)
    findings = [*check.known, *check.read(*said)]
    return _outcome(traced, check.subject, findings, found.name, check.remark)


def _answer(check: Check, found: Found, on: Machine) -> programs.Finished:
    """Run the check's program in a temporary folder with its staged files."""
    user = None
    place = None
    if check.drops_root and on.root:
        user = programs.NOBODY
        # Where everybody may go: root's own TMPDIR may be closed to others.
        place = "/tmp"  # noqa: S108 - a folder of its own
    with tempfile.TemporaryDirectory(prefix="portgen-verify-", dir=place) as stage:
        _fill(Path(stage), check.staged, user)
        return programs.run(
            (*found.command, *check.arguments),
            timeout=TIMEOUT,
            cwd=Path(stage),
            stdin=check.stdin,
            env=check.env,
            user=user,
        )


def _fill(stage: Path, staged: Mapping[str, str], user: int | None) -> None:
    for path, text in staged.items():
        place = stage / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode("utf-8", "surrogateescape"))
    if user is None:
        return
    for folder, _, names in os.walk(stage):
        os.chown(folder, user, user)
        for name in names:
            os.chown(os.path.join(folder, name), user, user)


# --- from an answer to the inventory --------------------------------------------------------------


def _outcome(
    traced: _Traced,
    subject: str,
    findings: Iterable[Rejection | Unchecked],
    program: str | None = None,
    remark: str | None = None,
) -> Outcome:
    rejected = []
    reasons = []
    for finding in findings:
        if isinstance(finding, Rejection):
            rejected.append(_problem(traced, finding))
        else:
            reasons.append(finding.reason)
    return Outcome(
        traced.target,
        subject,
        program,
        tuple(rejected),
        unchecked="; ".join(reasons) or None,
        remark=remark,
    )


def _problem(traced: _Traced, rejection: Rejection) -> Problem:
    """What a program rejected, at the inventory's entry where that is known: named by the target,
    or by the mark of the block that the line stands in. Otherwise at the rendered line itself, at
    the file that portgen did not render, or at the host."""
    path, line = rejection.path, rejection.line
    rendered = None
    if path in traced.files:
        rendered = f"{traced.out}/{traced.host.name}/{path}"
    key_path = rejection.key_path
    if key_path is None and path is not None and rendered is not None:
        key_path = _traced_back(traced, path, line)
    hints = []
    if rejection.hint:
        hints.append(rejection.hint)
    if key_path is not None:
        location = traced.at(key_path)
        if rendered is not None:
            place = f"{rendered}:{line}" if line else rendered
            hints.append(f"rendered at {place}")
    elif path is not None:
        location = Location(rendered or _shown(path, traced), line or 1, 1)
    else:
        location = traced.at(traced.host.key_path)
    rule = f"verify-{traced.target}"
    hint = "; ".join(hints) or None
    return Problem(rule, rejection.severity, rejection.message, location, hint)


def _traced_back(traced: _Traced, path: str, line: int | None) -> KeyPath | None:
    """The key path of the entry that a line of a rendered file comes from; None where none is
    known."""
    name = _service_at(path, traced.files[path], line)
    if name == NGINX and traced.host.server is not None:
        return traced.host.server.key_path
    for service in traced.host.services:
        if service.name == name:
            return service.key_path
    return None


def _service_at(path: str, text: str, line: int | None) -> str | None:
    """The service whose block has the line, or whose block is the file's only one."""
    found = list(blocks(path, text))
    for block in found:
        if line is not None and block.first <= line <= block.last:
            return block.service
    if len(found) == 1 and (line is None or path.endswith(".service")):
        return found[0].service
    return None


def _shown(path: str, traced: _Traced) -> str:
    """A file of the team's as people know it: named as the inventory is where it lies below the
    inventory's folder."""
    if not path.startswith(f"{traced.folder}/"):
        return path
    folder = os.path.dirname(traced.at(()).file)
    return os.path.join(folder, path.removeprefix(f"{traced.folder}/"))


# --- this machine ---------------------------------------------------------------------------------


def _readable(path: str) -> bool:
    return os.access(path, os.R_OK)


def configuration_below(root: Path) -> dict[str, str]:
    """The configuration below a folder, links followed. Only configuration, and never a private
    key."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link to a folder around it
            subfolders.clear()
            continue
        seen.add(real)
        for name in sorted(names):
            path = Path(folder, name)
            text = whole.text(str(path))
            if text is not None and "\0" not in text and "PRIVATE KEY" not in text:
                found[str(path.relative_to(root))] = text
    return found
