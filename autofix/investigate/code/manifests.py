"""Names of the packages that a repository asks for. Names alone; nothing is resolved."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

_FILES = re.compile(
    r"^(?:package\.json|pyproject\.toml|Pipfile|go\.mod|Gemfile|requirements[\w.-]*\.txt|setup\.cfg"
    r"|requirements/[\w.-]+\.txt)$"
)
_PYTHON = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[|[=<>!~;@ ]|$)")
_GEM = re.compile(r"^\s*gem\s*\(?\s*[\"']([\w.-]+)[\"']", re.MULTILINE)
_GO = re.compile(r"^\s*(?:require\s+)?([\w.-]+\.[a-z]+/[\w./-]+)\s+v\d", re.MULTILINE)
_MOST = 12
_NAMES = 400


def manifest_files(paths: Mapping[str, int], root: str) -> list[str]:
    """The service's own manifests before the repository's."""
    folders = [f"{root}/", ""] if root else [""]
    found = [
        path
        for folder in folders
        for path in paths
        if path.startswith(folder) and _FILES.match(path[len(folder) :])
    ]
    return list(dict.fromkeys(found))[:_MOST]


def find_packages(texts: Mapping[str, str]) -> dict[str, str]:
    """``npm:stripe`` and the like, each with the file that asks for it; broken files give none."""
    found: dict[str, str] = {}
    for path, text in texts.items():
        for name in _names(path.rpartition("/")[2], text):
            found.setdefault(name, path)
            if len(found) >= _NAMES:
                return found
    return found


def _names(file: str, text: str) -> Iterator[str]:
    match file:
        case "package.json":
            yield from (f"npm:{name}" for name in _npm(text))
        case "pyproject.toml" | "Pipfile":
            yield from (f"pypi:{name}" for name in _toml(text))
        case "go.mod":
            yield from (f"go:{name}" for name in _GO.findall(text))
        case "Gemfile":
            yield from (f"gem:{name}" for name in _GEM.findall(text))
        case _:
            yield from (f"pypi:{name}" for name in _lines(text.split("\n")))


def _npm(text: str) -> Iterator[str]:
    try:
        manifest = json.loads(text)
    except ValueError:
        return
    for group in ("dependencies", "optionalDependencies", "peerDependencies"):
        names = manifest.get(group) if isinstance(manifest, dict) else None
        if isinstance(names, dict):
            yield from names


def _toml(text: str) -> Iterator[str]:
    try:
        manifest = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    project = _table(manifest.get("project"))
    yield from _lines(_list(project.get("dependencies")))
    for extra in _table(project.get("optional-dependencies")).values():
        yield from _lines(_list(extra))
    poetry = _table(_table(_table(manifest.get("tool")).get("poetry")).get("dependencies"))
    yield from _lines([*poetry, *_table(manifest.get("packages"))])


def _lines(lines: list[Any]) -> Iterator[str]:
    """Names of requirements, as the index writes them."""
    for line in lines:
        if found := _PYTHON.match(str(line).strip()):
            yield re.sub(r"[-_.]+", "-", found[1]).lower()


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
