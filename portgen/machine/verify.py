"""Rendered files before the real programs: staged, run side by side, answers traced back to the inventory.

In: a plan, rendered texts, where inventory entries stand. Out: an `Outcome` a check. Writes to temporary folders of its
own only; what a program must leave alone is seen to by the target that describes the check.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from portgen import whole
from portgen.machine import programs
from portgen.plan.types import NGINX, Host, KeyPath, Plan
from portgen.problem import Exit, Location, PortgenError, Problem
from portgen.targets import Check, Machine, Program, Rejection, Target, Unchecked, blocks

TIMEOUT = 60.0  # seconds; 10,000 locations take nginx two
ETC_NGINX = Path("/etc/nginx")
_AT_ONCE = 8
_ALIKE = 3  # so many equal findings are reported one by one

At = Callable[[KeyPath], Location]


class Outcome(NamedTuple):
    """What became of one check: found fault with, not checked and why, or fine."""

    target: str
    subject: str
    program: (
        str | None
    )  # as people call it, with its version: "nginx 1.22.1"; None where no program was asked
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


def run(
    plan: Plan,
    targets: Mapping[str, Target],
    texts: Mapping[str, str],
    at: At,
    out: str,
    on: Machine,
) -> list[Outcome]:
    """Check the rendered `texts` (by path below the output folder, which people know as `out`), in the targets' order."""
    outcomes: list[Outcome | Future[Outcome]] = []
    programs: dict[Program, Future[Found]] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for name, target in targets.items():
                for planned in plan.hosts:
                    prefix = f"{planned.name}/"
                    files = {
                        path.removeprefix(prefix): text
                        for path, text in texts.items()
                        if path.startswith(f"{prefix}{name}/")
                    }
                    describe = getattr(target, "checks", None)
                    traced = _Traced(name, planned, files, at, out, on.folder)
                    for item in describe(planned, files, on) if files and describe else ():
                        if not isinstance(item, Check):
                            outcomes.append(_outcome(traced, planned.name, [item]))
                            continue
                        if (
                            item.program not in programs
                        ):  # asked for first, and so never waited for in vain
                            programs[item.program] = pool.submit(find_program, item.program)
                        outcomes.append(pool.submit(_ask, item, programs[item.program], traced, on))
            return [item if isinstance(item, Outcome) else item.result() for item in outcomes]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def problems(outcomes: Iterable[Outcome]) -> list[Problem]:
    """All that was found fault with, once each, by place. What is the same for many entries comes from a template: one stands for all."""
    found = dict.fromkeys(problem for outcome in outcomes for problem in outcome.problems)
    alike: dict[tuple[str, str], list[Problem]] = {}
    for problem in sorted(found, key=lambda problem: problem.location):
        alike.setdefault((problem.rule, problem.message), []).append(problem)
    shown = []
    for same in alike.values():
        if len(same) > _ALIKE:
            first, *others = same
            lines = ", ".join(str(problem.location.line) for problem in others[:_ALIKE])
            more = f"the same for {len(others)} more entries (lines {lines}, ...): probably a template's fault"
            shown.append(first._replace(hint=f"{first.hint}; {more}" if first.hint else more))
        else:
            shown += same
    return sorted(shown, key=lambda problem: (problem.location, problem.rule, problem.message))


# --- one check -------------------------------------------------------------------------------------------------------


def find_program(program: Program) -> Found:
    """The first of its commands that answers. Raises host.Missing where this machine has none, PortgenError where the last one is broken."""
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
            return Found(command, f"{name} {version[0]}" if version else name)
        if command == program.commands[-1]:  # an earlier one is only a docker without the plugin
            reason = (said.stderr or said.stdout).strip().rpartition("\n")[2]
            failure = PortgenError(
                f"{name} is broken: {reason or f'exit code {said.returncode}'}",
                Exit.MACHINE,
                hint=f"try `{name} {program.version[0]}`",
            )
    raise failure


