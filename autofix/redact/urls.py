"""Secrets in addresses: users and passwords before hosts, tokens in paths and queries."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.redact.spans import Match, Span, has_any, is_filled, rx
from autofix.redact.values import is_placeholder, looks_random

_ADDRESS = (
    r"""(?i)\b([a-z][a-z0-9+.\-]{1,30})(?::(?:&#8203;)?//|%3A%2F%2F|:\\/\\/)([^\s\x02"'<>`]+)"""
)
_URL, _URL_PLACE = rx(_ADDRESS), rx(_ADDRESS, groups=False)
_AUTHORITY_END = rx(r"[/?#\\]")
_HOST = rx(
    r"@(?:&#8203;)?(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.\-]+|\$\{[^}]*\}|\(|<|\x01+)(?:[:/?#,;\\)\]}]|%3A|%2F|\z)"
)
_BARE_DSN = rx(r"""([^\s\x02:/"'@=(]+):([^\s\x02"'/]+)@(?:tcp|unix|udp)\(""")
_ORACLE = rx(r"(?i)jdbc:oracle:[a-z0-9]+:([a-z0-9_$#]{1,60})/([^\s\x02@\"']+)@")
_CURL_USER = rx(
    r"(?i)\b(?:curl|wget|http|https|xh)\b[^\n]*?[ \t](?:-u|--user|--proxy-user|-U|-a|--auth)[ =]?\\*[\"']?"
    r"([^\s\x02:\"']*):([^\s\x02\"']+)"
)
_IN_QUERY = rx(r"[?&][A-Za-z_][\w.%\-]*=[^@]*\z")
_PORT = rx(r":[0-9]{0,5}\z")
_WEB = {b"http", b"https", b"ws", b"wss"}
_QUERY = rx(
    r"(?i)[?&;](?:amp;)?(x-(?:amz|goog|oss|cos)-(?:signature|credential|security-token)|awsaccesskeyid"
    r"|googleaccessid|signature|sig|code|state|key|hash|hmac|policy|key-pair-id|ticket|samlresponse"
    r"|samlrequest|assertion|hdnea|hdnts|s|st|se|t|invite|magic|nonce|client_assertion|oauth_\w+"
    r"|session_state|sid)=([^&\s\x02\"'<>#`;)\]},\\]{6,})"
)
_SIGNED = {b"signature", b"sig", b"credential", b"token", b"awsaccesskeyid", b"googleaccessid"}
_IN_PATH = rx(
    r"(?i)/(?:reset|reset[-_]?password|password[-_]?reset|verify|verify[-_]?email|confirm|activate"
    r"|activation|magic|magic[-_]?link|invite|invitation|unsubscribe|token|tokens|share|auth"
    r"|callback|hook|hooks|webhook|webhooks|feed|ical)/([A-Za-z0-9_\-.=]{20,})"
)
_VAR = rx(r"\$?\{?[A-Z_]+\}?")
_MAYBE_TOKEN = rx(
    r"[a-z0-9_]*(?:[a-z][A-Z]|[A-Z][a-z]|[0-9][a-zA-Z])[A-Za-z0-9_]{14,}|[A-Za-z0-9]{32,}"
)
_FILLER = {b"x-oauth-basic", b"x-token-auth", b"oauth2", b"x-access-token", b"git", b"_", b"x"}


def find_dsns(data: bytes) -> Iterator[Span]:
    """Passwords of database, broker and web addresses, and tokens in the place of a user."""
    if b"//" in data or b"%3A%2F%2F" in data or b"%3a%2f%2f" in data or b":\\/\\/" in data:
        for start, end in _URL_PLACE.places(data):
            if has_any(data[start:end], b"@", b"%40") and (match := _URL.match(data, start)):
                yield from _userinfo(match)
    if has_any(data, b"@tcp(", b"@unix(", b"@udp(") or b"oracle:" in data.lower():
        for match in (*_BARE_DSN.finditer(data), *_ORACLE.finditer(data)):
            yield from _password(match.start(2), match[2])
    if has_any(data, b" -u", b" --", b" -U", b" -a"):
        for match in _CURL_USER.finditer(data):
            yield from _password(match.start(2), match[2])


def find_in_urls(data: bytes) -> Iterator[Span]:
    """Signatures, codes and keys of queries, and tokens in paths."""
    for match in _QUERY.finditer(data) if b"=" in data else ():
        name, value = match[1].lower(), match[2]
        if is_filled(value) or is_placeholder(value, quoted=True):
            continue
        if name.rpartition(b"-")[2] in _SIGNED or looks_random(value):
            yield Span(match.start(2), match.end(2), "url-secret")
    for match in _IN_PATH.finditer(data):
        value = match[1].rstrip(b".")
        if looks_random(value):
            yield Span(match.start(1), match.start(1) + len(value), "url-secret")


def _userinfo(match: Match) -> Iterator[Span]:
    scheme, rest = match[1].lower(), match[2]
    at = match.start(2)
    end = _userinfo_end(scheme, rest)
    if end <= 0:
        return
    user, mark, password = rest[:end].partition(b":")
    if b"%3A" in user and not mark:
        user, mark, password = user.partition(b"%3A")
    if mark and password:
        yield from _password(at + len(user) + len(mark), password, scheme)
    if b"@" in user:
        yield Span(at, at + len(user), "email")
    elif _is_token(user, alone=not mark):
        kind = "sentry-dsn" if b"sentry" in rest else "url-user"
        yield Span(at, at + len(user), kind)


def _userinfo_end(scheme: bytes, rest: bytes) -> int:
    """Where the user and the password end; -1 without them.

    A password may hold any mark. So the last ``@`` with a host behind it counts: for the web within
    the authority, unless that has no port and so goes on; for others wherever no query has begun.
    """
    stop = _AUTHORITY_END.find(rest)[0]
    authority = rest if stop < 0 else rest[:stop]
    web = scheme in _WEB and (b"@" in authority or _PORT.find(authority)[0] >= 0)
    text = authority if web or b":" not in authority else rest
    end: int = text.rfind(b"@")
    while end > 0:
        if _HOST.end(rest, end) >= 0 and _IN_QUERY.find(rest[:end])[0] < 0:
            return end
        end = text.rfind(b"@", 0, end)
    escaped: int = rest.lower().rfind(b"%40")
    return escaped if escaped > 0 and b"@" not in rest and b"%3A" in rest else -1


def _password(at: int, password: bytes, scheme: bytes = b"") -> Iterator[Span]:
    if is_filled(password) or is_placeholder(password, quoted=True) or password in _FILLER:
        return
    if b"$" in password and _VAR.covers(password):
        return
    kind = "password" if not scheme or scheme in _WEB else "dsn-password"
    yield Span(at, at + len(password), kind)


def _is_token(user: bytes, *, alone: bool) -> bool:
    """Whether a user is a token; without a password behind it, what only could be one counts."""
    if is_filled(user) or user in _FILLER:
        return False
    return looks_random(user) or (alone and _MAYBE_TOKEN.covers(user))
