"""Providers that applications depend on: the table, and what a dependency is known by."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from autofix.errors import ConfigError
from autofix.models import Model

Format = Literal["statuspage", "betterstack", "google", "railway"]


class Provider(Model):
    """One provider; the fields are told at the head of providers.toml."""

    id: str
    name: str
    page: str = ""
    format: Format | None = None
    status: str = ""
    packages: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    hosts: tuple[str, ...] = Field(min_length=1)


class Providers(Model):
    """The table, with a way from each sign to its provider."""

    every: tuple[Provider, ...]

    def of_host(self, host: str) -> Provider | None:
        """Whose host it is; the longest pattern decides."""
        host = host.rstrip(".").lower()
        best: tuple[int, Provider] | None = None
        for provider in self.every:
            for pattern in provider.hosts:
                if _matches_host(pattern, host) and (best is None or len(pattern) > best[0]):
                    best = len(pattern), provider
        return best[1] if best else None

    def of_package(self, package: str) -> Provider | None:
        """Whose library it is, e.g. ``npm:stripe``; a Go module by what it begins with."""
        for provider in self.every:
            for known in provider.packages:
                if package == known or (known.startswith("go:") and _below(known, package)):
                    return provider
        return None

    def of_variable(self, name: str) -> Provider | None:
        """Whose variable it seems to be."""
        for provider in self.every:
            for pattern in provider.variables:
                stem = pattern.removesuffix("*")
                if name == pattern or (stem != pattern and name.startswith(stem)):
                    return provider
        return None


def load_providers(more: str = "") -> Providers:
    """The table that ships with this package, with the tables of another file over it.

    Args:
        more: path of a TOML file of the same form: further providers, or other addresses of known
            ones. ConfigError names what is wrong with it.
    """
    table = dict(_shipped())
    if more:
        for id_, fields in _load(more).items():
            known = table[id_].model_dump() if id_ in table else {"id": id_}
            table[id_] = _parse(more, id_, known | fields)
    return Providers(every=tuple(table.values()))


@cache
def _shipped() -> Mapping[str, Provider]:
    text = files("autofix.investigate").joinpath("providers.toml").read_text(encoding="utf-8")
    return {
        id_: _parse("providers.toml", id_, {"id": id_} | f)
        for id_, f in tomllib.loads(text).items()
    }


def _load(path: str) -> dict[str, dict[str, object]]:
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"AUTOFIX_PROVIDERS={path} cannot be read: {error}") from error
    wrong = [id_ for id_, fields in found.items() if not isinstance(fields, dict)]
    if wrong:
        raise ConfigError(f"AUTOFIX_PROVIDERS={path}: {wrong[0]} is no table; write [{wrong[0]}]")
    return found


def _parse(path: str, id_: str, fields: Mapping[str, object]) -> Provider:
    try:
        provider = Provider.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: [{id_}] {place}: {first['msg']}") from error
    if (provider.format is None) is not (provider.status == ""):
        raise ConfigError(f"{path}: [{id_}] needs both format and status, or neither")
    return provider


def _matches_host(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern


def _below(module: str, package: str) -> bool:
    return package.startswith(f"{module}/")
