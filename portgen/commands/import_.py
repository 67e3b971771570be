"""`portgen import`: from an existing host to an inventory, and the proof that it says the same."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from portgen import chain, screen
from portgen.commands import _complete, _imported, _options
from portgen.commands._asking import DRY_RUN, NOTHING, before_writing, is_asked
from portgen.problem import Exit, PortgenError, Problem
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.adopt import Adopted, Sources
    from portgen.commands._sources import Gathered

_HOST = "server"  # what the host is called where nobody says it
_PATH = click.Path(path_type=Path)


def _source(name: str, metavar: str, text: str) -> Callable[[Any], Any]:
    return click.option(
        f"--{name}",
        type=_PATH,
        multiple=True,
        metavar=metavar,
        shell_complete=_complete.files,
        help=f"{text} May be given several times.",
    )


@click.command(
    name="import",
    epilog="""\b
Examples:
  portgen import --compose docker-compose.yml --nginx /etc/nginx
  portgen import --compose web.yml --compose media.yml --ufw /etc/ufw --save inventory.yaml
  ss -tulnp > ss.txt; portgen import --ss ss.txt --ufw /etc/ufw --report
  sudo portgen import --live --save inventory.yaml""",
)
@click.argument("host", required=False)
@_source("compose", "FILE", "A compose file, or a folder with some.")
@_source("nginx", "PATH", "A folder like /etc/nginx, a site's file, or what `nginx -T` printed.")
@_source(
    "ufw", "PATH", "A folder like /etc/ufw, what `ufw status` printed, or a script that calls ufw."
)
@_source("units", "PATH", "A unit, a folder of units, or a script that runs socat.")
@_source("ss", "FILE", "What `ss -tulnp` printed.")
@_source("docker", "FILE", "What `docker inspect` or `docker ps` printed.")
@click.option("--live", is_flag=True, help="Ask this machine for all of that.")
@click.option(
    "--save",
    type=_PATH,
    metavar="FILE",
    shell_complete=_complete.files,
    help="Write the inventory to a new file.",
)
@click.option(
    "--into",
    type=_PATH,
    metavar="INVENTORY",
    shell_complete=_complete.files,
    help="Add what is new to an existing inventory.",
)
@click.option(
    "--report",
    is_flag=True,
    help="Print what is wrong in the sources, and how much is taken over; no inventory.",
)
@_options.yes
@_options.dry_run
@_options.with_settings_here
def command(
    settings: Settings,
    host: str | None,
    save: Path | None,
    into: Path | None,
    live: bool,
    report: bool,
    yes: bool,
    dry_run: bool,
    **named: tuple[Path, ...],
) -> int:
    """Write an inventory of a host as it is, from its files or by asking it, and prove it.

    HOST is what the inventory calls the host. The inventory is planned and rendered in memory, and what it
    comes to is compared with what the sources say. Three lists show everything that they say of ports,
    addresses, names, sources and containers: what is taken over, what with a difference, and what is not.
    Lines of a file with the same reason are listed as one; -v lists each, and with --report the lists, too.
    Exit codes: 0 done; 1 lint finds errors in the new inventory other than `ports:` in compose files,
    --report something wrong in the sources, --live could not ask for everything, or nothing was written,
    since FILE exists or the answer was no; 2 a source is not there, or is of another kind; 3 an inventory
    can't be loaded; 4 a file can't be written.
    """
    _refuse(settings, host, save, into, report)
    to = (settings.folder / (save or into or settings.inventory_name)).parent
    gathered = _gathered(settings, named, to, live=live)
    _imported.unasked(gathered, settings)
    if into is not None:
        from portgen.commands import _import_into

        _require_all(gathered, into)
        return _import_into.add(settings, into, host, gathered, yes=yes, dry_run=dry_run)
    adopted = _adopted(settings, host or (_here() if live else _HOST), gathered)
    problems = _problems(settings, adopted)
    _show(settings, adopted, gathered, problems, report=report)
    if save is not None:
        _require_all(gathered, save)
        return _save(settings, save, adopted, problems, yes=yes, dry_run=dry_run)
    is_wrong = bool(adopted.conflicts) if report else chain.failed(problems)
    return Exit.DIFFERENT if is_wrong or gathered.unasked else Exit.OK


def _require_all(gathered: Gathered, path: Path) -> None:
    """A part of a host is not written as if it was the whole. Raises PortgenError."""
    if gathered.unasked:
        message = f"{path} is not written: {_imported.NOT_ASKED}"
        raise PortgenError(message, Exit.DIFFERENT, hint=gathered.remedy)


def _refuse(
    settings: Settings, host: str | None, save: Path | None, into: Path | None, report: bool
) -> None:
    """What can't be meant. Raises click.BadParameter and PortgenError."""
    if host is not None and not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", host):
        message = f"{host!r} is not a valid name: use lower-case letters, digits and single hyphens"
        if (settings.folder / host).exists():
            message = f"{host} is a file: name it by its kind, such as `--compose {host}`"
        raise click.BadParameter(message, param_hint="HOST")
    if [save is not None, into is not None, report].count(True) > 1:
        raise PortgenError("--save, --into and --report exclude each other", Exit.USAGE)
    if save is not None and (settings.folder / save).exists():
        hint = f"`--into {save}` adds to it"
        raise PortgenError(f"{save} already exists", Exit.DIFFERENT, hint=hint)


