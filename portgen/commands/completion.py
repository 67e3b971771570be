"""`portgen completion`: the script by which a shell completes portgen's commands, options and
names."""

from __future__ import annotations

import click

from portgen import screen
from portgen.commands._options import with_settings_here
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog="""\b
Examples:
  eval "$(portgen completion bash)"   in ~/.bashrc
  eval "$(portgen completion zsh)"    in ~/.zshrc, after compinit
  portgen completion fish > ~/.config/fish/completions/portgen.fish"""
)
@click.argument("shell", type=click.Choice(SHELLS))
@with_settings_here
def command(settings: Settings, shell: str) -> None:
    """Print the script for SHELL that completes commands, options, names and revisions."""
    from click import shell_completion

    found = shell_completion.get_completion_class(shell)
    if found is None:
        message = f"this click can't complete {shell}"
        raise PortgenError(message, Exit.MACHINE, hint="install a newer click")
    root = click.get_current_context().find_root().command
    completer = found(root, {}, "portgen", "_PORTGEN_COMPLETE")
    # Not the class's own `source`: it starts bash to ask for its version.
    script = shell_completion.ShellComplete.source(completer)
    if settings.style.format == "json":
        from portgen.review import records

        screen.data(records.completion(shell, script))
    else:
        click.echo(script)
