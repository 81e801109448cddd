"""How a name and a value are joined, and whether that makes the one the other's."""

from __future__ import annotations

from typing import NamedTuple

from autofix.redact.keys import Grade, Key
from autofix.redact.reading import QUOTE, Value, line_end, read_values
from autofix.redact.spans import has_any, rx
from autofix.redact.values import looks_chosen, looks_likely, looks_random, reads_as_name

_BLANKS = b" \t\n\x02"
ENV, ELEMENT = b"env", b"element"
_LOOSE = {b",", b"|", b"[", b"->", "→".encode()}
"""What may join a name and a value, and mostly does not."""
_ALSO_NAMES = {b"key", b"keys", b"Key", b"secret"}
_STORED = rx(
    r"(?i)(?:\bcach\w*|\b(?:hit|miss|missed|restored|saved)(?: \w+)? (?:for|from|with|by))[ ]\z|:secretsmanager:[\w:\-]*:\z"
)
_UNSURE = _LOOSE | {b">", b"("}
_ASSIGNS = {b"=", b":=", b":"}
MAYBE = Key("password", Grade.likely)
_PAIR_BEGINS = rx(r"[(\[{][ ]?[ub]?\\*[\"'`]?\z")
_PAIR_ENDS = rx(rf"{QUOTE}(?:>>)?[)\]}}]")
_AFTER_NAME = rx(r"[,)\]}?]|[ ]*(?:\n|\z|=|\||if\b|or\b|and\b|else\b)")
PART = rx(rf"[\[(]?[bru]?(?:<<)?{QUOTE}")
_DRAWN = rx(r"[A-Za-z0-9+/=_\-]{16}")
_QUOTED = rx(QUOTE)
_CLOSERS = rf"(?i)((?:{QUOTE}|[\])}}}}]|%5d)*[ \t]*)"
_MARKS = r"(=>[\s\x02]*|->|→|\\+u2192|(?:[.?+|:]{1,3}|\\+)?={1,3}|:[ \t]*[|>][+-]?[ \t]*\x02{2,8}|:|%3[ad](?:%20|\+)*|>[\s\x02]*|;s:[0-9]{1,4}:|[,|(])[ \t]*(?:(?:&[\w\-]{1,40}|!!(?:str|binary))[ ]+)?"
JOINT = _CLOSERS + _MARKS
"""What stands between a name and its value."""
_JOINT = rx(JOINT)
_SETTER = rx(r"(?i)(?:[\w.$\-]*\.)?(?:set|with|update|change)_?[a-z]|\.?password\z")


class Joint(NamedTuple):
    """What stands between a name and its value."""

    closers: bytes
    """What ends the name: quotes and brackets."""
    mark: bytes
    """What joins the two, with line breaks behind it."""
    form: bytes
    """The same without blanks."""
    quoted: bool
    """Whether a quote ends the name."""
    blanks: int
    """Characters between the mark and the value."""


class Named(NamedTuple):
    """A telling name with what joins it to its value."""

    name: bytes
    key: Key
    sure: Key
    """The same when something was found: a ``"pass"`` in quotes does not count passed tests."""
    joint: Joint
    plain: bool
    """Whether any value behind it that could be a secret is one."""


def read_named(name: bytes, key: Key, text: bytes) -> Named:
    """The name with the parts of what `JOINT` matches behind it."""
    joint = _read_joint(text)
    sure = Key(key.kind, Grade.any) if joint.quoted and key == MAYBE else key
    named = name in _ALSO_NAMES and joint.form == b":"
    plain = sure.grade is Grade.any and joint.form not in _UNSURE and not named
    return Named(name, key, sure, joint, plain)


def _read_joint(text: bytes) -> Joint:
    match = _JOINT.match(text)
    if match is None:
        return Joint(b"", text, text.strip(_BLANKS), quoted=False, blanks=0)
    closers, mark = match[1], match[2]
    quoted = _QUOTED.find(closers)[0] >= 0
    return Joint(closers, mark, mark.strip(_BLANKS), quoted, len(text) - match.end(2))


