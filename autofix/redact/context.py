"""Secrets that are known by the name before them: ``key=value`` in all its forms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autofix.redact.addresses import is_client
from autofix.redact.headers import is_basic, read_authorization, read_cookies
from autofix.redact.keys import Grade, Key, read_key
from autofix.redact.reading import QUOTE, Value, line_end, read_values
from autofix.redact.spans import Span, has_any, one_of, rx
from autofix.redact.values import (
    is_secret,
    looks_chosen,
    looks_likely,
    looks_random,
    reads_as_name,
)

_CORE = one_of(
    "pass", "pwd", "psw", "kennwort", "contrasena", "senha", r"\bpw", "_pw", "secret", "token",
    "key", "auth", "cred", "cookie", "sess", "sid", "csrf", "xsrf", "sig", "hmac", "jwt", "bearer",
    "otp", "mfa", "pin", "cvv", "cvc", "mnemonic", "phrase", "salt", r"\bpat\b", "psk", "code",
    "honeycomb", "verifier", "phone", "mobile", "tel", "msisdn", "fax", "whatsapp", "ssn",
    "social", "passport", "iban", "dob", "birth", "card", "ccnumber", "credit", "nino", "national",
    "tax", "account", "licen", "insurance", "saml", "assertion", "ip", "addr", "forwarded", "xff",
)  # fmt: skip
_NAMED = rx(
    rf"(?i)([a-z0-9_.$\-]*{_CORE}[a-z0-9_.$\-]*)"
    rf"((?:{QUOTE}|\]|\)|%5d)*[ \t]*)(=>\s*|->|→|:=|(?:[?+]|\|\|)?={{1,3}}|:|%3[ad](?:%20|\+)*|>|;s:[0-9]{{1,4}}:|[,|(])[ \t]*"
)
_QUOTED = rx(QUOTE)
_PAIRED = rx(
    rf"(?i)([a-z0-9_.\-]*{_CORE}[a-z0-9_.\-]*){QUOTE}?[\s\x02,]+(?:-[ ]+)?{QUOTE}?"
    rf"(?:value|val|content|defaultvalue){QUOTE}?[ \t]*(?:=>|=|:)[ \t]*"
)
_ELEMENT = rx(rf"(?i)<(?:\w{{1,20}}:)?([a-z0-9_.\-]*{_CORE}[a-z0-9_.\-]*)[ \t][^<>\n]*>")
_ENVIRONMENT = rx(
    r"(?m)(?:^|[ \t])(?:ENV|ARG|SetEnv|setenv|SET|set|fastcgi_param|env)[ \t]+([A-Za-z0-9_]*(?i:pass|pwd|secret"
    r"|token|key|cred)[A-Za-z0-9_]*)[ \t]+"
)
_OTHERS = (
    ((b"al", b"AL", b"ontent"), _PAIRED),
    ((b"ENV", b"ARG", b"Env", b"env", b"SET", b"set", b"fastcgi"), _ENVIRONMENT),
    ((b"<",), _ELEMENT),
)
"""Other ways to join a name and a value, with words that must be there for each."""
_FLAG = rx(
    rf"(?i)(?:\A|[\s\x02\"'\[,(=\x60])(--?[a-z0-9_][a-z0-9_.\-]*)(?:[ \t]+|{QUOTE}[ \t]*,[ \t]*)"
    rf"({QUOTE})?([^\s\x02\"'`]+)"
)
_LONG = rx(rf"[\[(]?[bru]?(?:{QUOTE})*[^\s\x02]{{12}}")
ENV = b"env"
_LOOSE = {b",", b"|", b"[", b"->", "→".encode()}
"""What may join a name and a value, and mostly does not."""
_MAYBE = Key("password", Grade.likely)
_PAIR_ENDS = rx(rf"{QUOTE}(?:>>)?[)\]}}]")
_AFTER_NAME = rx(r"[,)\]}?]|[ ]*(?:\n|\z|=|\||if\b|or\b|and\b|else\b)")
_PART = rx(rf"[\[(]?[bru]?(?:<<)?{QUOTE}")
_SETTER = rx(r"(?i)(?:[\w.$\-]*\.)?(?:set|with|update|change)_?[a-z]|\.?password\z")
_ADDRESS = rx(r"[0-9a-fA-F:.]{3,45}")


def find_named(data: bytes) -> Iterator[Span]:
    """Values behind telling names, whatever joins the two."""
    covered = 0
    for match in _NAMED.finditer(data):
        if match.end() <= covered:
            continue  # within a value that goes as a whole
        key = read_key(match[1].decode())
        if key is None or (key.grade is Grade.random and not _LONG.match(data, match.end())):
            continue
        if _joins(data, match, key):
            in_url = match.start() > 0 and data[match.start() - 1 : match.start()] in b"?&#"
            key = _sure(key, match)
            form = _form(data, match)
            for span in _judge(data, key, match.end(), in_url=in_url, form=form):
                covered = max(covered, span.end)
                yield span
    for words, pattern in _OTHERS:
        if not has_any(data, *words):
            continue
        for match in pattern.finditer(data):
            key = read_key(match[1].decode())
            if key is not None:
                yield from _judge(data, key, match.end())


def find_flags(data: bytes) -> Iterator[Span]:
    """``--password x`` and ``["--token","x"]``."""
    if not has_any(data, b"--", b" -"):
        return
    for match in _FLAG.finditer(data):
        key = read_key(match[1].decode())
        value = match[3]
        if key is None or value.startswith(b"-") or key.grade > Grade.random:
            continue
        for found in read_values(data, match.start(2) if match[2] else match.start(3)):
            if is_secret(data[found.start : found.end], key, quoted=True):
                yield Span(found.start, found.end, key.kind)


def _sure(key: Key, match: Any) -> Key:
    """A ``"pass"`` in quotes is a password; without them it may count passed tests."""
    quoted = _QUOTED.search(match[2]) is not None
    return Key(key.kind, Grade.any) if quoted and key == _MAYBE else key


def _joins(data: bytes, match: Any, key: Key) -> bool:
    """Whether what stands between name and value makes the one the other's."""
    closers, form = match[2], match[3]
    end = match.end(3)
    if form == b":" and (data[end : end + 1] == b":" or data[end : end + 2] == b"//"):
        return False
    if form == b":" and key == _MAYBE and not closers.strip():
        return False  # a test that passed
    if form == b">":
        return _is_tag(data, match)
    if form == b",":
        opened = data[match.start() - 1 : match.start()] == b"{"
        named = opened or _QUOTED.search(closers) is not None
        return named and _PART.match(data, match.end()) is not None
    if form == b"(":
        return _SETTER.match(match[1]) is not None and _PART.match(data, end) is not None
    return form != b"|" or key.grade <= Grade.likely