def _ask(check: Check, program: Future[Found], traced: _Traced, on: Machine) -> Outcome:
    try:
        found = program.result()
        if check.needs_root and not on.root:
            return _outcome(
                traced, check.subject, [*check.known, Unchecked(f"{found.command[-1]} needs root")]
            )
        user = programs.NOBODY if check.drops_root and on.root else None
        # Where everybody may go: root's own TMPDIR may be closed to others.
        with tempfile.TemporaryDirectory(
            prefix="portgen-verify-",
            dir=None if user is None else "/tmp",  # noqa: S108 - a folder of its own
        ) as stage:
            _fill(Path(stage), check.staged, user)
            argv = (*found.command, *check.arguments)
            said = programs.run(
                argv, timeout=TIMEOUT, cwd=Path(stage), stdin=check.stdin, env=check.env, user=user
            )
    except programs.Missing as missing:
        return _outcome(
            traced, check.subject, [*check.known, Unchecked(f"{missing} ({missing.hint})")]
        )
    except PortgenError as error:
        return _outcome(traced, check.subject, check.known)._replace(broken=error)
    except OSError as error:
        message = f"{error.filename or tempfile.gettempdir()}: can't be staged: {error.strerror}"
        broken = PortgenError(
            message, Exit.MACHINE, hint="TMPDIR names another place for temporary files"
        )
        return _outcome(traced, check.subject, check.known)._replace(broken=broken)
    return _outcome(
        traced, check.subject, [*check.known, *check.read(*said)], found.name, check.remark
    )


def _fill(stage: Path, staged: Mapping[str, str], user: int | None) -> None:
    for path, text in staged.items():
        place = stage / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode("utf-8", "surrogateescape"))
    if user is not None:
        for folder, _, names in os.walk(stage):
            for path in (folder, *(os.path.join(folder, name) for name in names)):
                os.chown(path, user, user)


# --- from an answer to the inventory ---------------------------------------------------------------------------------


def _outcome(
    traced: _Traced,
    subject: str,
    findings: Iterable[Rejection | Unchecked],
    program: str | None = None,
    remark: str | None = None,
) -> Outcome:
    findings = list(findings)
    rejected = tuple(
        _problem(traced, finding) for finding in findings if isinstance(finding, Rejection)
    )
    reasons = "; ".join(finding.reason for finding in findings if isinstance(finding, Unchecked))
    return Outcome(traced.target, subject, program, rejected, reasons or None, None, remark)


def _problem(traced: _Traced, rejection: Rejection) -> Problem:
    """The inventory entry where it is known: named by the target, or by the mark of the block that the line stands in.

    Otherwise the rendered line itself, or the file that is none of ours, or the host."""
    path, line = rejection.path, rejection.line
    ours = path in traced.files
    key_path = rejection.key_path or (
        _traced_back(traced, path, line) if path is not None and ours else None
    )
    rendered = f"{traced.out}/{traced.host.name}/{path}"
    if key_path is not None:
        location = traced.at(key_path)
    elif path is not None:
        location = Location(rendered if ours else _shown(path, traced), line or 1, 1)
    else:
        location = traced.at(traced.host.key_path)
    place = (f"{rendered}:{line}" if line else rendered) if key_path is not None and ours else None
    hint = "; ".join(part for part in (rejection.hint, place and f"rendered at {place}") if part)
    return Problem(
        f"verify-{traced.target}", rejection.severity, rejection.message, location, hint or None
    )


def _traced_back(traced: _Traced, path: str, line: int | None) -> KeyPath | None:
    found = list(blocks(path, traced.files[path]))
    name = next(
        (
            block.service
            for block in found
            if line is not None and block.first <= line <= block.last
        ),
        None,
    )
    if name is None and len(found) == 1 and (line is None or path.endswith(".service")):
        name = found[0].service
    if name == NGINX and traced.host.server is not None:
        return traced.host.server.key_path
    return next(
        (service.key_path for service in traced.host.services if service.name == name), None
    )


def _shown(path: str, traced: _Traced) -> str:
    """A file of the team's as people know it: named as the inventory is where it lies below the inventory's folder."""
    inside = path.startswith(f"{traced.folder}/")
    return (
        os.path.join(os.path.dirname(traced.at(()).file), path.removeprefix(f"{traced.folder}/"))
        if inside
        else path
    )


# --- this machine ----------------------------------------------------------------------------------------------------


def _readable(path: str) -> bool:
    return os.access(path, os.R_OK)


def configuration_below(root: Path) -> dict[str, str]:
    """The configuration below a folder, links followed. Only configuration, and never a private key."""
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
