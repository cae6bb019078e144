"""`ganzoo check`: whether a component does what users, and all other components, rely on."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli.completion import names
from ganzoo.cli.output import is_terminal
from ganzoo.errors import ParameterError

if TYPE_CHECKING:
    from ganzoo.testing.subject import Subject
    from ganzoo.testing.suite import Outcome

MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}
COLOURS = {"passed": "green", "failed": "red", "skipped": "dim"}


@click.command()
@click.argument("what", nargs=-1, metavar="NAME|FOLDER...", shell_complete=names())
@click.option("--alone", is_flag=True, help="Leave out the three training steps with every built-in.")
@click.option("--list", "listed", is_flag=True, help="List the checks, and why each is there, and check nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with an object for each check.")
def check(what: tuple[str, ...], *, alone: bool, listed: bool, as_json: bool) -> None:
    """Check a component, or all that a plugin's folder brings.

    NAME is of a component that is installed; FOLDER has a slash in it, or is a dot. NAME takes parameters, which make a
    large network small: biggan:width=8. The exit code is 0 where all is well, 1 where a check failed, and 2 where there
    is nothing to check.
    """
    if listed:
        _list(as_json)
        return
    if not what:
        raise ParameterError(
            "check what? name a component (see: ganzoo list) or a plugin's folder, e.g. ganzoo check ."
        )
    from ganzoo.testing.source import find  # noqa: PLC0415

    found = [subject for text in what for subject in find(text)]
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():  # what a component prints
        rows = [row for subject in found for row in _carried_out(subject, not alone, silent=as_json)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    if any(row["verdict"] == "failed" for row in rows):
        sys.exit(1)


def _carried_out(subject: Subject, together: bool, silent: bool) -> Iterator[dict[str, Any]]:
    """Yield each check's row as soon as it is carried out, and show it unless silent."""
    from ganzoo.testing.suite import outcomes  # noqa: PLC0415  (torch)

    with _Silent() if silent else _Drawn(subject) if is_terminal() else _Plain(subject) as say:
        for outcome in outcomes(subject, together=together):
            say.tell(outcome)
            yield _row(subject, outcome)


def _row(subject: Subject, outcome: Outcome) -> dict[str, Any]:
    component, check = subject.component, outcome.check
    return {
        "kind": component.kind, "name": component.name, "distribution": component.distribution, "check": check.name,
        "verdict": outcome.verdict, "message": outcome.message, "reason": check.reason,
        "fix": check.fix if outcome.bad else "",
    }  # fmt: skip


class _Silent:
    """Shows nothing."""

    def __enter__(self) -> _Silent:
        return self

    def tell(self, outcome: Outcome) -> None:
        """Show nothing."""

    def __exit__(self, *_: object) -> None:
        return


class _Plain(_Silent):
    """Shows one line per check, and for a failed one why it matters and what to do."""

    def __init__(self, subject: Subject) -> None:
        component = subject.component
        self.title = f"{subject.title}, from {component.distribution} {component.version}"
        self.count: Counter[str] = Counter()
        self.said: set[str] = set()

    def __enter__(self) -> _Plain:
        self.heading(self.title)
        return self

    def tell(self, outcome: Outcome) -> None:
        """Show one check."""
        self.count[outcome.verdict] += 1
        if outcome.verdict == "not tried":  # counted below: a line for each would hide what failed
            return
        again = outcome.verdict == "skipped" and outcome.message in self.said
        message = "for the same reason" if again else outcome.message
        self.line(outcome.verdict, outcome.check.name + (f": {message}" if message else ""))
        self.said.add(outcome.message)
        if outcome.bad:
            self.reason("why", outcome.check.reason)
            self.reason("fix", outcome.check.fix)

    def __exit__(self, *_: object) -> None:
        counted = ", ".join(f"{number} {verdict}" for verdict, number in self.count.items())
        self.heading(f"  {counted}{', which stand on what failed' if 'not tried' in self.count else ''}\n")

    def heading(self, text: str) -> None:
        """Show a line above or below the checks."""
        click.echo(text)

    def line(self, verdict: str, text: str) -> None:
        """Show a check on a line."""
        click.echo(f"  {MARKS[verdict]:9} {text}")

    def reason(self, word: str, text: str) -> None:
        """Show why a check is there, or what to do."""
        click.echo(f"            {word}: {text}")


class _Drawn(_Plain):
    """The same in colour, wrapped to the terminal, with a line below that says how far it has come."""

    def __init__(self, subject: Subject) -> None:
        from rich.console import Console  # noqa: PLC0415  (which a pipe need not wait for)

        super().__init__(subject)
        self.console = Console(highlight=False)
        self.status = self.console.status("checking")

    def __enter__(self) -> _Drawn:
        super().__enter__()
        self.status.start()
        return self

    def tell(self, outcome: Outcome) -> None:
        """Show one check, and how many there were."""
        super().tell(outcome)
        self.status.update(f"checking: {self.count.total()} done")

    def __exit__(self, *arguments: object) -> None:
        self.status.stop()
        super().__exit__(*arguments)

    def heading(self, text: str) -> None:
        """Show it in bold."""
        self.console.print(text, style="bold", markup=False)

    def line(self, verdict: str, text: str) -> None:
        """Show the verdict in its colour, and hang what is too long for a line below."""
        self._hang(MARKS[verdict], text, 12, COLOURS[verdict])

    def reason(self, word: str, text: str) -> None:
        """Show it below its check."""
        self._hang(f"          {word}", text, 17, "bold")

    def _hang(self, mark: str, text: str, indent: int, style: str) -> None:
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        row = Table.grid(padding=0)
        row.add_column(width=indent)
        row.add_column(overflow="fold")
        row.add_row(Text(f"  {mark}", style=style), Text(text))
        self.console.print(row)


def _list(as_json: bool) -> None:
    from ganzoo.testing.suite import ALL  # noqa: PLC0415  (torch)

    if as_json:
        rows = [{"check": one.name, "kinds": list(one.kinds), "reason": one.reason, "fix": one.fix} for one in ALL]
        click.echo(json.dumps(rows, indent=2))
        return
    for one in ALL:
        click.echo(f"{one.name} ({', '.join(one.kinds)}): {one.reason}")
