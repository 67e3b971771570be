"""The command line: global options, the lazily loaded commands, and the one error boundary.

In: argv. Out: an exit code (`problem.Exit`). A command is a module of `portgen.commands` with a click command named
`command`; it is imported when it is called, or for the overview.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from portgen import __version__, commands, plugins
from portgen.problem import Exit, PortgenError, did_you_mean
from portgen.screen import failure, problems
from portgen.settings import Style, wants_color
from portgen.visible import visible


class _Commands(click.Group):
    """Finds commands by their module, so that `render --check` does not pay for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name.removesuffix("_") for name in plugins.names(commands)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        for module in plugins.names(commands):
            if (
                module.removesuffix("_") == name
            ):  # `next_`: a module can't shadow what it needs itself
                found: click.Command = importlib.import_module(f"portgen.commands.{module}").command
                return found
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            message = f"no such command: {args[0]}"
            hint = did_you_mean(args[0], self.list_commands(ctx))
            if hint is not None:
                message += f"; {hint}"
            ctx.fail(message)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    epilog="Every command takes these options too. Exit codes: 0 fine, 1 differences or findings, 2 usage, 3 the inventory can't be loaded, or a template of your own fails, 4 the machine.",
)
@click.version_option(__version__, prog_name="portgen", message="%(prog)s %(version)s")
@commands.global_options
@click.pass_context
def portgen(ctx: click.Context) -> None:
    """One inventory of a host's ports; nginx, docker-compose, ufw and systemd files rendered from it, with the diff first."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(argv: list[str] | None = None) -> None:
    """Run, and end the process with an exit code; no exception ever reaches the person as a traceback without -v."""
    style = Style(color=wants_color("auto"))
    code: int
    try:
        result = portgen.main(argv, prog_name="portgen", standalone_mode=False)
        code = result if isinstance(result, int) else Exit.OK
    except PortgenError as error:
        style = commands.last_settings().style
        if error.problems:
            problems(error.problems, style)
        else:
            failure(str(error), error.hint, style)
        code = error.code
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(
            "\ninterrupted" if sys.stderr.isatty() else "interrupted", err=True
        )  # behind a question
        code = Exit.INTERRUPTED
    except click.ClickException as error:
        vars(error)["message"] = visible(
            error.message
        )  # it repeats what was typed, or what a glob found
        error.show()
        code = Exit.USAGE
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python's own flush at exit would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.OK
    except OSError as error:
        # Not expected where it happened, and yet the machine's: a full disk behind stdout, say.
        if commands.last_settings().style.verbose:
            raise
        failure(
            f"{error.filename or 'output'}: {error.strerror}",
            "run it again with -v for the traceback",
            style,
        )
        code = Exit.MACHINE
    except Exception as error:
        if commands.last_settings().style.verbose:
            raise
        failure(
            f"a bug in portgen: {type(error).__name__}: {error}",
            "run it again with -v for the traceback, and report it",
            style,
        )
        code = Exit.BUG
    sys.exit(code)
