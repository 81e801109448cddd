"""Manifests and lock files: nothing new is installed unless the plan names it, and from nowhere odd.

A manifest is read as what it is; its dependencies may change only by names of the plan, and what
it makes run by itself or chooses for the tests may not change at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from autofix.change.gate.edits import Edit, denial, listed
from autofix.change.gate.lock_files import judge_lock_file
from autofix.change.gate.manifests import GUARDED_RULES, Manifest, find_reader
from autofix.change.gate.options import GateOptions
from autofix.change.gate.protected import is_lock_file
from autofix.models import Denial

_ODD_SOURCE = re.compile(
    r"(?i)(?:^|[\s@=:\"'])(?:git\+|git@|git:|git\s*=|ssh://|https?://|file:|link:|path\s*[:=]|github:|gitlab:"
    r"|bitbucket:|gist:|npm:|svn\+|hg\+|bzr\+|\.{1,2}/|patch:|portal:|exec:|url\s*[:=])"
    r"|^[\w.-]+/[\w.-]+(?:#|$)"
)


_COPIED = {
    "node_modules", "bower_components", "jspm_packages", "site-packages", "dist-packages", ".venv",
    "venv", "vendor", "pods", "carthage", "third_party", ".eggs",
}  # fmt: skip


def judge_dependencies(edits: Sequence[Edit], options: GateOptions) -> Iterator[Denial]:
    """Every manifest and every lock file."""
    for edit in edits:
        copied = _COPIED & set(edit.path.lower().split("/")[:-1])
        if copied:
            reason = (
                f"The code of a dependency lies there ({min(copied)}): it comes by its manifest."
            )
            yield denial("dependency", edit.path, reason)
        elif is_lock_file(edit.path):
            yield from judge_lock_file(edit, options)
        elif find_reader(edit.path) is not None:
            yield from _judge_manifest(edit, options)


def _judge_manifest(edit: Edit, options: GateOptions) -> Iterator[Denial]:
    read = find_reader(edit.path)
    assert read is not None  # noqa: S101 - asked before
    if edit.is_deleted:
        yield denial("dependency", edit.path, "The list of dependencies is deleted.")
        return
    try:
        new = read(edit.new or "")
    except (ValueError, RecursionError) as error:
        reason = f"The list of dependencies cannot be read ({type(error).__name__})."
        yield denial("dependency", edit.path, reason)
        return
    try:
        old = read(edit.old)
    except (ValueError, RecursionError):
        old = Manifest()
    yield from _compare(edit.path, old, new, options)


def _compare(path: str, old: Manifest, new: Manifest, options: GateOptions) -> Iterator[Denial]:
    changed = {name: spec for name, spec in new.packages.items() if old.packages.get(name) != spec}
    named = {normalise(name) for name in options.dependencies}
    unnamed = [
        name
        for name in changed
        if normalise(name.rpartition(":")[2]) not in named and not (named and name in new.indirect)
    ]
    if unnamed:
        reason = f"The plan names no new or changed dependency {listed(unnamed)}."
        yield denial("dependency", path, reason)
    odd = [name for name, spec in changed.items() if _ODD_SOURCE.search(spec)]
    if odd:
        reason = f"These do not come from the package registry: {listed(odd)}."
        yield denial("dependency-source", path, reason)
    for key in sorted(old.guarded.keys() | new.guarded.keys()):
        if old.guarded.get(key) != new.guarded.get(key):
            rule = key.partition("/")[0]
            yield denial(rule, path, f"{key.partition('/')[2]} {GUARDED_RULES[rule]}.")


def normalise(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name.strip().lower())
