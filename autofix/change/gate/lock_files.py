"""Lock files: only for a dependency of the plan, only from hosts that are known, nothing re-pinned."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from autofix.change.gate.edits import Edit, denial, listed
from autofix.change.gate.options import GateOptions
from autofix.models import Denial

_REGISTRIES = {
    "registry.npmjs.org", "registry.yarnpkg.com", "npm.jsr.io", "jsr.io", "deno.land",
    "pypi.org", "files.pythonhosted.org", "rubygems.org", "index.rubygems.org",
    "proxy.golang.org", "sum.golang.org", "crates.io", "static.crates.io", "index.crates.io",
    "packagist.org", "repo.packagist.org", "hex.pm", "repo.hex.pm", "pub.dev", "pub.dartlang.org",
    "repo.maven.apache.org", "repo1.maven.org", "plugins.gradle.org", "dl.google.com",
    "www.nuget.org", "api.nuget.org", "conda.anaconda.org", "cdn.cocoapods.org",
}  # fmt: skip
# Where npm's packages say that they live or want money; nothing is fetched from there.
_TALK = re.compile(r"^\s*\"(?:homepage|funding|url|bugs|license)\"\s*:")
_TALKATIVE = {"package-lock.json", "npm-shrinkwrap.json"}
_URL = re.compile(r"(?i)\b(?:git\+)?(?:https?|ssh|git|file|ftp)://[^\s\"'<>)#,]+")
_ODD = re.compile(
    r"(?i)\bgit\+|\bgit@|\bssh://|\bgit://|\bfile:|(?<!https:)\bhttp://|\"(?:link|inBundle)\":\s*true"
    r"|\bgithub:|\bcodeload\.github\.com|^\s*(?:GIT|PATH|PLUGIN SOURCE)\s*$|\btarball:\s*(?!https?:)|\btype:\s*git\b"
    r"|\bsource\s*=\s*\{\s*(?:git|url|path|directory|editable)\b(?!\s*=\s*\"\.\")"
)
_GO_SUM = re.compile(r"^(\S+ \S+) (h1:\S+)$")


def judge_lock_file(edit: Edit, options: GateOptions) -> Iterator[Denial]:
    """One lock file, whatever happened to it."""
    if edit.is_deleted:
        yield denial("lock-file", edit.path, "The lock file is deleted: nothing is pinned then.")
        return
    if not options.dependencies and not options.plans(edit.path):
        yield denial("lock-file", edit.path, "The plan names no new or changed dependency.")
    if edit.new is None:
        return  # judged as unreadable elsewhere
    talks = edit.name.lower() in _TALKATIVE
    hosts = _hosts(edit.added, talks) - _hosts(edit.old_lines, talks) - _REGISTRIES
    if hosts:
        reason = (
            f"It takes packages from hosts that it did not use before: {listed(sorted(hosts))}."
        )
        yield denial("lock-host", edit.path, reason)
    if any(_ODD.search(line) for line in edit.added):
        reason = "A package comes from a repository, a folder or an unprotected address."
        yield denial("lock-host", edit.path, reason)
    changed = _changed_pins(edit.old, edit.new)
    if changed:
        reason = f"The same version got another checksum: {listed(changed, 3)}."
        yield denial("lock-checksum", edit.path, reason)


def _hosts(lines: Sequence[str], talks: bool) -> set[str]:
    return {
        urlsplit(url.removeprefix("git+")).hostname or "?"
        for line in lines
        if not (talks and _TALK.match(line))
        for url in _URL.findall(line)
    }


def _changed_pins(old: str, new: str) -> list[str]:
    before, after = _pins(old), _pins(new)
    return sorted(
        name for name, pin in before.items() if name in after and pin and after[name] != pin
    )


def _pins(text: str) -> dict[str, str]:
    """Package and version to checksum, where the form is known."""
    found = {m[1]: m[2] for m in map(_GO_SUM.match, text.splitlines()) if m}
    if found or not text.lstrip().startswith("{"):
        return found
    try:
        packages = json.loads(text).get("packages") or {}
    except (ValueError, RecursionError, AttributeError):
        return {}
    return {
        f"{name}@{entry.get('version')}": str(entry.get("integrity") or "")
        for name, entry in packages.items()
        if isinstance(entry, Mapping)
    }
