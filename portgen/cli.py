"""The command line: global options, the lazily loaded commands, and the one error boundary.

In: argv. Out: an exit code (`problem.Exit`). A command is a module of `portgen.commands` with a
click command named `command`; it is imported when it is called, or for the overview.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from portgen import __version__, commands, plugins, screen
from portgen.commands._options import global_options, settings_of
from portgen.problem import Exit, PortgenError, Terminated, did_you_mean

EPILOG = (
    "Every command takes these options too. "
    "Exit codes: 0 success, 1 differences or findings, 2 usage, "
    "3 the inventory can't be loaded, or a template of your own fails, "
    "4 system error (file not writable, tool missing or broken)."
)
AGAIN = "run it again with -v for the traceback"


class _Commands(click.Group):
    """Finds commands by their module, so that `render --check` does not pay for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [_called(module) for module in plugins.names(commands)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        for module in plugins.names(commands):
            if _called(module) == name:
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


def _called(module: str) -> str:
    """A command's name, by its module's: `merge_driver` is `merge-driver`. `next_` is `next`: a module of
    that name would hide what it needs itself."""
    return module.removesuffix("_").replace("_", "-")


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(__version__, prog_name="portgen", message="%(prog)s %(version)s")
@global_options
@click.pass_context
def portgen(ctx: click.Context) -> None:
    """Keep a host's ports in one inventory: nginx, docker-compose, ufw and systemd files are
    rendered from it, after you have seen what changes."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def end_whole_by_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does: what is being written is finished, what was
    started is ended. Not where somebody has it ignored."""
    import signal

    def terminate(_signal: int, _frame: object) -> None:
        raise Terminated

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminate)


def main(argv: list[str] | None = None) -> None:
    """Run, and end the process with an exit code; a person sees a traceback only with -v."""
    given: dict[str, Any] = {}
    try:
        result = portgen.main(argv, "portgen", standalone_mode=False, obj=given)
        code = result if isinstance(result, int) else Exit.OK
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one boundary
        code = _ended(error, given)
    sys.exit(code)


def _ended(error: BaseException, given: dict[str, Any]) -> int:
    """Say why the command ended, and give its exit code. With -v a bug is raised again."""
    style = settings_of(given).style
    match error:
        case PortgenError(code=Exit.INTERRUPTED | Exit.TERMINATED):
            _say_interrupted("; ".join(filter(None, (str(error), error.hint))))
            return error.code
        case PortgenError():
            if error.problems:
                screen.problems(error.problems, style)
            else:
                screen.failure(str(error), error.hint, style)
            return error.code
        case plugins.Broken():
            screen.failure(str(error), None, style)
            return Exit.MACHINE
        case click.Abort() | KeyboardInterrupt():
            _say_interrupted("interrupted")
            # click makes an Abort of Ctrl-C.
            by_signal = isinstance(error.__cause__ or error, Terminated)
            return Exit.TERMINATED if by_signal else Exit.INTERRUPTED
        case click.ClickException():
            # The message repeats what was typed, or what a glob found.
            vars(error)["message"] = screen.readable(error.message)
            error.show()
            return Exit.USAGE
        case BrokenPipeError():
            # The reader of the output has gone. Python's own flush at exit would fail once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.OK
    if style.verbose:
        raise error
    if isinstance(error, OSError):
        # Nothing expected it where it happened, but it is the machine's: a full disk behind stdout,
        # for example.
        screen.failure(f"{error.filename or 'output'}: {error.strerror}", AGAIN, style)
        return Exit.MACHINE
    message = f"a bug in portgen: {type(error).__name__}: {error}"
    screen.failure(message, f"{AGAIN}, and report it", style)
    return Exit.BUG


def _say_interrupted(text: str) -> None:
    # On a terminal the cursor still stands after a question, or after `^C`.
    click.echo(f"\n{text}" if sys.stderr.isatty() else text, err=True)