def _form(data: bytes, match: Any) -> bytes:
    """How name and value are joined; `ENV` for a line of an environment, `PAIR` for a tuple."""
    form: bytes = match[3]
    if form == b"=" and match[1].isupper() and not match[2] and match.end(3) == match.end():
        return ENV
    before = data[max(0, match.start() - 3) : match.start()].lstrip(b" ub\\")[:1]
    if form == b"," and before and before in b"([{":
        value = next(iter(read_values(data, match.end())), None)
        if value is not None and _PAIR_ENDS.match(data, value.end):
            return b"=" if not reads_as_name(data[value.start : value.end]) else form
    return form


def _is_tag(data: bytes, match: Any) -> bool:
    """``<password>x</password>``, ``<ns:password>``, ``key="password">``."""
    start, closers = match.start(), match[2]
    if _QUOTED.match(closers):
        return True
    before = data[max(0, start - 20) : start]
    opened = before.rfind(b"<")
    return opened >= 0 and before.endswith((b"<", b":")) and b" " not in before[opened:]


def _judge(
    data: bytes, key: Key, at: int, *, in_url: bool = False, form: bytes = b"="
) -> Iterator[Span]:
    if key.grade is Grade.scheme:
        yield from read_authorization(data, at, form)
    elif key.grade is Grade.cookie:
        yield from read_cookies(data, at)
    else:
        values = list(read_values(data, at, in_url=in_url))
        for value in values:
            yield from _judge_value(data, key, value, form if len(values) == 1 else b"[")


def _judge_value(data: bytes, key: Key, value: Value, form: bytes) -> Iterator[Span]:
    text = data[value.start : value.end]
    if key.grade is Grade.address:
        yield from _addresses(text, value.start)
        return
    if form in _LOOSE and not _passes(key, text):
        return
    if form == b">" and data[value.end : value.end + 1] != b"<" and not looks_random(text):
        return
    if _is_prose(data, value, form) or (not value.quoted and _is_variable(data, value, form)):
        return
    known = key.kind == "auth" and is_basic(text)
    if known or is_secret(text, key, quoted=value.quoted):
        yield Span(value.start, value.end, key.kind)


def _passes(key: Key, text: bytes) -> bool:
    """Whether a value that is only loosely joined looks like what the name says."""
    return looks_likely(text) or (key.kind == "password" and looks_chosen(text))


def _is_variable(data: bytes, value: Value, form: bytes) -> bool:
    """``page_token=next_page``, ``token: SecretStr = …``: code, with a name on the right."""
    if form not in {b"=", b":=", b":"} or not reads_as_name(data[value.start : value.end]):
        return False
    return _AFTER_NAME.match(data, value.end) is not None


def _is_prose(data: bytes, value: Value, form: bytes) -> bool:
    """``password: something went wrong``: a word behind a colon with more words behind it."""
    text = data[value.start : value.end]
    if (
        form != b":"
        or value.quoted
        or not text.isalpha()
        or data[value.start - 1 : value.start] != b" "
    ):
        return False
    rest = data[value.end : min(line_end(data, value.end), value.end + 40)]
    words = rest.split()
    return rest[:1] == b" " and bool(words) and words[0].rstrip(b".,!").isalpha()


def _addresses(text: bytes, at: int) -> Iterator[Span]:
    for match in _ADDRESS.finditer(text):
        if is_client(match[0], named=True):
            yield Span(at + match.start(), at + match.end(), "ip-address")
