"""Secrets that are known by the name before them: ``key=value`` in all its forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from autofix.redact.addresses import is_client
from autofix.redact.headers import is_basic, read_authorization, read_cookies
from autofix.redact.joints import JOINT, PART, Named, fits, joins, read_form, read_named
from autofix.redact.keys import Grade, Key, read_key
from autofix.redact.reading import QUOTE, QUOTES, Value, read_values
from autofix.redact.spans import FILLED, Span, end_of, has_any, one_of, rx, simple
from autofix.redact.values import OPAQUE, is_opaque, is_secret

_CORE = one_of(
    "pass", "pwd", "psw", "mdp", "wachtwoord", "haslo", "parola", "clave", "kennwort", "contrasena", "senha", r"\bpw", "_pw", "secret", "token",
    "key", "auth", "cred", "cookie", "sess", "sid", "csrf", "xsrf", "sig", "hmac", "jwt", "bearer",
    "otp", "mfa", "pin", "cvv", "cvc", "mnemonic", "phrase", "salt", r"\bpat\b", r"_pat\b", "psk", "code",
    "honeycomb", "verifier", "phone", "mobile", "tel", "msisdn", "fax", "whatsapp", "ssn",
    "social", "passport", "iban", "dob", "birth", "card", "ccnumber", "credit", "nino", "national",
    "tax", "communit", "account", "licen", "insurance", "saml", "assertion", "ip", "addr", "forwarded", "xff",
)  # fmt: skip
_NAMED = rx(rf"(?i)[a-z0-9_.$\-]*{_CORE}[a-z0-9_.$\-]*{JOINT}", groups=False)
_NAME = simple(r"(?:[A-Za-z0-9_.$\-]|\xc5\xbf|\xe2\x84\xaa)+")
"""The name in it; re2 takes two more letters for an s and a k."""
_FAR = 200
_FILLED = simple(r"\x01+")
_BLANKS, _PAUSES, _AFTER_QUOTE = b" \t\n\f\r\x02<", (b".", b",", b";", b":"), b" ,;:)]}\n\x02"
_IN_URL = b"?&#"
_LISTS = (b"[", b"(", b"{")
_PAIRED = rx(
    rf"(?i)[a-z0-9_.\-]*{_CORE}[a-z0-9_.\-]*(?:{QUOTE}?[\s\x02,]+(?:-{{1,2}}[ ]*)?{QUOTE}?"
    rf"(?:value|val|content|defaultvalue){QUOTE}?[ \t]*(?:=>|[=: ])[ \t]*"
    r"|</[a-z]+>[\s\x02]*<(?:value|string|val)[^<>\n]*>[\s\x02]*)",
    groups=False,
)
_TYPED = rx(
    rf"(?i)[a-z0-9_.$\-]*{_CORE}[a-z0-9_]*{QUOTE}?(?:[ ]*[:?]+[ ]*|[ ]+)[a-z0-9_&'*\[\]<>|?.,:;{{}} ]{{1,40}}=[ ]*",
    groups=False,
)
_ELEMENT = rx(rf"(?i)<(?:\w{{1,20}}:)?([a-z0-9_.\-]*{_CORE}[a-z0-9_.\-]*)[ \t][^<>\n]*>")
_ENVIRONMENT = rx(
    r"(?m)(?:^|[ \t\x02\"'])(?:ENV|ARG|SetEnv|setenv|SET|set|fastcgi_param|env)[ \t]+(?:-[a-zA-Z]+[ \t]+)*\$?([A-Za-z0-9_]*(?i:pass|pwd|secret"
    r"|token|key|cred)[A-Za-z0-9_]*)[ \t]+"
)
_PART_OF_FORM = rx(
    r"(?i)form-data;[^\n\x02]{0,40}name=\\*\"([^\"\n\\]{1,60})\\*\"[^\n\x02]{0,80}[\n\x02]{2,16}"
)
_LDIF = rx(rf"(?im)(?:^|[\x02\"'])([a-z0-9;.\-]*{_CORE}[a-z0-9;.\-]*)::[ ]")
_BARE = rx(r"(?m)(?:^|[ \t\x02{;])([a-z]+(?:Password|Secret|Token|ApiKey))[ ]+")
_OTHER_SCRIPTS = rx(
    r"(?i)(?:contraseña|пароль|密码|密碼|パスワード|비밀번호|şifre|hasło|lösenord|mật khẩu)[\"']?[ ]?(?:=>|[:=]|\x{ff1a})[ ]*"
)
_PASSWORD = Key("password", Grade.any)
_OF_AZURE = rx(r"\"(key)Name\\*\":[^{}\n]{1,120}\"value\\*\":[ ]*")
_OTHERS = (
    ((b"ENV", b"ARG", b"Env", b"env", b"SET", b"set", b"fastcgi"), _ENVIRONMENT),
    ((b"<",), _ELEMENT),
    ((b"form-data",), _PART_OF_FORM),
    ((b":: ",), _LDIF),
    ((b"keyName",), _OF_AZURE),
    ((b"Password ", b"Secret ", b"Token ", b"Key "), _BARE),
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
    yield from _paired(data)
    for words, pattern in _OTHERS:
        for match in pattern.finditer(data) if has_any(data, *words) else ():
            key = _read_name(match[1])
            loose = pattern is _BARE and PART.end(data, match.end()) < 0
            if key is not None and not loose:
                yield from _judge(data, key, match.end())
    for _, at in _OTHER_SCRIPTS.places(data) if not data.isascii() else ():
        yield from _judge(data, _PASSWORD, at, form=b":")


def _paired(data: bytes) -> Iterator[Span]:
    """What the value of a name is called comes between: ``name: x, value: y``, ``token: str = y``."""
    if has_any(data, b"al", b"AL", b"ontent"):
        for start, at in _PAIRED.places(data):
            key = _read_name(data[start : end_of(_NAME, data, start)])
            if key is not None:
                yield from _judge(data, key, at)
    for start, at in _TYPED.places(data) if b"=" in data else ():
        if PART.end(data, at) < 0:
            continue
        key = _read_name(data[start : end_of(_NAME, data, start)])
        if key is not None:
            yield from _judge(data, key, at, form=b",")


def _joined(data: bytes) -> Iterator[Span]:
    covered = 0
    looked = FILLED in data
    for start, at in _NAMED.places(data):
        if at <= covered:
            continue  # within a value that goes as a whole
        named = _read_named(data[start:at])
        if named is None or (looked and _is_done(data, start, at, named.key)):
            continue
        if named.plain:
            begin, end = _read_opaque(data, start, at)
            if end > 0:
                covered = end
                yield Span(begin, end, named.key.kind)
                continue
        if named.key.grade is Grade.random and _LONG.end(data, at) < 0:
            continue
        if not joins(data, named, start, at):
            continue
        form = read_form(data, named, start, at)
        in_url = start > 0 and data[start - 1] in _IN_URL
        for span in _judge(data, named.sure, at, in_url=in_url, form=form):
            covered = max(covered, span.end)
            yield span


def _read_opaque(data: bytes, start: int, at: int) -> tuple[int, int]:
    """Where the value stands if it is a run of `OPAQUE`, quoted or not, and a secret; else 0, 0.

    All other looks at such a value come to the same, at several times the cost.
    """
    quote = _quote_at(data, at)
    begin = at + len(quote)
    run = OPAQUE.match(data, begin, begin + _FAR)
    if run is None or not is_opaque(run[0]):
        return 0, 0
    end = run.end()
    ends = data.startswith(quote, end) if quote else _ends_bare(data, start, end)
    return (begin, end) if ends else (0, 0)


def _quote_at(data: bytes, at: int) -> bytes:
    """The quote that stands here, with its backslashes; empty without one."""
    quote = data[at : at + 1]
    if quote in QUOTES:
        return quote
    end = at
    while end < at + _FAR and data[end : end + 1] == b"\\":
        end += 1
    return data[at : end + 1] if end > at and data[end : end + 1] in QUOTES else b""


def _ends_bare(data: bytes, start: int, end: int) -> bool:
    """Whether a value without quotes is sure to end here, whose name begins at `start`."""
    behind, next_one = data[end : end + 1], data[end + 1 : end + 2]
    if behind in _PAUSES:
        return next_one in _BLANKS
    if behind == b"&":
        return start > 0 and data[start - 1] in _IN_URL
    return behind in _BLANKS or (behind in QUOTES and next_one in _AFTER_QUOTE)


@lru_cache(maxsize=4096)
def _read_named(text: bytes) -> Named | None:
    """What a name and its joint say; None when it is no telling name."""
    end = end_of(_NAME, text, 0)
    key = read_key(text[:end].decode())
    return None if key is None else read_named(text[:end], key, text[end:])


@lru_cache(maxsize=4096)
def _read_name(name: bytes) -> Key | None:
    return read_key(name.decode())


def _is_done(data: bytes, start: int, at: int, key: Key) -> bool:
    """Whether all of the value was redacted before, by what stands behind."""
    quote = _quote_at(data, at)
    filled = _FILLED.match(data, at + len(quote))
    if filled is None or key.grade is Grade.scheme or key.grade is Grade.cookie:
        return False
    end = filled.end()
    return data.startswith(quote, end) if quote else _ends_bare(data, start, end)


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


def _judge(
    data: bytes, key: Key, at: int, *, in_url: bool = False, form: bytes = b"="
) -> Iterable[Span]:
    if key.grade is Grade.scheme:
        return read_authorization(data, at, form)
    if key.grade is Grade.cookie:
        return read_cookies(data, at)
    values = read_values(data, at, in_url=in_url)
    if key.grade is Grade.address:
        return [span for value in values for span in _addresses(data, value)]
    if data[at : at + 1] in _LISTS:
        values = list(values)
        form = b"[" if len(values) > 1 else form
    found = []
    for value in values:
        text = data[value.start : value.end]
        if fits(data, key, value, text, form) and (
            is_secret(text, key, quoted=value.quoted) or (key.kind == "auth" and is_basic(text))
        ):
            found.append(Span(value.start, value.end, key.kind))
    return found


def _addresses(data: bytes, value: Value) -> Iterator[Span]:
    for start, end in _ADDRESS.places(data[value.start : value.end]):
        if is_client(data[value.start + start : value.start + end], named=True):
            yield Span(value.start + start, value.start + end, "ip-address")