def joins(data: bytes, named: Named, start: int, at: int) -> bool:
    """Whether what stands between a name and the value here makes the one the other's."""
    joint, key = named.joint, named.key
    form, end = joint.form, at - joint.blanks
    if form == b"=":
        return True
    if form == b":":
        if data[end : end + 1] == b":" or data[end : end + 2] == b"//":
            return False
        if key == MAYBE and not joint.closers.strip() and not _is_field(named):
            return False  # a test that passed
        return not _is_about(data, named.name, start)
    if form == b">":
        return _is_tag(data, joint, start)
    if form == b",":
        opened = data[start - 1 : start] == b"{"
        if (opened or joint.quoted) and PART.end(data, at) >= 0:
            return True
        return _DRAWN.end(data, end) >= 0
    if form == b"(":
        return _SETTER.end(named.name) >= 0 and PART.end(data, end) >= 0
    return form != b"|" or key.grade <= Grade.likely


def _is_field(named: Named) -> bool:
    """``Pass:x``, as Go prints the fields of a struct."""
    return not named.joint.blanks and named.name[:1].isupper() and not named.name.isupper()


def _is_about(data: bytes, name: bytes, start: int) -> bool:
    """Whether a cache's key is meant, or the name of a secret in a store."""
    if name not in _ALSO_NAMES:
        return False
    line = data.rfind(b"\n", 0, start) + 1
    return _STORED.find(data[max(line, start - 90) : start])[0] >= 0


def read_form(data: bytes, named: Named, start: int, at: int) -> bytes:
    """How name and value are joined; `ENV` for a line of an environment, `ELEMENT` over a line."""
    joint, form = named.joint, named.joint.form
    if form == b"=":
        constant = not joint.closers and not joint.blanks and named.name.isupper()
        return ENV if constant else form
    if form == b">" and joint.mark != form:
        return ELEMENT
    if form != b",":
        return form
    before = data[max(0, start - 6) : start]
    if _PAIR_BEGINS.find(before)[0] >= 0:
        value = next(iter(read_values(data, at)), None)
        if value is not None and _PAIR_ENDS.end(data, value.end) >= 0:
            return b"=" if not reads_as_name(data[value.start : value.end]) else form
    return form


def fits(data: bytes, key: Key, value: Value, text: bytes, form: bytes) -> bool:
    """Whether a value that is joined in this form, and its text, look like one at all."""
    if form in _LOOSE and not _passes(key, text):
        return False
    if form == ELEMENT:
        return _closes(data, value.end)
    if form == b">":
        return looks_random(text) or _closes(data, value.end)
    if form == b",":
        return value.quoted or looks_random(text)
    if value.quoted:
        return True
    return not _is_variable(data, value, text, form) and not _is_prose(data, value, text, form)


def _is_tag(data: bytes, joint: Joint, start: int) -> bool:
    """``<password>x</password>``, ``<ns:password>``, ``key="password">``."""
    if _QUOTED.end(joint.closers) >= 0:
        return not has_any(joint.mark, b"\n", b"\x02")
    before = data[max(0, start - 20) : start]
    opened = before.rfind(b"<")
    if opened < 0 or before[opened + 1 : opened + 2] == b"/":
        return False
    return before.endswith((b"<", b":")) and b" " not in before[opened:]


def _closes(data: bytes, at: int) -> bool:
    """Whether an element ends here."""
    return data[at : at + 40].lstrip(b" \t\n\x02")[:1] == b"<"


def _passes(key: Key, text: bytes) -> bool:
    """Whether a value that is only loosely joined looks like what the name says."""
    return looks_likely(text) or (key.kind == "password" and looks_chosen(text))


def _is_variable(data: bytes, value: Value, text: bytes, form: bytes) -> bool:
    """``page_token=next_page``, ``token: SecretStr = …``: code, with a name on the right."""
    return form in _ASSIGNS and reads_as_name(text) and _AFTER_NAME.end(data, value.end) >= 0


def _is_prose(data: bytes, value: Value, text: bytes, form: bytes) -> bool:
    """``password: something went wrong``: a word behind a colon with more words behind it."""
    if form != b":" or not text.isalpha() or data[value.start - 1 : value.start] != b" ":
        return False
    rest = data[value.end : min(line_end(data, value.end), value.end + 40)]
    words = rest.split()
    return rest[:1] == b" " and bool(words) and words[0].rstrip(b".,!").isalpha()
