"""Deleted, skipped and weakened tests, and the files that choose which tests are run.

A test that is there stays there, under its name or with nearly the same body elsewhere, asserts
no less than before and is run. Adding tests is free.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from autofix.change.gate.case import Case, Cases
from autofix.change.gate.cases import is_named_as_test, is_test_file, lies_in_tests, read_cases
from autofix.change.gate.edits import Edit, denial, listed
from autofix.change.gate.options import GateOptions
from autofix.change.gate.python_cases import is_skipped_for_good
from autofix.models import Denial

_RUNNER_FILES = re.compile(
    r"(?:\.?pytest\.(?:ini|toml)|tox\.ini|nose\.cfg|\.noserc|jest\.(?:config|setup)\.\w+|jest-\w+\.config\.\w+"
    r"|vitest\.(?:config|workspace|setup)\.\w+|\.mocharc.*|mocha\.opts|karma\.conf\.\w+|cypress\.(?:config\.\w+|json)"
    r"|playwright\.config\.\w+|ava\.config\.\w+|jasmine\.json|phpunit\.xml.*|\.rspec.*|testng.*\.xml|nextest\.toml"
    r"|\.nycrc.*|\.c8rc.*|\.coveragerc|tarpaulin\.toml|web-test-runner\.config\.\w+|codeception.*\.yml|behat\.yml"
    r"|junit-platform\.properties|xunit\.runner\.json|\.runsettings|.*\.runsettings|.*\.xctestplan|\.testplan"
    r"|pest\.php|\.simplecov|stryker\.conf\.\w+|dart_test\.yaml|\.taprc|wallaby\.js|testem\.js|protractor\.conf\.js)"
)
_SNAPSHOT = re.compile(r".*\.(?:snap|snapshot|golden|approved\.\w+|verified\.\w+|ambr)$")
_ALIKE = 0.75
_COMPARED_CHARS = 3_000
_COMPARED_CASES = 300


class _File(NamedTuple):
    """One test file, before and after."""

    path: str
    before: Cases
    after: Cases


class _Place(NamedTuple):
    """A case where it is now."""

    path: str
    case: Case


def judge_tests(edits: Sequence[Edit], _options: GateOptions) -> Iterator[Denial]:
    """Every test file and every file that configures a test runner."""
    for edit in edits:
        yield from _judge_runner(edit)
    files = [_read(edit) for edit in edits if _may_hold_tests(edit)]
    fresh = list(_fresh_cases(files))
    moved = {edit.change.blob for edit in edits if edit.is_new and is_test_file(edit.path)}
    for edit in edits:
        yield from _judge_deletion(edit, files, moved)
    for file in files:
        yield from _judge_file(file, fresh)


def note_tests(edits: Sequence[Edit]) -> Iterator[str]:
    """Existing tests that read differently now: allowed, and worth a reviewer's look."""
    for file in (_read(edit) for edit in edits if _may_hold_tests(edit)):
        now = {case.name: case for case in file.after.cases}
        changed = [
            case.name
            for case in file.before.cases
            if case.name in now and _squeeze(now[case.name].body) != _squeeze(case.body)
        ]
        if changed:
            yield f"{file.path}: the existing test {listed(changed, 3)} was changed"


def _may_hold_tests(edit: Edit) -> bool:
    if is_test_file(edit.path):
        return True
    return edit.path.endswith(".rs") and "#[" in f"{edit.old}{edit.new or ''}"


def _read(edit: Edit) -> _File:
    return _File(edit.path, read_cases(edit.path, edit.old), read_cases(edit.path, edit.new or ""))


def _judge_runner(edit: Edit) -> Iterator[Denial]:
    name = edit.name.lower()
    if _RUNNER_FILES.fullmatch(name):
        yield denial("test-config", edit.path, "The file chooses which tests are run, and how.")
    elif name == "conftest.py" and edit.is_deleted:
        yield denial("test-config", edit.path, "Shared parts of the tests are deleted.")
    elif _SNAPSHOT.fullmatch(name) and edit.is_deleted:
        yield denial("test-removed", edit.path, "A stored expectation of the tests is deleted.")


