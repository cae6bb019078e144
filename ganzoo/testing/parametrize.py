"""The same checks as pytest parameters. pytest is imported when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganzoo.errors import ParameterError, did_you_mean
from ganzoo.testing.subject import Subject, subjects

if TYPE_CHECKING:
    from ganzoo.testing.check import Check


@dataclass(frozen=True)
class BoundCheck:
    """A check with the component that it is of; calling it raises AssertionError where the component is at fault."""

    check: Check
    subject: Subject

    def __call__(self) -> None:
        """Carry the check out; skip the test where the check means nothing here."""
        import pytest  # noqa: PLC0415

        from ganzoo.testing.suite import carry_out  # noqa: PLC0415

        found = carry_out(self.check, self.subject)
        if found.verdict == "skipped":
            pytest.skip(found.message)
        if found.bad:
            why = f"{self.subject.title}: {self.check.name}: {found.message}"
            raise AssertionError(f"{why}\nwhy it matters: {self.check.reason}\nto mend it: {self.check.fix}")


def conformance(
    name: str, *, expected_failures: Mapping[str, str] | None = None, together: bool = True
) -> list[Any]:  # fmt: skip
    """Return the checks of an installed component as parameters for a test of one line.

    For example:

        @pytest.mark.parametrize("check", conformance("sphere"))
        def test_conformance(check):
            check()

    Args:
        name: `name:key=value,...` or `dist/name`, as on the command line; parameters make a large network small.
        expected_failures: check -> why it fails. The test is expected to fail, and fails where it does not.
        together: whether it is trained with every built-in that goes with it; this is what takes longest.

    Raises:
        UnknownComponentError: nothing that is installed is called that.
        ParameterError: `expected_failures` names a check that there is not.
    """
    import pytest  # noqa: PLC0415

    from ganzoo.testing.suite import checks  # noqa: PLC0415  (torch)

    expected = dict(expected_failures or {})
    parameters: list[Any] = []
    known: set[str] = set()
    found = subjects(name)
    for subject in found:
        prefix = f"{subject.component.kind}-" if len(found) > 1 else ""
        for check in checks(subject, together):
            known.add(check.name)
            why = expected.get(check.name)
            marks = [pytest.mark.xfail(reason=why, strict=True)] if why else []
            parameters.append(pytest.param(BoundCheck(check, subject), id=prefix + check.name, marks=marks))
    for check in expected:
        if check not in known:
            raise ParameterError(f'expected_failures: no check "{check}"{did_you_mean(check, known)}')
    return parameters
