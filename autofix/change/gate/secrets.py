"""Credentials in added lines and in messages. A denial never repeats what was found.

Four nets: the live values that the agent's shell can read, in the forms they could be written
in; kingfisher's rules, in process and never validated, since validation sends the secret out; the
vendors' shapes that the redaction door knows; and a few rules of ours for what these leave. What
the door knows by a telling name alone is not denied: a test's password has one too.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Protocol
from urllib.parse import quote

from kingfisher_sdk import Rules, Scanner

from autofix import redact
from autofix.change.gate.edits import Edit, denial
from autofix.change.gate.options import GateOptions
from autofix.change.gate.protected import is_lock_file
from autofix.models import Denial
from autofix.redact.vendors import PREFIXED

_SHORTEST = 8
_SCAN_SECONDS = 20.0
_GLUE = re.compile(r"""[\s"'`+\\,.()\[\]{}]+""")
_PLACEHOLDER = re.compile(
    r"(?i)example|dummy|placeholder|change.?me|your[-_ ]|xxx|<[^>]*>|\*{3}|\.{3}|todo|redacted"
    r"|test|fake|sample|secret$|^password|^\$|\{\{|\$\{|%\(|%s|process\.env|os\.environ"
)
_OURS: tuple[tuple[str, str], ...] = (
    ("private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    ("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})"),
    ("OpenAI or Anthropic key", r"\bsk-(?:proj-|ant-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{32,}"),
    ("AWS key id", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("Google API key", r"\bAIza[A-Za-z0-9_-]{35}\b"),
    ("Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{20,}"),
    ("GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("PyPI token", r"\bpypi-[A-Za-z0-9_-]{50,}"),
    ("Stripe key", r"\b[rs]k_live_[A-Za-z0-9]{20,}"),
    ("JSON web token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
)
_VENDORS = frozenset(kind for kind, _ in PREFIXED) - {"signature"}
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _OURS)
_ADDRESS = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"]{0,80}:([^\s@/'\"]{1,200})@([^\s/:'\"]+)"
)
_KEYED = re.compile(
    r"""(?ix)(?P<name>[a-z0-9_.-]{0,60}
    (?:passwd|password|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)
    [a-z0-9_-]{0,20})
    ["']?\s{0,3}(?::=|[:=]|=>)\s{0,3}["'`](?P<value>[^"'`\s]{8,200})["'`]"""
)
_LOCAL = {"localhost", "127.0.0.1", "db", "postgres", "mysql", "redis", "host", "example.com"}
_RUN = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_LONG_VALUE, _VARIED = 16, 10
_OWN_JUDGEMENT = {"betterleaks.generic-credential-uri"}
"""Rules that do not know a local address from a real one; ours stand in for them."""


@cache
def load_rules() -> Scanner:
    """Kingfisher's rules, compiled: seconds at the first call, so call it early."""
    return Scanner(Rules(cache=False))


def judge_secrets(edits: Sequence[Edit], options: GateOptions) -> Iterator[Denial]:
    """The added lines of every file; what the file held before is no news."""
    for edit in edits:
        if edit.new is not None and edit.added:
            text = "\n".join(edit.added)
            found = find_secrets(
                text, options, known=edit.old, is_lock_file=is_lock_file(edit.path)
            )
            for kind in found:
                yield denial("secret", edit.path, f"An added line holds what looks like {kind}.")
        for kind in _live(edit.path, options):
            yield denial("secret", "", f"A path holds {kind}.")


class _Said(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def message(self) -> str: ...


def judge_messages(commits: Iterable[_Said], options: GateOptions) -> Iterator[Denial]:
    """What commits say about themselves."""
    for commit in commits:
        for kind in find_secrets(commit.message, options):
            reason = f"The message of commit {commit.id[:12]} holds what looks like {kind}."
            yield denial("secret", "", reason)


def find_secrets(
    text: str, options: GateOptions, *, known: str = "", is_lock_file: bool = False
) -> list[str]:
    """What kinds of credentials a text seems to hold, each once.

    Args:
        text: added lines, or a message.
        options: the live values.
        known: what was public before; a credential that stands there is not told.
        is_lock_file: hashes by the thousand and nothing that a person writes; only exact shapes
            are looked for then.
    """
    kinds = [*_live(text, options), *_shaped(text, known), *_of_vendors(text, known)]
    if not is_lock_file:
        kinds += [*_addresses(text, known), *_keyed(text, known), *_scan(text, known)]
    return list(dict.fromkeys(kinds))


def _live(text: str, options: GateOptions) -> list[str]:
    values = {secret.get_secret_value() for secret in options.secrets}
    values = {value for value in values if len(value) >= _SHORTEST}
    forms = {form for value in values for form in _forms(value)}
    if not forms:
        return []
    glued = _GLUE.sub("", text)
    decoded = "\n".join(_decode(run) for run in _RUN.findall(text))
    folded = glued.lower()
    if any(form in text or form.lower() in folded for form in forms) or any(
        value in decoded for value in values
    ):
        return ["a live secret of this installation"]
    return []


def _forms(value: str) -> set[str]:
    """As it could be written: plain, backwards, in base64 at any offset, in hex, in a URL."""
    raw = value.encode()
    forms = {value, value[::-1], raw.hex(), quote(value, safe=""), _GLUE.sub("", value)}
    for offset, unsteady in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        # the characters at both ends depend on what stands around the value
        forms.add(encoded[unsteady : len(encoded) - 1])
    return {form for form in forms if len(form) >= _SHORTEST}


def _decode(run: str) -> str:
    plain = run.replace("+", "-").replace("/", "_").rstrip("=")
    try:
        return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4)).decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""


def _shaped(text: str, known: str) -> list[str]:
    return [
        f"a credential ({kind})"
        for kind, rule in _COMPILED
        if any(match[0] not in known and "EXAMPLE" not in match[0] for match in rule.finditer(text))
    ]


def _of_vendors(text: str, known: str) -> list[str]:
    lines = text.split("\n")
    return [
        f"a credential ({found.kind})"
        for found in redact.find_secrets(text)
        if found.kind in _VENDORS
        and lines[found.line - 1].strip() not in known
        and "EXAMPLE" not in lines[found.line - 1]
    ]


def _addresses(text: str, known: str) -> list[str]:
    found = any(
        match[0] not in known
        and not _PLACEHOLDER.search(match[1])
        and match[2].lower() not in _LOCAL
        for match in _ADDRESS.finditer(text)
    )
    return ["a password in an address"] if found else []


def _keyed(text: str, known: str) -> list[str]:
    values = (match["value"] for match in _KEYED.finditer(text))
    found = any(value not in known and _is_credential(value) for value in values)
    return ["a credential written out"] if found else []


def _is_credential(value: str) -> bool:
    """Letters and digits mixed as no word has them."""
    if _PLACEHOLDER.search(value) or "/" in value:
        return False
    kinds = (str.islower, str.isupper, str.isdigit)
    mixed = sum(any(is_kind(c) for c in value) for is_kind in kinds)
    return len(value) >= _LONG_VALUE and mixed > 1 and len(set(value)) >= _VARIED


def _scan(text: str, known: str) -> list[str]:
    return [
        f"a credential ({finding.rule_name})"
        for finding in load_rules().scan(text, timeout=_SCAN_SECONDS)
        if finding.visible and finding.rule_id not in _OWN_JUDGEMENT and finding.secret not in known
    ]
