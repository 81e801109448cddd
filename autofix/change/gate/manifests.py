"""Reads manifests: which packages they ask for, and what in them must not change."""

from __future__ import annotations

import configparser
import fnmatch
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from autofix.change.gate.commands import find_danger

GUARDED_RULES = {
    "install-script": "runs by itself, at install or around other commands",
    "script": "decides what is tested, built or checked",
    "test-config": "chooses which tests are run, and how",
    "dependency-source": "decides where packages come from",
    "build-script": "decides how the package is built",
}
"""Rules a manifest's guarded keys stand under, each with what such a key does."""


class Manifest(NamedTuple):
    """What a manifest asks for."""

    packages: Mapping[str, str] = {}
    """Name to what is asked of it: version, range or source."""
    guarded: Mapping[str, object] = {}
    """``rule/key`` to its value; a difference is a denial under that rule."""
    indirect: frozenset[str] = frozenset()
    """Names that are there for the sake of others."""


Reader = Callable[[str], Manifest]

_NPM_SECTIONS = (
    "dependencies", "devDependencies", "peerDependencies", "optionalDependencies",
    "bundledDependencies", "bundleDependencies", "overrides", "resolutions",
    "peerDependenciesMeta", "dependenciesMeta",
)  # fmt: skip
_NPM_GUARDED = {
    "test-config": ("jest", "mocha", "ava", "vitest", "nyc", "c8", "tap", "jasmine", "babel"),
    "install-script": (
        "husky", "lint-staged", "gitHooks", "simple-git-hooks", "pre-commit", "binary", "gypfile",
    ),
    "dependency-source": ("publishConfig", "packageManager", "config", "pnpm", "workspaces", "corepack"),
}  # fmt: skip
_LIFECYCLE = {
    "preinstall", "install", "postinstall", "prepare", "preprepare", "postprepare", "prepublish",
    "prepublishonly", "prepack", "postpack", "dependencies", "preuninstall", "uninstall",
    "postuninstall", "preversion", "version", "postversion",
}  # fmt: skip
_CHECKS = re.compile(
    r"(?i)(?:^|[:_-])(?:test|tests|lint|ci|check|checks|typecheck|build|verify|coverage|e2e|spec|audit|validate|format|deploy|release|publish)"
)
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(\[[^\]]*\])?\s*(.*)")
_GO_LINE = re.compile(r"^\s*(?:require\s+)?([\w.~-]+(?:\.[\w.~-]+)+(?:/[\w.~/-]+)*)\s+(v\S+)(.*)$")
_GEM = re.compile(r"^\s*gem\s*\(?\s*['\"]([^'\"]+)['\"](.*)$")


def find_reader(path: str) -> Reader | None:
    """What reads this file; None when it is no manifest."""
    name = PurePosixPath(path).name.lower()
    found = (reader for pattern, reader in _READERS if fnmatch.fnmatchcase(name, pattern))
    return next(found, None)


def read_npm(text: str) -> Manifest:
    """package.json."""
    root = _mapping(json.loads(text or "{}"))
    packages = {}
    for section in _NPM_SECTIONS:
        for name, spec in _flatten(root.get(section)):
            packages[name if name not in packages else f"{section}:{name}"] = str(spec)
    guarded: dict[str, object] = {
        f"{rule}/{key}": root[key]
        for rule, keys in _NPM_GUARDED.items()
        for key in keys
        if key in root
    }
    for name, command in _mapping(root.get("scripts") or {}).items():
        rule = _script_rule(str(name), str(command), set(_mapping(root.get("scripts") or {})))
        if rule:
            guarded[f"{rule}/scripts.{name}"] = command
    return Manifest(packages, guarded)


def _script_rule(name: str, command: str, all_names: set[str]) -> str | None:
    lower = name.lower()
    around = lower.startswith(("pre", "post")) and lower.removeprefix("pre").removeprefix(
        "post"
    ) in {other.lower() for other in all_names}
    if lower in _LIFECYCLE or around or find_danger(command):
        return "install-script"
    return "script" if _CHECKS.search(name) else None