def _judge_deletion(edit: Edit, files: Sequence[_File], moved: set[str]) -> Iterator[Denial]:
    """A test file in which no case can be told apart may move, but not go."""
    if not edit.is_deleted or not is_named_as_test(edit.path) or edit.name == "conftest.py":
        return
    held = next((file.before.cases for file in files if file.path == edit.path), ())
    if not held and edit.old.strip() and edit.change.old_blob not in moved:
        yield denial("test-removed", edit.path, "A test file is deleted.")


def _fresh_cases(files: Sequence[_File]) -> Iterator[_Place]:
    """Cases that were not there, under this name in this file, before."""
    for file in files:
        known = {case.name for case in file.before.cases}
        for case in file.after.cases:
            if case.name not in known:
                yield _Place(file.path, case)


def _judge_file(file: _File, fresh: list[_Place]) -> Iterator[Denial]:
    if file.after.problem and not file.before.problem:
        reason = f"The test file can no longer be read ({file.after.problem})."
        yield denial("test-weakened", file.path, reason)
        return
    now = {case.name: case for case in file.after.cases}
    gone = []
    for case in file.before.cases:
        place = now.get(case.name) or _find_moved(case, file.path, fresh)
        if place is None:
            gone.append(case.name)
        else:
            yield from _judge_case(file.path, case, place)
    if gone:
        reason = f"Tests that were there are gone: {listed(gone)}."
        yield denial("test-removed", file.path, reason)
    yield from _judge_marks(file, {place.case.name for place in fresh if place.path == file.path})


def _judge_case(path: str, before: Case, after: Case) -> Iterator[Denial]:
    if after.assertions < before.assertions:
        reason = (
            f"{before.name} asserts less than before: {after.assertions} of {before.assertions} "
            "assertions are left that can fail."
        )
        yield denial("test-weakened", path, reason)
    elif after.strong < before.strong:
        reason = f"{before.name} compares with an exact value in fewer places than before."
        yield denial("test-weakened", path, reason)
    elif after.escapes > before.escapes:
        reason = f"{before.name} got a way out: an early return, a caught error or dead code."
        yield denial("test-weakened", path, reason)
    if after.skips > before.skips:
        yield denial("test-skipped", path, f"{before.name} is skipped or expected to fail.")


def _judge_marks(file: _File, fresh: set[str]) -> Iterator[Denial]:
    if file.after.truisms > file.before.truisms:
        reason = "An added assertion is always true, whatever the code does."
        yield denial("test-weakened", file.path, reason)
    new = [case for case in file.after.cases if case.name in fresh and case.skips]
    excused = sum(case.skips for case in new if not is_skipped_for_good(case))
    if file.after.skips - excused > file.before.skips:
        reason = "A mark was added that keeps tests from being run, or from counting."
        yield denial("test-skipped", file.path, reason)


def _find_moved(case: Case, path: str, fresh: Sequence[_Place]) -> Case | None:
    """Where a case went: the same name elsewhere, or another name with nearly the same body."""
    short = case.name.rpartition(".")[2]
    fresh = [place for place in fresh if _runs_as_well(place.path, path)]
    for place in fresh:
        if place.case.name.rpartition(".")[2] == short:
            return place.case
    old = _squeeze(case.body)[:_COMPARED_CHARS]
    for place in fresh[:_COMPARED_CASES]:
        new = _squeeze(place.case.body)[:_COMPARED_CHARS]
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        ratios = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
        if all(ratio() >= _ALIKE for ratio in ratios):
            return place.case
    return None


def _runs_as_well(path: str, before: str) -> bool:
    """Whether a runner that found the test in the one file would look into the other."""
    if is_named_as_test(before) and not is_named_as_test(path):
        return False
    same_folder = path.rpartition("/")[0] == before.rpartition("/")[0]
    return same_folder or not lies_in_tests(before) or lies_in_tests(path)


def _squeeze(body: str) -> str:
    return " ".join(body.split())
