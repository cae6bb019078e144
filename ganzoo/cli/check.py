"""`ganzoo check`: whether a component does what users, and all other components, rely on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli.completion import names
from ganzoo.cli.output import is_terminal
from ganzoo.errors import ParameterError

if TYPE_CHECKING:
    from ganzoo.testing.subject import Subject
    from ganzoo.testing.suite import Outcome

MARKS = {
    "passed": "ok",
    "failed": "FAILED",
    "expected": "expected",
    "unexpected": "PASSED",
    "skipped": "skipped",
}
COLOURS = {"passed": "green", "failed": "red", "expected": "yellow", "unexpected": "red", "skipped": "bright_black"}


@click.command()
@click.argument("what", nargs=-1, metavar="NAME|FOLDER...", shell_complete=names())
@click.option("--alone", is_flag=True, help="Leave out the three training steps with every built-in.")
@click.option("--list", "listed", is_flag=True, help="List the checks, and why each is there, and check nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of one object a check.")
def check(what: tuple[str, ...], *, alone: bool, listed: bool, as_json: bool) -> None:
    """Check components that are installed, or all that a plugin's folder brings.

    NAME takes parameters, which make a large network small: biggan:width=8. The exit code is 0 where all is well, 1
    where a check failed, and 2 where there is nothing to check.
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
    rows = [row for subject in found for row in _carried_out(subject, not alone, silent=as_json)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    if any(row["verdict"] in ("failed", "unexpected") for row in rows):
        sys.exit(1)


def _carried_out(subject: Subject, together: bool, silent: bool) -> Iterator[dict[str, Any]]:
    """Yield each check's row as soon as it is carried out, and show it unless silent."""
    from ganzoo.testing.suite import outcomes  # noqa: PLC0415  (torch)

    say = _Silent() if silent else _Spoken(subject)
    with say:
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


class _Spoken(_Silent):
    """Shows a line a check, with why and what to do where it failed; in colour where a person is looking."""

    def __init__(self, subject: Subject) -> None:
        component = subject.component
        click.echo(f"{subject.title}, from {component.distribution} {component.version}")
        self.count: dict[str, int] = {}
        self.said: set[str] = set()

    def tell(self, outcome: Outcome) -> None:
        """Show one check."""
        self.count[outcome.verdict] = self.count.get(outcome.verdict, 0) + 1
        if outcome.verdict == "not tried":  # counted below: a line for each would hide what failed
            return
        mark = click.style(f"{MARKS[outcome.verdict]:9}", fg=COLOURS[outcome.verdict] if is_terminal() else None)
        again = outcome.verdict == "skipped" and outcome.message in self.said
        message = "for the same reason" if again else outcome.message
        click.echo(f"  {mark} {outcome.check.name}{f': {message}' if message else ''}")
        self.said.add(outcome.message)
        if outcome.bad:
            click.echo(f"            why: {outcome.check.reason}")
            click.echo(f"            fix: {outcome.check.fix}")

    def __exit__(self, *_: object) -> None:
        counted = ", ".join(f"{number} {verdict}" for verdict, number in self.count.items())
        click.echo(f"  {counted}{', which stand on what failed' if 'not tried' in self.count else ''}\n")


def _list(as_json: bool) -> None:
    from ganzoo.testing.suite import ALL  # noqa: PLC0415  (torch)

    if as_json:
        rows = [{"check": one.name, "kinds": list(one.kinds), "reason": one.reason, "fix": one.fix} for one in ALL]
        click.echo(json.dumps(rows, indent=2))
        return
    for one in ALL:
        click.echo(f"{one.name} ({', '.join(one.kinds)}): {one.reason}")
