"""Which of the agent's commands were tests, and what their exit status tells.

Read from the session's record alone; what the agent says about its tests counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from autofix.models import CommandRun, Model

_TESTS = re.compile(
    r"(?<![\w/.-])(?:\S*/)?(?:"
    r"py\.?test|unittest|nose2|tox|nox|jest|vitest|mocha|ava|rspec|phpunit|ctest|gotestsum"
    r"|(?:npm|pnpm|yarn|bun|deno)(?:\s+(?:run|--?\S+))*\s+t(?:est)?(?![\w-]|:(?!\w))(?::[\w:-]+)?"
    r"|node\s+(?:\S+\s+)*--test"
    r"|(?:go|cargo|dotnet|swift|mix|rails|composer|flutter|dart|zig)\s+(?:\S+\s+)?test"
    r"|cargo\s+nextest"
    r"|(?:mvnw?|gradlew?|sbt|bazel|rake|make|just|invoke)\s+(?:\S+\s+)*(?:\S*[:])?(?:test|check|verify)s?"
    r"|manage\.py\s+test"
    r")(?![\w-])"
)
_HIDES = re.compile(r"\|(?!\|)|;|\|\||(?<![&>])&(?![&>\d])|\n")
"""After a test, its exit status is that of something else."""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_NOT_STARTED = frozenset({126, 127})
_ASKED = re.compile(
    r"^\s*(?:which|command\s+-v|type|pip\d?\s+(?:install|show)|cat|ls|grep|rg|find)\b"
)


class Kind(StrEnum):
    """What the session's test runs come to."""

    none = "none"
    """No command was a test."""
    impossible = "impossible"
    """None could be started."""
    untold = "untold"
    """The exit status of each belongs to something else, or there is none."""
    failed = "failed"
    passed = "passed"


class Tests(Model):
    """The test runs of a session, and what the last one that tells says."""

    kind: Kind
    runs: tuple[CommandRun, ...] = ()
    last: CommandRun | None = None
    """The run that decides."""


def read_tests(commands: Sequence[CommandRun]) -> Tests:
    """What was tested, by the commands and their exit status."""
    runs = tuple(run for run in commands if is_test(run.command))
    if not runs:
        return Tests(kind=Kind.none)
    if all(run.exit_status in _NOT_STARTED for run in runs):
        return Tests(kind=Kind.impossible, runs=runs, last=runs[-1])
    telling = [run for run in runs if tells(run) and run.exit_status not in _NOT_STARTED]
    if not telling:
        return Tests(kind=Kind.untold, runs=runs, last=runs[-1])
    last = telling[-1]
    return Tests(kind=Kind.failed if last.exit_status else Kind.passed, runs=runs, last=last)


def is_test(command: str) -> bool:
    """Whether a command runs tests."""
    return any(
        _TESTS.search(part) and not _ASKED.match(part)
        for part in re.split(r"&&|\|\||;|\n|\|", _QUOTED.sub(_inner, command))
    )


def tells(run: CommandRun) -> bool:
    """Whether the exit status is that of the tests."""
    text = _QUOTED.sub("''", run.command).rstrip("; \n")
    ends = [found.end() for found in _TESTS.finditer(text)]
    return run.exit_status is not None and not (ends and _HIDES.search(text, ends[-1]))


def _inner(match: re.Match[str]) -> str:
    """What a shell is given to run stays; a text that only speaks of tests goes."""
    before = match.string[: match.start()].rstrip()
    return match[0][1:-1] if before.endswith("-c") else "''"
