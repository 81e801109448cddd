"""The one door through which text leaves for a model, a log, an artifact or a pull request.

`redact` takes out credentials and what belongs to a person, and characters that hide. A redacted
value leaves its kind and a tag, ``«github-token:a1b2»``: equal values have equal tags in every
task, process and run of one installation. What it does and cannot do: docs/safety.md.

clean     lines capped, control and bidi characters stripped
live      the secrets this installation uses, in all their forms
vendors   tokens with a shape of their own, as data
context   values behind telling names: key=value, JSON, headers, cookies, flags
prose     values in sentences and commands
urls      passwords in addresses, signed queries
pem       private keys in blocks
addresses, numbers   what belongs to people
engine    all rules over one text
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel

from autofix.errors import ConfigError
from autofix.redact.clean import clean, cut
from autofix.redact.engine import CREDENTIALS, PEOPLE, redact_bytes
from autofix.redact.live import find_environment_secrets, live_detector
from autofix.redact.tags import derive_key
from autofix.settings import Settings, load_settings

__all__ = ["cut", "redact", "redact_model", "redact_tree", "redactor"]

ModelT = TypeVar("ModelT", bound=BaseModel)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without credentials, personal data and characters that hide. Idempotent.

    Args:
        text: anything read from outside.
        secrets: live secret values; each is removed in its encoded forms as well. Without any,
            those of the process's own settings count, and the tags are those of its installation.
    """
    values = tuple(secrets)
    door = redactor(values) if values else _installation()
    return door(text)


def redactor(source: Settings | Iterable[str], *, key: str | None = None) -> Callable[[str], str]:
    """`redact` for one installation: with its live secrets, and tags by its key.

    Args:
        source: the settings, or the live secret values alone.
        key: what the tags are keyed with; by default `Settings.redaction_key`, and without
            settings the secrets themselves.
    """
    if isinstance(source, Settings):
        values = (*source.secret_values(), *find_environment_secrets(os.environ))
        parts = [key] if key else list(source.redaction_key())
    else:
        values = tuple(source)
        parts = [key] if key else sorted(values)
    return _redactor(tuple(dict.fromkeys(values)), derive_key(parts))


def redact_tree(value: Any, door: Callable[[str], str]) -> Any:
    """A JSON value with every text in it passed through the door; names of fields stay."""
    if isinstance(value, str):
        return door(value)
    if isinstance(value, dict):
        return {name: redact_tree(item, door) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_tree(item, door) for item in value]
    return value


def redact_model(model: ModelT, door: Callable[[str], str]) -> ModelT:
    """A copy of a model whose every text has passed the door, at any depth."""
    return type(model).model_validate(redact_tree(model.model_dump(mode="json"), door))


@lru_cache(maxsize=1)
def _installation() -> Callable[[str], str]:
    """What this process's own settings say; a door must hold without any as well."""
    try:
        return redactor(load_settings())
    except ConfigError:
        return redactor(())


@lru_cache(maxsize=8)
def _redactor(secrets: tuple[str, ...], key: bytes) -> Callable[[str], str]:
    detectors = (live_detector(secrets), *CREDENTIALS, *PEOPLE)
    return lambda text: redact_bytes(clean(text), key, detectors).decode()
