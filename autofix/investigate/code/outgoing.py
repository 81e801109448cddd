"""Where code calls a provider, and whether it names a timeout there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from autofix.investigate.code.functions import Source
from autofix.investigate.providers import Providers

_HOST = re.compile(r"\b(?:[a-z0-9-]{1,63}\.){1,6}[a-z]{2,24}\b", re.IGNORECASE)
_IMPORT = re.compile(
    r"^\s*(?:from\s+([\w.]+)\s+import|import\s+([\w.]+)\b)"
    r"|\b(?:from|require\(|import\()\s*[\"']([@\w./-]+)[\"']|^\s*\"([\w.-]+\.[a-z]+/[\w./-]+)\"",
    re.MULTILINE,
)
_GUARD = re.compile(
    r"time_?out|AbortSignal|AbortController|WithDeadline|deadline|max_?(?:network_?)?retries|Retry\(",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Outgoing:
    """A place that calls a provider."""

    provider: str
    """Its id."""
    path: str
    line: int
    is_guarded: bool
    """Whether the file names a timeout or a deadline."""


def find_outgoing(sources: Iterable[Source], providers: Providers) -> list[Outgoing]:
    """The first place in each file that names a provider's host or imports its library."""
    found: dict[tuple[str, str], Outgoing] = {}
    for source in sources:
        guarded = _GUARD.search(source.text) is not None
        for number, line in enumerate(source.lines, 1):
            if len(line) > 400:  # noqa: PLR2004 - minified
                continue
            for provider in _providers_in(line, source.path, providers):
                place = Outgoing(provider, source.path, number, guarded)
                found.setdefault((provider, source.path), place)
    return list(found.values())


def _providers_in(line: str, path: str, providers: Providers) -> Iterable[str]:
    imported = [next((group for group in m.groups() if group), "") for m in _IMPORT.finditer(line)]
    for name in imported:
        for package in _packages(name, path):
            if provider := providers.of_package(package):
                yield provider.id
    if imported or not any(mark in line for mark in ("//", '"', "'")):
        return
    for host in _HOST.findall(line):
        if provider := providers.of_host(host):
            yield provider.id


def _packages(name: str, path: str) -> list[str]:
    """What the imported name may be called in its registry."""
    if path.endswith(".py"):
        return [f"pypi:{name.partition('.')[0].replace('_', '-')}"]
    if path.endswith(".go"):
        return [f"go:{name}"]
    if path.endswith(".rb"):
        return [f"gem:{name}"]
    parts = name.split("/")
    return [f"npm:{'/'.join(parts[:2]) if name.startswith('@') else parts[0]}"]
