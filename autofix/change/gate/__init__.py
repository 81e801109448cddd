"""May these commits be published? Decided on git objects, outside the agent.

Judged are the commits themselves, one by one: paths, modes and contents as git stores them, never
a rendered diff. Every reason is reported, and an error is a denial. docs/gate.md lists the rules.

options      what one change may touch, and how big it may be
objects      reads commits, trees and blobs through a private git folder
edits        one commit as changed files with their texts
judge        runs the rules below over every commit and over the whole range

history      lines of commits: parents, emptiness, messages
paths        names that mislead, folders that are allowed, files that are protected
contents     kinds and modes, sizes, text, hidden characters, look-alike letters
secrets      credentials in added lines and messages
weakening    deleted, skipped and weakened tests, and what chooses the tests
dependencies manifests and lock files
builds       Dockerfiles, infrastructure, build scripts, downloads
"""

from __future__ import annotations

from autofix.change.gate.judge import judge
from autofix.change.gate.options import GateOptions
from autofix.change.gate.secrets import load_rules

__all__ = ["GateOptions", "judge", "load_rules"]
