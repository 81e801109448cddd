"""What a repository says about running its tests. Guidance: it widens no permission."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

FILES = (
    "AGENTS.md",
    "CONTRIBUTING.md",
    "README.md",
    "readme.md",
    "README.rst",
    "README",
    "Makefile",
    "package.json",
)
_COMMAND = re.compile(
    r"(?:^|[`$>\s])((?:[\w./-]{1,40} )?(?:python3? -m (?:pytest|unittest)|pytest|tox|nox"
    r"|(?:npm|yarn|pnpm|bun)(?: run)? test\S*|npx (?:jest|vitest|mocha)|jest|vitest|go test|cargo test"
    r"|bundle exec \S+|rspec|rake test|rails test|mvn \S*test|\./gradlew \S*test|gradle test|dotnet test"
    r"|mix test|make (?:test|check)\S*|composer test|phpunit)\b[^`\n]{0,100})"
)
_MAKE = re.compile(r"^(test|check|unit)[\w-]*:", re.MULTILINE)
_MOST = 8


def guide_files(sizes: Mapping[str, int], root: str) -> list[str]:
    """The files that may say it: the service's own before the repository's."""
    folders = [f"{root}/", ""] if root else [""]
    return [f"{folder}{name}" for folder in folders for name in FILES if f"{folder}{name}" in sizes]


def find_commands(texts: Mapping[str, str]) -> list[str]:
    """Lines that name a test command, each with its file."""
    found: dict[str, None] = {}
    for path, text in texts.items():
        name = path.rpartition("/")[2]
        if name == "package.json":
            found |= dict.fromkeys(_script(path, text))
        elif name == "Makefile":
            found |= dict.fromkeys(f"{path}: make {m[0][:-1]}" for m in _MAKE.finditer(text))
        else:
            commands = (
                m[1].strip()
                for line in text.split("\n")
                for m in [_COMMAND.search(line[:300])]
                if m
            )
            found |= dict.fromkeys(f"{path}: {command}" for command in commands)
    return list(found)[:_MOST]


def _script(path: str, text: str) -> list[str]:
    try:
        scripts = json.loads(text).get("scripts")
    except (ValueError, AttributeError):
        return []
    test = scripts.get("test") if isinstance(scripts, dict) else None
    return [f"{path}: npm test ({str(test)[:120]})"] if isinstance(test, str) else []
