"""Whether an install can work, found out before anything changes; and whether services answer after it.

In: what is to be done on this host. Out: nothing where all is well; warnings on stderr; a PortgenError with
Exit.MACHINE where it can't work. What is decided lies in `portgen.install`, what is asked in
`machine.trial`, `machine.verify` and `machine.health`; all programs are asked side by side.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

from portgen import screen
from portgen.commands._installing import UNTOUCHED, say
from portgen.problem import Exit, Location, PortgenError, Problem, Severity, counted, listed
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.commands._installing import Ready
    from portgen.install.answers import Wanted
    from portgen.install.refusals import Refusal, Trial
    from portgen.machine.verify import Outcome
    from portgen.plan.live import Reply
    from portgen.plan.types import KeyPath

_AT_ONCE = 8
_SHOWN = 4  # lines of what a program says
At = Callable[["KeyPath"], Location]


def check(settings: Settings, what: Ready) -> None:
    """Find out everything that can be found out. Raises PortgenError(Exit.MACHINE) where the install can't
    work; prints what people have to know."""
    with settings.stage("checking what is to be installed") as tell:
        problems = list(dict.fromkeys(_problems(settings, what, tell)))
    problems.sort(key=lambda problem: problem.location)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    screen.problems(problems, settings.style, beside=True)
    if errors:
        raise PortgenError(f"{_in_the_way(settings, errors)}: {UNTOUCHED}", Exit.MACHINE)


def _in_the_way(settings: Settings, errors: list[Problem]) -> str:
    """What the error says: where the findings are not printed above it, the first of them."""
    if settings.style.format == "json":
        return listed([problem.message for problem in errors], _SHOWN, separator="; ")
    if len(errors) == 1:
        return "something is in the way"
    return f"{counted(len(errors), 'thing')} are in the way"


def _problems(settings: Settings, what: Ready, tell: Callable[[str], None]) -> Iterator[Problem]:
    """All that is wrong, and what people have to know."""
    from portgen.install import refusals
    from portgen.machine import programs, trial

    at = what.checked.source.at
    with ExitStack() as stack:
        rendered = what.host.places.rendered
        if what.in_memory:
            rendered = stack.enter_context(trial.staged(what.host.rendered))
        asks = _Asks(settings, what, rendered, tell)
        pool = stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
        # Those that take longest begin first.
        running = [pool.submit(ask) for ask in asks.all()]
        try:
            found: list[Refusal] = [*asks.unreadable, *refusals.firewall(what.host)]
            found += refusals.certificates(what.host, asks.operations)
            for one in running:
                found += one.result()
            verified = asks.outcomes
        except BaseException:
            programs.stop()
            raise
    for refusal in found:
        yield Problem(
            refusal.rule, refusal.severity, refusal.message, at(refusal.key_path), refusal.hint
        )
    yield from _verified(verified, at(what.host.host.key_path))


def _verified(outcomes: Iterable[Outcome], place: Location) -> Iterator[Problem]:
    """What came of the checks of rendered files."""
    from portgen.machine import verify

    some = list(outcomes)
    yield from verify.problems(some)
    for outcome in some:
        rule = f"verify-{outcome.target}"
        if outcome.broken is not None:
            message = str(outcome.broken)
            yield Problem(rule, Severity.ERROR, message, place, outcome.broken.hint)
        elif outcome.unchecked is not None:
            yield Problem(rule, Severity.NOTE, f"not checked: {outcome.unchecked}", place)


class _Asks:
    """What is asked of whom. `outcomes`: what came of the checks of files, once `verify` has run. `trials`:
    what compose is asked about; `unreadable`: the projects about which it can't be asked."""

    def __init__(
        self, settings: Settings, what: Ready, rendered: str, tell: Callable[[str], None]
    ) -> None:
        from portgen.install import refusals

        self.settings = settings
        self.what = what
        self.rendered = rendered  # the folder with the rendered files
        self.tell = tell
        self.host = what.host
        self.operations = what.planned.operations
        self.outcomes: list[Outcome] = []
        self.unreadable: list[Refusal] = []
        self.trials: list[Trial] = []
        for one in refusals.projects(self.host, self.operations, rendered):
            if isinstance(one, refusals.Refusal):
                self.unreadable.append(one)
            else:
                self.trials.append(one)

    def all(self) -> Iterator[Callable[[], list[Refusal]]]:
        for trial in self.trials:
            yield partial(self.compose, trial)
        yield self.verify
        yield self.firewall
        yield self.networks
        yield self.ports
        yield self.machine

    @cached_property
    def lacks_compose(self) -> bool:
        from portgen.machine import trial

        return not trial.has_compose(self.host.places.compose)

    def compose(self, trial: Trial) -> list[Refusal]:
        from portgen import whole
        from portgen.install import refusals
        from portgen.install.refusals import Refusal
        from portgen.machine import trial as machine

        if self.lacks_compose:
            return []  # `machine` says so, once
        place = trial.override.key_path
        try:
            said = machine.compose(self.host.places.compose, trial.folder, trial.files)
        except PortgenError as error:
            return [Refusal("compose", str(error), place, error.hint)]
        if not said:
            return list(refusals.contradictions(self.host, trial, whole.text))
        where = f"in {trial.folder}, with COMPOSE_FILE={trial.files}"
        message = (
            f"compose refuses the files of {trial.override.project}: {'; '.join(said[:_SHOWN])}"
        )
        return [Refusal("compose", message, place, where)]

    def verify(self) -> list[Refusal]:
        """nginx with all that is in /etc/nginx, systemd-analyze and iptables, of what changes."""
        from portgen import targets
        from portgen.install import trials
        from portgen.machine import verify

        host = self.host.host
        wanted = trials.files(self.host.rendered, self.operations)
        chosen = {}
        for name, target in targets.every().items():
            if name in wanted.targets:
                chosen[name] = target
        if not chosen:
            return []
        has_nginx = "nginx" in chosen
        machine = verify.machine(self.settings.inventory.parent, has_nginx)
        if machine.nginx is not None:
            machine = machine._replace(nginx=trials.without(machine.nginx, wanted.gone))
        plan = self.what.checked.plan
        own = type(plan)((host,), plan.projects)
        texts = {f"{host.name}/{path}": text for path, text in wanted.texts.items()}
        always = ("nginx",) if has_nginx else ()
        at, out = self.what.checked.source.at, self.settings.output_name
        self.outcomes = verify.run(
            own, chosen, texts, at, out, machine, self.tell, always, versions=False
        )
        return []

    @property
    def runs_script(self) -> bool:
        from portgen.install.operations import RunFirewall

        return any(isinstance(one, RunFirewall) for one in self.operations)

    def firewall(self) -> list[Refusal]:
        from portgen.install.refusals import Refusal
        from portgen.machine import transaction, trial

        if not self.runs_script:
            return []
        place = self.host.host.key_path
        script = f"{self.rendered}/{transaction.SCRIPT}"
        shown = f"sh {self.host.places.rendered}/{transaction.SCRIPT} --dry-run"
        found = [Refusal("firewall", line, place, shown) for line in trial.firewall(script)]
        if trial.ufw_is_busy():
            message = f"another ufw is running: it holds {trial.UFW_LOCK}"
            found.append(Refusal("firewall", message, place, "wait until it has finished"))
        return found

    def networks(self) -> list[Refusal]:
        from portgen.install import refusals
        from portgen.machine import trial

        wanted = refusals.made_by_hand(self.host, self.operations)
        return list(refusals.networks(wanted, trial.networks(wanted)))

    def ports(self) -> list[Refusal]:
        """Ports that strangers hold, and ssh's."""
        from portgen.install import refusals, ssh
        from portgen.machine import sessions, transaction

        came = ssh.session(sessions.connection())
        found = list(
            refusals.ports(
                self.host,
                self.operations,
                self.what.difference.meaning,
                self.what.difference.steps,
                None if came is None else came.port,
            )
        )
        if self.runs_script:
            script = self.host.rendered.get(transaction.SCRIPT, "")
            found += ssh.shut(self.host, script, sessions.ports(), came)
        return found

    def machine(self) -> list[Refusal]:
        """Disks and programs."""
        from portgen.install import refusals
        from portgen.install.operations import ComposeUp, PutFile
        from portgen.install.refusals import Refusal
        from portgen.machine import journal, programs, trial

        folders, size = [str(journal.FOLDER)], 0
        for one in self.operations:
            if isinstance(one, PutFile):
                folders.append(posixpath.dirname(one.path))
        needed = list(refusals.programs(self.operations))
        brings_up = any(isinstance(one, ComposeUp) for one in self.operations)
        lacking = list(trial.missing(needed))
        if brings_up and self.lacks_compose:
            lacking.append(programs.Missing("docker-compose"))
        if self.runs_script:
            folders.append("/etc/ufw")
        for text in self.host.rendered.values():
            size += len(text.encode("utf-8", "surrogateescape"))
        place = self.host.host.key_path
        # The journal has the files of both sides.
        found = [Refusal("disk-full", text, place) for text in trial.room(folders, 2 * size)]
        for missing in lacking:
            found.append(Refusal("program-missing", str(missing), place, missing.hint))
        return found


