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
fence     text from outside in a prompt
markdown  text from outside for people
engine    all rules over one text
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from autofix.errors import ConfigError
from autofix.redact.clean import LINE_CAP, clean, cut, visible
from autofix.redact.engine import CREDENTIALS, PEOPLE, find_spans, merge, redact_bytes
from autofix.redact.live import find_environment_secrets, live_detector
from autofix.redact.tags import derive_key
from autofix.settings import Settings, load_settings

__all__ = ["Found", "cut", "find_secrets", "redact", "redact_model", "redact_tree", "redactor"]

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


class Found(NamedTuple):
    """Where a credential stands; never what it is."""

    line: int
    """Counted from 1."""
    kind: str


def find_secrets(text: str) -> list[Found]:
    """The credentials of a text, by line and kind, for who must not let them pass.

    Args:
        text: for a patch its added lines, without the marks of the diff.

    Personal data is none; nor is a value that stands for a secret, such as ``${TOKEN}``.
    """
    parts = [
        (n, part) for n, line in enumerate(visible(text).split("\n"), 1) for part in _part(line)
    ]
    data = "\n".join(part for _, part in parts).encode()
    spans = merge(find_spans(data, (live_detector(()), *CREDENTIALS)))
    return [Found(parts[data.count(b"\n", 0, span.start)][0], span.kind) for span in spans]


def _part(line: str) -> Iterator[str]:
    """A line in parts that are no longer than rules expect, none of which ends within a token."""
    while len(line) > LINE_CAP:
        head = cut(line, LINE_CAP) or line[:LINE_CAP]
        yield head
        line = line[len(head) :]
    yield line


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