def read_requirements(text: str) -> Manifest:
    """requirements.txt and constraints.txt."""
    packages, guarded = {}, dict[str, object]()
    for raw in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"(?:^|\s)#.*$", "", raw).strip()
        if line.startswith("-") and not line.startswith(("-r ", "-c ", "--requirement", "--hash")):
            guarded[f"dependency-source/{line.split()[0].partition('=')[0]} {line[:80]}"] = line
        elif line and not line.startswith("-"):
            name, spec = _requirement(line.split(" --hash")[0])
            packages[name] = spec
    return Manifest(packages, guarded)


def _requirement(line: str) -> tuple[str, str]:
    if "://" in line and not re.match(r"\s*[\w.-]+\s*(\[[^\]]*\])?\s*@", line):
        return line[:80], line
    found = _REQUIREMENT.match(line)
    return (found[1], f"{found[2] or ''}{found[3]}".strip()) if found else (line[:80], line)


def read_pyproject(text: str) -> Manifest:
    """pyproject.toml, with what Poetry, PDM and uv add to it."""
    root = tomllib.loads(text)
    project, tool = _mapping(root.get("project", {})), _mapping(root.get("tool", {}))
    packages: dict[str, str] = {}
    for line in _requirement_lines(project, root):
        name, spec = _requirement(line)
        packages[name] = f"{packages.get(name, '')} {spec}".strip()
    poetry = _mapping(tool.get("poetry", {}))
    for section in ("dependencies", "dev-dependencies", "group"):
        for name, asked in _flatten(poetry.get(section)):
            packages[name] = json.dumps(asked, default=str).strip('"')
    guarded: dict[str, object] = {"build-script/build-system": root.get("build-system")}
    for rule, keys in {
        "test-config": ("pytest", "coverage", "tox", "nox", "hatch.envs"),
        "dependency-source": ("uv", "pip", "pdm.source", "poetry.source", "pixi"),
        "build-script": (
            "setuptools",
            "hatch.build",
            "pdm.build",
            "poetry.build",
            "poetry.scripts",
        ),
    }.items():
        for key in keys:
            guarded[f"{rule}/tool.{key}"] = _dig(tool, key.split("."))
    uv = tool.get("uv")
    if isinstance(uv, Mapping):
        for line in uv.get("dev-dependencies", ()):
            packages.update([_requirement(str(line))])
    guarded["build-script/project.dynamic"] = project.get("dynamic")
    return Manifest(packages, {key: value for key, value in guarded.items() if value is not None})


