"""Secrets that are known by the name before them: ``key=value`` in all its forms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from autofix.redact.addresses import is_client
from autofix.redact.headers import is_basic, read_authorization, read_cookies
from autofix.redact.joints import JOINT, MAYBE, PART, Named, fits, joins, read_form, read_joint
from autofix.redact.keys import Grade, Key, read_key
from autofix.redact.reading import QUOTE, QUOTES, Value, read_values
from autofix.redact.spans import Span, has_any, one_of, rx, simple
from autofix.redact.values import is_secret

_CORE = one_of(
    "pass", "pwd", "psw", "kennwort", "contrasena", "senha", r"\bpw", "_pw", "secret", "token",
    "key", "auth", "cred", "cookie", "sess", "sid", "csrf", "xsrf", "sig", "hmac", "jwt", "bearer",
    "otp", "mfa", "pin", "cvv", "cvc", "mnemonic", "phrase", "salt", r"\bpat\b", "psk", "code",
    "honeycomb", "verifier", "phone", "mobile", "tel", "msisdn", "fax", "whatsapp", "ssn",
    "social", "passport", "iban", "dob", "birth", "card", "ccnumber", "credit", "nino", "national",
    "tax", "account", "licen", "insurance", "saml", "assertion", "ip", "addr", "forwarded", "xff",
)  # fmt: skip
_NAMED = rx(rf"(?i)[a-z0-9_.$\-]*{_CORE}[a-z0-9_.$\-]*{JOINT}", groups=False)
_NAME = simple(r"(?:[A-Za-z0-9_.$\-]|\xc5\xbf|\xe2\x84\xaa)+")
"""The name in it; re2 takes two more letters for an s and a k."""
_DONE = simple(r"\x01+")
_ENDS_VALUE = b" \t\n\f\r\x02<"
_PAIRED = rx(
    rf"(?i)([a-z0-9_.\-]*{_CORE}[a-z0-9_.\-]*)(?:{QUOTE}?[\s\x02,]+(?:-{{1,2}}[ ]*)?{QUOTE}?"
    rf"(?:value|val|content|defaultvalue){QUOTE}?[ \t]*(?:=>|[=: ])[ \t]*"
    r"|</[a-z]+>[\s\x02]*<(?:value|string|val)[^<>\n]*>[\s\x02]*)"
)
_TYPED = rx(
    rf"(?i)([a-z0-9_.$\-]*{_CORE}[a-z0-9_]*){QUOTE}?(?:[ ]*[:?]+[ ]*|[ ]+)[a-z0-9_&'*\[\]<>|?.,:;{{}} ]{{1,40}}=[ ]*"
)
_ELEMENT = rx(rf"(?i)<(?:\w{{1,20}}:)?([a-z0-9_.\-]*{_CORE}[a-z0-9_.\-]*)[ \t][^<>\n]*>")
_ENVIRONMENT = rx(
    r"(?m)(?:^|[ \t\x02\"'])(?:ENV|ARG|SetEnv|setenv|SET|set|fastcgi_param|env)[ \t]+(?:-[a-zA-Z]+[ \t]+)*\$?([A-Za-z0-9_]*(?i:pass|pwd|secret"
    r"|token|key|cred)[A-Za-z0-9_]*)[ \t]+"
)
_OTHERS = (
    ((b"al", b"AL", b"ontent"), _PAIRED),
    ((b"ENV", b"ARG", b"Env", b"env", b"SET", b"set", b"fastcgi"), _ENVIRONMENT),
    ((b"<",), _ELEMENT),
    ((b"=",), _TYPED),
)
"""Other ways to join a name and a value, with words that must be there for each."""
_FLAG = rx(
    rf"(?im)(?:^|[\s\x02\"'\[,(=\x60])(--?[a-z0-9_][a-z0-9_.\-]*)(?:[ \t]+|{QUOTE}[ \t]*,[ \t]*)"
    rf"({QUOTE})?([^\s\x02\"'`]+)"
)
_LONG = rx(rf"[\[(]?[bru]?(?:{QUOTE})*[^\s\x02]{{12}}")
_ADDRESS = rx(r"[0-9a-fA-F:.]{3,45}")


def find_named(data: bytes) -> Iterator[Span]:
    """Values behind telling names, whatever joins the two."""
    yield from _joined(data)
    for words, pattern in _OTHERS:
        for match in pattern.finditer(data) if has_any(data, *words) else ():
            key = read_key(match[1].decode())
            if key is not None and (pattern is not _TYPED or PART.end(data, match.end()) >= 0):
                form = b"," if pattern is _TYPED else b"="
                yield from _judge(data, key, match.end(), form=form)


def _joined(data: bytes) -> Iterator[Span]:
    covered = 0
    for start, end in _NAMED.places(data):
        if end <= covered:
            continue  # within a value that goes as a whole
        name = _NAME.match(data, start)[0]
        key = _read_name(name)
        if key is None or _is_done(data, end, key):
            continue
        if key.grade is Grade.random and _LONG.end(data, end) < 0:
            continue
        named = Named(start, name, read_joint(data[start + len(name) : end]), end)
        if not joins(data, named, key):
            continue
        in_url = start > 0 and data[start - 1 : start] in b"?&#"
        form = read_form(data, named)
        for span in _judge(data, _sure(key, named), end, in_url=in_url, form=form):
            covered = max(covered, span.end)
            yield span


@lru_cache(maxsize=4096)
def _read_name(name: bytes) -> Key | None:
    return read_key(name.decode())


def _is_done(data: bytes, at: int, key: Key) -> bool:
    """Whether all of the value was redacted before."""
    quote = data[at : at + 1]
    quoted = quote in QUOTES
    filled = _DONE.match(data, at + quoted)
    if filled is None or key.grade is Grade.scheme:
        return False
    behind = data[filled.end() : filled.end() + 1]
    return behind == quote if quoted else behind in _ENDS_VALUE


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


def _sure(key: Key, named: Named) -> Key:
    """A ``"pass"`` in quotes is a password; without them it may count passed tests."""
    return Key(key.kind, Grade.any) if named.joint.quoted and key == MAYBE else key


def _judge(
    data: bytes, key: Key, at: int, *, in_url: bool = False, form: bytes = b"="
) -> Iterator[Span]:
    if key.grade is Grade.scheme:
        yield from read_authorization(data, at, form)
    elif key.grade is Grade.cookie:
        yield from read_cookies(data, at)
    else:
        values = list(read_values(data, at, in_url=in_url))
        listed = len(values) > 1 and data[at : at + 1] in b"[({"
        for value in values:
            yield from _judge_value(data, key, value, b"[" if listed else form)


def _judge_value(data: bytes, key: Key, value: Value, form: bytes) -> Iterator[Span]:
    text = data[value.start : value.end]
    if key.grade is Grade.address:
        yield from _addresses(text, value.start)
        return
    if not fits(data, key, value, form):
        return
    known = key.kind == "auth" and is_basic(text)
    if known or is_secret(text, key, quoted=value.quoted):
        yield Span(value.start, value.end, key.kind)


def _addresses(text: bytes, at: int) -> Iterator[Span]:
    for start, end in _ADDRESS.places(text):
        if is_client(text[start:end], named=True):
            yield Span(at + start, at + end, "ip-address")
