"""The command line: global options, the lazily loaded commands, and the one error boundary.

In: argv. Out: an exit code (`problem.Exit`). A command is a module of `portgen.commands` with a
click command named `command`; it is imported when it is called, or for the overview.
"""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress
from typing import Any

import click

from portgen import __version__, commands, plugins, screen
from portgen.commands._options import asked_format, global_options, settings_of
from portgen.problem import Exit, PortgenError, Terminated, did_you_mean

EPILOG = (
    "Every command takes these options too. "
    "Exit codes: 0 success, 1 differences or findings, 2 usage, "
    "3 the inventory can't be loaded, or a template of your own fails, "
    "4 system error (file not writable, tool missing or broken), "
    "5 an install was put back, 6 something of an install could not be put back or taken away, "
    "7 an install waits for `portgen confirm`, "
    "130 Ctrl-C, 141 nobody reads the output, 143 SIGTERM."
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
    """Run, and end the process with an exit code; a person sees a traceback only with -v.

    Only here is it said why a command ended, in words on stderr; and only here is the one document
    of `--format json` printed, whatever happened.
    """
    arguments = sys.argv[1:] if argv is None else argv
    run: dict[str, Any] = {}
    code, error = _run(arguments, run)
    if not screen.has_begun(run):
        # Its options are not all read, so the format may be among those that are not.
        run["format_"] = asked_format(arguments) or "text"
    in_json = settings_of(run).style.format == "json"
    try:
        if error is not None:
            _tell(error, run)
        if in_json and (error is not None or screen.has_begun(run)):
            screen.document(run, None if error is None else _reason(error))
        sys.stdout.flush()
    except BrokenPipeError:
        code = Exit.NO_READER
        _leave_stdout()
    except OSError as full:
        code = Exit.MACHINE
        _leave_stdout()
        _tell(full, run)
    sys.exit(code)


def _run(arguments: list[str], run: dict[str, Any]) -> tuple[int, BaseException | None]:
    """The exit code, and what ended the command before its end. `run` is what is kept of the run."""
    stdout = sys.stdout
    try:
        result = portgen.main(arguments, "portgen", standalone_mode=False, obj=run)
    except click.exceptions.Exit as ended:
        return ended.exit_code, None
    except (BrokenPipeError, SystemExit) as ended:
        # The reader of the output has gone; click then exits by itself, and wraps stdout.
        if isinstance(ended, SystemExit) and sys.stdout is stdout:
            raise
        _leave_stdout()
        return Exit.NO_READER, None
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one boundary
        if _stream_of(error) == "stdout":
            _leave_stdout()
        return _reason(error).code, error
    return result if isinstance(result, int) else Exit.OK, None


def code_of(error: BaseException) -> int:
    """The exit code of what ended the process."""
    return _reason(error).code


def _reason(error: BaseException) -> PortgenError:
    """What ended the command, as a message, a hint and an exit code."""
    match error:
        case PortgenError():
            return error
        case plugins.Broken():
            return PortgenError(str(error), Exit.MACHINE)
        case click.Abort() | KeyboardInterrupt():
            # click makes an Abort of Ctrl-C.
            causes = (error, error.__cause__, error.__context__)  # an older click names no cause
            by_signal = any(isinstance(cause, Terminated) for cause in causes)
            code = Exit.TERMINATED if by_signal else Exit.INTERRUPTED
            return PortgenError("interrupted", code)
        case click.ClickException():
            return PortgenError(error.format_message(), Exit.USAGE)
        case OSError():
            # Nobody expected it where it happened, but it is the machine's: a full disk behind
            # stdout, for example.
            message = error.strerror or str(error)
            place = error.filename or _stream_of(error)
            hint = AGAIN if error.filename else None
            if place is None:
                return PortgenError(message, Exit.MACHINE, hint=AGAIN)
            return PortgenError(f"{place}: {message}", Exit.MACHINE, hint=hint)
    message = f"a bug in portgen: {type(error).__name__}: {error}"
    return PortgenError(message, Exit.BUG, hint=f"{AGAIN}, and report it")


def _stream_of(error: BaseException) -> str | None:
    """The stream that could not be printed to: all is printed by `click.echo`, and flushed by
    `main`."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    if not isinstance(error, OSError) or step is None:
        return None
    if step.tb_frame.f_code.co_name not in ("echo", "main"):
        return None
    return "stderr" if step.tb_frame.f_locals.get("err") else "stdout"


def _leave_stdout() -> None:
    """What is left in its buffer goes nowhere: Python's own flush at exit would fail once more."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: BaseException, run: dict[str, Any]) -> None:
    """Say what ended the command: to people, on stderr. The faults of an inventory are its data, on
    stdout, but with JSON, whose document has them."""
    style = settings_of(run).style
    reason = _reason(error)
    if reason.problems and style.format != "json":
        screen.problems(reason.problems, style)
        return
    with suppress(OSError):  # nobody reads stderr
        if isinstance(error, click.ClickException):
            # The message repeats what was typed, or what a glob found.
            vars(error)["message"] = screen.readable(error.message)
            error.show()
            return
        if reason.code in (Exit.INTERRUPTED, Exit.TERMINATED):
            text = "; ".join(filter(None, (str(reason), reason.hint)))
            # On a terminal the cursor still stands after a question, or after `^C`.
            click.echo(f"\n{text}" if sys.stderr.isatty() else text, err=True)
            return
        if style.verbose and not isinstance(error, PortgenError | plugins.Broken):
            import traceback

            traceback.print_exception(error)
        screen.failure(str(reason), reason.hint, style)
