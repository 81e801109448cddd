"""Mail addresses of people, and network addresses of clients.

Addresses of machines stay, since a fault is found by them: private, loopback and link-local ones,
those behind ``connect to`` or ``host=``, hosts of URLs, networks, and the public resolvers. Four
small numbers with dots between them, or any behind ``v``, ``/`` or ``version``, are a version.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import lru_cache

from autofix.redact.spans import Match, Span, one_of, rx

_LETTER = r"a-zA-Z0-9\x{c0}-\x{24f}\x{370}-\x{1fff}\x{3040}-\x{ffdc}"
_EMAIL = rx(
    rf"[{_LETTER}](?:[{_LETTER}._+\-]|%2[bB]|'[a-zA-Z])*(@(?:&#8203;)?|%40|\\u0040|&#64;)"
    rf"((?:[{_LETTER}][{_LETTER}\-]*\.)+(?:[a-zA-Z\x{{c0}}-\x{{ffdc}}]{{2,24}}|xn--[a-z0-9\-]+))"
)
_NOT_MAIL = frozenset(
    b"""
    service socket timer mount target slice scope png jpg jpeg gif svg webp ico js mjs cjs ts tsx
    jsx css scss html json py rb go rs java kt php sh md yml yaml toml lock txt map jar gz tgz zip
    internal prototype constructor
    """.split()
)
"""Endings that units, files and private hosts have, and no domain of a person's mail."""
_ALGORITHMS = frozenset(b"openssh.com libssh.org ssh.com lysator.liu.se".split())
"""Who names algorithms of SSH: ``chacha20-poly1305@openssh.com``."""
_USERINFO = rx(r"://[^/?#\s]*\z")
_REMOTE = rx(r":[/~]|:[A-Za-z0-9_.\-]+/")
_ACCOUNTS = frozenset(b"git hg svn root postgres mysql redis".split())

_IPV4 = rx(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_IPV6 = rx(r"(?i)\b[23][0-9a-f]{3}(?::[0-9a-f]{0,4}){2,7}")
_IPV6_GOES_ON = rx(r"(?i)(?:\A|[^0-9a-z])(?:[0-9a-f]{1,4}:)+:?\z")
"""Before a group: those of the same address, which begins as no client's does."""
_SMALL = 30
_RESOLVERS = frozenset(
    b"8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220".split()
)
_VERSION = (
    "(?i)"
    + one_of(
        r"[a-z0-9_)]/",
        r"[a-z0-9_~][\-_~^]",
        r"[a-z0-9_.\-]@",
        r"[=<>~!^]=",
        r"[a-z_0-9]",
        r"[0-9]\.",
        r"(?:oid|identifier)\([\"']?",
        r"\b(?:version|release|build|revision|rev|ver|firmware|sdk|runtime|driver|tag|from|to"
        r"|upgrad(?:e|ed|ing)|installed|oid)[a-z]*[\"']?[ :=]+[\"']?v",
        r"\b(?:version|release|build|revision|rev|ver|firmware|sdk|driver|oid)[\"']?[ :=]+[\"']?",
    )
    + r"\z"
)
_MACHINE = (
    "(?i)"
    + one_of(
        r"://",
        r"\b(?:connect|connecting|connected|reconnecting|connection|dial|dialing|request|requests"
        r"|forward|forwarding|forwarded|proxy|proxying|proxied|resolve|resolved|resolves|resolving"
        r"|route|routed|send|sending|failover|redirect|points?|pointing|talking)\b[^\n]{0,32}\b(?:to|at)"
        r"[ =]+[\"'(\[/]{0,2}",
        r"\b(?:tcp[46]?|udp|unix|ECONN[A-Z]+|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EADDR[A-Z]+|bind"
        r"|bound to|listening on|listen|nameserver|gateway|network|upstream|backend|server|host|hostname"
        r"|endpoint|listener|broker|node|master|primary|replica|leader|dns|resolver|target|dst|dest"
        r"|destination|(?:server|host|pod|node|private|public|egress|upstream|local|listen|bind|dst"
        r"|dest|target|cluster|gateway|external|internal)[_.\-]?(?:addr|address|ip)|hosts?)"
        r"[\"']?[ =:]+[\"'(\[/]{0,2}",
    )
    + r"\z"
)
_NO_CLIENT = rx(one_of(_VERSION, _MACHINE))
_GOES_ON = rx(r"[A-Za-z0-9_]|\.[A-Za-z0-9]|-[A-Za-z]|/[0-9]{1,3}\b")
_LOOK_BACK = 72


def find_emails(data: bytes) -> Iterator[Span]:
    """Mail addresses; not users of hosts, as in ``git@host:path`` or a URL."""
    if not any(at in data for at in (b"@", b"%40", b"u0040", b"&#64;")):
        return
    for match in _EMAIL.finditer(data):
        start, host = match.start(), match[2].lower()
        if data[start - 1 : start] == b"\\" and data[start : start + 1] in b"nrt":
            start += 1  # an escaped line break, not a letter
        labels = host.split(b".")
        if (
            host in _ALGORITHMS
            or labels[-1] in _NOT_MAIL
            or labels[0].isdigit()
            or b".svc." in host
        ):
            continue
        if not _is_account(data, start, match):
            plain = data[start : match.start(1)] + b"@" + match[2]
            yield Span(start, match.end(), "email", plain.lower().replace(b"%2b", b"+"))


def _is_account(data: bytes, start: int, match: Match) -> bool:
    """Whether this is who logs in on a host, not whom one writes to."""
    local, end = data[start : match.start(1)], match.end()
    return (
        local in _ACCOUNTS
        or _USERINFO.find(_before(data, start))[0] >= 0
        or _REMOTE.end(data, end) >= 0
    )


def find_addresses(data: bytes) -> Iterator[Span]:
    """Network addresses of clients."""
    for start, end in _IPV4.places(data) if data.count(b".") >= 3 else ():  # noqa: PLR2004
        if is_client(data[start:end]) and not _is_machine(data, start, end):
            yield Span(start, end, "ip-address")
    for start, end in _IPV6.places(data) if data.count(b":") >= 3 else ():  # noqa: PLR2004
        text = data[start:end].rstrip(b":")
        if _IPV6_GOES_ON.find(_before(data, start))[0] >= 0:
            continue
        if is_client(text) and not _is_machine(data, start, start + len(text)):
            yield Span(start, start + len(text), "ip-address")


@lru_cache(maxsize=4096)
def is_client(text: bytes, *, named: bool = False) -> bool:
    """Whether a client could have this address; a name that says so takes in private ones."""
    if text in _RESOLVERS:
        return False
    try:
        address = ipaddress.ip_address(text.decode())
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        return False
    if named:
        return True
    if address.version == 4:  # noqa: PLR2004
        small = all(part < _SMALL for part in address.packed)
        ends = {0, 255}  # of networks, masks and broadcasts
        return not small and ends.isdisjoint(address.packed[::3]) and not _is_inner(address)
    return True


def _is_inner(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Private, link-local or a carrier's; the ranges for documentation count as public."""
    return any(address in network for network in _INNER if network.version == address.version)


_INNER = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10")
)


def _is_machine(data: bytes, start: int, end: int) -> bool:
    return _GOES_ON.end(data, end) >= 0 or _NO_CLIENT.find(_before(data, start))[0] >= 0


def _before(data: bytes, at: int) -> bytes:
    """What stands on the line before this place, as far as a rule looks back."""
    return data[max(0, at - _LOOK_BACK, data.rfind(b"\n", 0, at) + 1) : at]