def _requirement_lines(project: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    for line in project.get("dependencies", ()):
        yield str(line)
    groups = [project.get("optional-dependencies", {}), root.get("dependency-groups", {})]
    for group in groups:
        for lines in _mapping(group).values():
            yield from (str(line) for line in lines if isinstance(line, str))


def read_pipfile(text: str) -> Manifest:
    """Pipfile."""
    root = tomllib.loads(text)
    packages = {
        name: json.dumps(spec, default=str).strip('"')
        for section in ("packages", "dev-packages")
        for name, spec in _mapping(root.get(section, {})).items()
    }
    guarded = {f"dependency-source/{k}": root[k] for k in ("source", "pipenv") if k in root}
    if "scripts" in root:
        guarded["script/scripts"] = root["scripts"]
    return Manifest(packages, guarded)


def read_setup_cfg(text: str) -> Manifest:
    """setup.cfg."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(str(error)) from error
    packages, guarded = dict[str, str](), dict[str, object]()
    for section in parser.sections():
        values = dict(parser.items(section))
        if section in {"tool:pytest", "pytest", "unittest", "nosetests", "coverage:run", "aliases"}:
            guarded[f"test-config/[{section}]"] = values
        for key in ("install_requires", "setup_requires", "tests_require"):
            for line in (values.get(key) or "").splitlines():
                if line.strip():
                    packages.update([_requirement(line.strip())])
        if section == "options.extras_require":
            lines = "\n".join(value or "" for value in values.values()).splitlines()
            packages.update(_requirement(line.strip()) for line in lines if line.strip())
        if section in {"easy_install", "options.entry_points", "options.packages.find"}:
            guarded[f"build-script/[{section}]"] = values
    return Manifest(packages, guarded)


def read_go_mod(text: str) -> Manifest:
    """go.mod and go.work."""
    packages, guarded, indirect, block = {}, dict[str, object](), set(), ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.endswith("("):
            block = line.split()[0]
        elif line == ")":
            block = ""
        elif block == "replace" or line.startswith(
            ("replace ", "toolchain ", "godebug ", "tool ", "retract ", "use ")
        ):
            guarded[f"dependency-source/{line[:100]}"] = line
        elif (found := _GO_LINE.match(line)) and block in {"", "require"}:
            packages[found[1]] = found[2]
            if "// indirect" in found[3]:
                indirect.add(found[1])
    return Manifest(packages, guarded, frozenset(indirect))


def read_cargo(text: str) -> Manifest:
    """Cargo.toml."""
    root = tomllib.loads(text)
    packages = {}
    for section, table in _tables(root):
        if section.rpartition(".")[2] in {"dependencies", "dev-dependencies", "build-dependencies"}:
            for name, spec in table.items():
                packages[name] = json.dumps(spec, default=str).strip('"')
    guarded = {
        f"dependency-source/{key}": root[key]
        for key in ("patch", "replace", "registries")
        if key in root
    }
    package = _mapping(root.get("package", {}))
    for key in ("build", "links", "workspace", "autotests", "autobenches"):
        if key in package:
            guarded[f"build-script/package.{key}"] = package[key]
    for key in ("test", "lib", "bin"):
        if key in root:
            guarded[f"test-config/{key}"] = root[key]
    return Manifest(packages, guarded)


def read_gemfile(text: str) -> Manifest:
    """Gemfile, by its lines."""
    packages, guarded = {}, dict[str, object]()
    for line in text.splitlines():
        found = _GEM.match(line)
        if found:
            packages[found[1]] = found[2].strip()
        elif re.match(
            r"\s*(?:source|git|git_source|path|github|plugin|eval_gemfile|instance_eval|system|`)\b",
            line,
        ):
            guarded[f"dependency-source/{line.strip()[:100]}"] = line.strip()
    return Manifest(packages, guarded)


def read_composer(text: str) -> Manifest:
    """composer.json."""
    root = _mapping(json.loads(text or "{}"))
    packages = {
        name: str(spec)
        for section in ("require", "require-dev", "replace", "provide", "conflict")
        for name, spec in _mapping(root.get(section) or {}).items()
    }
    guarded = {
        f"{rule}/{key}": root[key]
        for rule, keys in {
            "install-script": ("scripts", "scripts-descriptions", "bin"),
            "dependency-source": ("repositories", "config", "minimum-stability", "extra"),
        }.items()
        for key in keys
        if key in root
    }
    return Manifest(packages, guarded)


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("not a table")  # noqa: TRY004 - malformed input, not a wrong type of ours
    return value


def _flatten(value: object) -> Iterator[tuple[str, object]]:
    """Names of a section, also where they are nested or only listed."""
    if isinstance(value, list):
        yield from ((str(item), "*") for item in value)
    elif isinstance(value, Mapping):
        for name, spec in value.items():
            if isinstance(spec, Mapping) and not {"version", "git", "path", "url"} & spec.keys():
                yield from ((f"{name}.{inner}", deep) for inner, deep in _flatten(spec))
            else:
                yield str(name), spec


def _tables(root: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in root.items():
        if isinstance(value, Mapping):
            yield f"{prefix}{key}", value
            yield from _tables(value, f"{prefix}{key}.")


def _dig(table: Mapping[str, Any], keys: list[str]) -> object:
    found: object = table
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


_READERS: tuple[tuple[str, Reader], ...] = (
    ("package.json", read_npm),
    ("*requirements*.txt", read_requirements),
    ("*requirements*.in", read_requirements),
    ("*constraints*.txt", read_requirements),
    ("pyproject.toml", read_pyproject),
    ("pipfile", read_pipfile),
    ("setup.cfg", read_setup_cfg),
    ("go.mod", read_go_mod),
    ("go.work", read_go_mod),
    ("cargo.toml", read_cargo),
    ("gemfile", read_gemfile),
    ("gems.rb", read_gemfile),
    ("*.gemfile", read_gemfile),
    ("composer.json", read_composer),
)
