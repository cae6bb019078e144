"""The `ganzoo` command: finds the sub-command, and prints every error that a user can mend on one line."""

from __future__ import annotations

import errno
import importlib
import io
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

import click

from ganzoo.errors import GanzooError, Interrupted, RenamedWarning, did_you_mean
from ganzoo.version import __version__

_python_warns = warnings.showwarning
COMMANDS = {
    "list": "ganzoo.cli.list:list_command",
    "show": "ganzoo.cli.show:show",
    "bench": "ganzoo.cli.bench:bench",
    "report": "ganzoo.cli.report:report",
    "sample": "ganzoo.cli.sample:sample",
    "score": "ganzoo.cli.score:score",
    "check": "ganzoo.cli.check:check",
    "new": "ganzoo.cli.new:new",
    "doctor": "ganzoo.cli.doctor:doctor",
}


class Commands(click.Group):
    """Imports a sub-command when it is asked for, so that each starts as fast as it can."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a sub-command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:  # fmt: skip
        """Find the sub-command that was typed, or say which was meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f'no command "{args[0]}"{did_you_mean(args[0], COMMANDS)}')
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"ganzoo {__version__}")
        ctx.exit()


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    """Combine GAN architectures, losses and tricks, train them over several seeds, and see which works.

    Start with: ganzoo list, then: ganzoo bench --model dcgan --loss wgan-gp
    """


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # being told to end is being interrupted
    warnings.showwarning = _warn
    for closed in [name for name in ("stdout", "stderr") if getattr(sys, name) is None]:  # as `>&-` does
        setattr(sys, closed, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (until the process ends)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # FID∞ in Latin-1, or a file's name that is no UTF-8
    try:
        _check_here()
        cli.main(sys.argv[1:] or ["--help"], prog_name="ganzoo", standalone_mode=False)
    except Interrupted as error:
        _fail(str(error), 130)
    except GanzooError as error:
        _fail(str(error), 2)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _fail("stopped", 130)
    except click.UsageError as error:
        typed = sys.argv[1] if sys.argv[1:] and sys.argv[1] in COMMANDS else ""
        command = error.ctx.command_path if error.ctx else f"ganzoo {typed}".rstrip()
        _fail(f"{error.format_message().rstrip('.')} (see: {command} --help)", 2)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _fail(f"{error.strerror}: make room where its output goes, or send it elsewhere", 2)


def _check_here() -> None:
    """Check that the current folder is still there: PyTorch ends a process that has none without a word of why."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise GanzooError("the current folder was deleted; change to one that is there") from None


def _warn(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """Print what concerns the user on one line, and everything else as Python does."""
    if issubclass(category, RenamedWarning):
        click.echo(f"ganzoo: warning: {message}", err=True)
    else:
        _python_warns(message, category, *where)


def _fail(message: str, code: int) -> NoReturn:
    """End with a message on one line, whatever it quotes."""
    click.echo(f"ganzoo: {' '.join(line.strip() for line in message.splitlines())}", err=True)
    sys.exit(code)