def _here() -> str:
    from portgen.adopt import naming

    return naming.plain(platform.node().partition(".")[0])


def _gathered(
    settings: Settings, named: dict[str, tuple[Path, ...]], to: Path, *, live: bool
) -> Gathered:
    from portgen.commands import _sources

    paths = [(kind, path) for kind, several in named.items() for path in several]
    if not paths and not live:
        hint = (
            "name files (--compose, --nginx, --ufw, --units, --ss, --docker), or --live on the host"
        )
        raise PortgenError("there is nothing to import", Exit.USAGE, hint=hint)
    with settings.stage("reading the sources") as tell:
        return _sources.gather(paths, settings.folder, to, live=live, tell=tell)


def _adopted(settings: Settings, host: str, gathered: Gathered) -> Adopted:
    from portgen import adopt

    sources: Sources = gathered.sources
    with settings.stage("comparing the inventory with the sources"):
        return adopt.adopt(sources, host)


def _problems(settings: Settings, adopted: Adopted) -> list[Problem]:
    """What lint says of the new inventory, which is also rendered, in memory. Raises PortgenError where
    that fails."""
    checked = chain.check_source(adopted.source, settings.stage)
    if not chain.failed(checked.problems):
        chain.render(settings, checked.plan, keeps=False)
    return checked.problems


def _show(
    settings: Settings,
    adopted: Adopted,
    gathered: Gathered,
    problems: list[Problem],
    *,
    report: bool,
) -> None:
    if settings.style.format == "json":
        screen.data(_imported.record(adopted, gathered, problems, written=False))
    elif report:
        _imported.report(adopted, gathered, settings)
    else:
        _imported.show(adopted, gathered, settings)
        errors = [problem for problem in problems if chain.failed([problem])]
        screen.problems(errors, settings.style, beside=True)


def _save(
    settings: Settings,
    save: Path,
    adopted: Adopted,
    problems: list[Problem],
    *,
    yes: bool,
    dry_run: bool,
) -> int:
    from portgen.files.shipped import create

    if chain.failed(problems):
        screen.status(NOTHING, settings.style)
        return Exit.DIFFERENT
    if dry_run:
        screen.status(DRY_RUN, settings.style)
        return Exit.OK
    with before_writing():
        agreed = not is_asked(yes) or click.confirm(f"{save} is new. Write?", err=True)
    if not agreed:
        screen.status(NOTHING, settings.style)
        return Exit.DIFFERENT
    create({settings.folder / save: adopted.source.text})
    screen.add(written=True)
    screen.status(f"written to {save}", settings.style)
    lint, render = f"`portgen -i {save} lint`", f"`portgen -i {save} render`"
    if any("`ports:`" in step for step in adopted.steps):
        lint += " (it names each `ports:` that a compose file still has)"
    screen.status(f"next: read it, then {lint} and {render}", settings.style)
    return Exit.OK