# --- health ---------------------------------------------------------------------------------------


class Health(NamedTuple):
    """The health checks of an install, and what was answered before it."""

    wanted: list[Wanted]
    before: dict[str, Reply]


def before(what: Ready) -> Health:
    """What the services answer before anything changes, where they are now."""
    from portgen.install import answers
    from portgen.machine import health
    from portgen.targets import Request

    wanted = answers.wanted(what.host, what.difference.meaning, what.difference.steps)
    known = {reply.url: reply for reply in what.host.replies}
    asked = [Request(one.service, one.was) for one in wanted if one.was and one.was not in known]
    return Health(wanted, {**known, **health.ask_all(asked)})


def after(settings: Settings, known: Health, strict: bool = False) -> str:
    """Why the install has to be put back: what answered before and does not now; "" where all is well. What
    does not answer otherwise is printed."""
    from portgen.install import answers
    from portgen.machine import health
    from portgen.targets import Request

    seconds = answers.patience(known.wanted, known.before, strict=strict)
    asked = {Request(one.service, one.url): seconds[one.url] for one in known.wanted}
    with settings.stage("asking whether all answer") as tell:
        said = health.ask_until(asked, answers.is_fine, tell)
    fatal = ("broken", "new") if strict else ("broken",)
    found = list(answers.verdicts(known.wanted, known.before, said))
    for verdict in found:
        if verdict.kind not in fatal:
            say(f"note: {verdict.message}", settings.style)
    messages = [verdict.message for verdict in found if verdict.kind in fatal]
    return listed(messages, 3, "; and {} more", "; ")
