"""Secrets in sentences and commands, where no mark joins the name and the value."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.redact.keys import Grade, Key
from autofix.redact.spans import Match, Span, has_any, is_filled, one_of, rx
from autofix.redact.values import (
    count_digits,
    is_placeholder,
    is_secret,
    looks_chosen,
    looks_likely,
    looks_random,
)

_NOUN = one_of(
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "credential",
    r"api[ _\-]?key", r"access[ _\-]?key", r"secret[ _\-]?key", r"private[ _\-]?key",
    r"unseal[ _\-]?key", r"signing[ _\-]?key", r"encryption[ _\-]?key", r"license[ _\-]?key", "requirepass",
)  # fmt: skip
_OWNER = (
    r"(?:(?:the|this)[ \t]+)?(?:user|username|login|role|account|principal|client|service|database|email|host|tenant"
    r"|organization|project|app|application|environment)"
)
_LINKS = (
    r"(?:[ \t]+(?:is|was|are|of|to|value|provided|given|set|used|supplied|received|got|found|as"
    r"|now|key|string|with|changed|reset|updated|rotated|generated|new|entered|sent|equals"
    rf"|hash|#?[0-9]{{1,2}}:|(?:for|of|by)[ \t]+(?:{_OWNER}[ \t]+)?[\"'`]?[\w.@\-]+[\"'`]?))"
)
_ABOUT = (
    rf"(?i)\b({_NOUN})s?\b[\"'`)]?(?:{_LINKS}+[ \t]*[:=][ \t]*|{_LINKS}*[ \t]+)[\"'`(\[<]?"
    r"([^\s\x02\"'`<>()\[\]]{6,})"
)
_SENTENCE, _SENTENCE_PLACE = rx(_ABOUT), rx(_ABOUT, groups=False)
_BEFORE_WORD = bytes.maketrans(b"\x02\"'`<>()[]", b" " * 10)
_QUOTED = rx(
    rf"(?i)\b({_NOUN}|identified(?:[ \t]+with[ \t]+[\w.\"'`]+)?[ \t]+by)\b(?:{_LINKS}*)[ \t:=]+"
    r"(?:\\*\"([^\"\n\\]{3,})\\*\"|\\*'([^'\n\\]{3,})\\*'|`([^`\n]{3,})`)"
)
_OF_OWNER = rx(rf"(?i)\b(?:for|of|by)[ \t]+{_OWNER}[ \t]*\z")
"""What is quoted behind this is a name."""
_NETRC = rx(
    r"(?im)\blogin[ \t]+\S+[\s\x02]+password[ \t]+(\S+)|^//\S+:_password=(\S+)|\b(?:requirepass|masterauth)[ \t]+(\S+)"
    r"|\bAUTH\b\\*\"?[ \t]+(?:\\*\"?default\\*\"?[ \t]+)?\\*\"?([^\s\x02\"\\]{6,})\\*\"?[ \t]*(?:$|[\x02\"'])"
)
_SET_PASSWORD = rx(
    r"(?i)\bSET[ ]+PASSWORD[ ]+FOR[ ]+\S+[ ]*=[ ]*(?:PASSWORD\()?[\"']([^\"'\n]{3,})"
)
_ETHEREUM = rx(r"(?i)\bprivate[ _\-]?key[\"']?[ ]*[:=][ ]*[\"']?(0x[0-9a-f]{64})\b")
_PHRASE = rx(
    r"(?i)(?:mnemonic|(?:seed|recovery|backup)[ _\-]?phrase)\\*[\"']?[ ]*[:=][ ]*\\*[\"']?"
    r"([a-z]{3,8}(?:[ ,]{1,2}[a-z]{3,8}){11,23})"
)
"""Twelve to twenty-four words, from which a wallet is made."""
_OF_GOOGLE = rx(
    r"(?i:pass|pwd)[\w.\-]*[\"']?[ ]?[=:][ ]?[\"']?([a-z]{4}(?: [a-z]{4}){3})(?:[\"',;\s\x02]|\z)"
)
"""Four times four letters, as Google's passwords for applications are shown."""
_PGPASS = rx(
    r"(?m)(?:^|[\s\"'\x02])[\w.*\-]+:(?:[0-9]{2,5}|\*):[\w*\-]+:[\w*\-]+:([^\s\x02\"'\\]+)(?:$|[\"'\x02\\])"
)
_COMMAND = rx(
    one_of(
        r"\b(?:mysql|mysqldump|mysqladmin|mariadb|mariadb-dump|mysqlimport)\b[^\n|;]*?[ ]-p[\"']?([^\s\x02\"']{3,})",
        r"\b(?:mongo|mongosh|mongodump|mongorestore|docker login|podman login|az login|cqlsh|sqlcmd"
        r"|helm registry login|skopeo login|oras login|influx|ldapsearch|unzip|zip|7z|impala-shell)"
        r"\b[^\n|;]*?[ ]-(?:p|P|w|a)[ ]?[\"']?([^\s\x02\"'\-][^\s\x02\"']{2,})",
        r"::add-mask::([^\s\x02\"']{3,})",
        r"\bsnmp\w*\b[^\n|;]*?[ ]-c[ ]+[\"']?([^\s\x02\"']{3,})",
        r"\bConvertTo-SecureString[ ]+(?:-String[ ]+)?\\*[\"']([^\"'\n\\]{3,})",
        r"\bnet[ ]+use\b[^\n|;]*?/user:\S+[ ]+([^\s\x02\"'/*]{4,})",
        r"\b(?:sqlplus|sqlldr|expdp|impdp|rman)\b[^\n|;]*?[ ][\w$#]+/\"?([^\s\x02\"'@/]{3,})@",
        r"\blftp\b[^\n|;]*?[ ]-u[ ]+[^\s,]+,([^\s\x02\"']{3,})",
        r"\bcmdkey\b[^\n|;]*?[ ]/pass:[\"']?([^\s\x02\"']{3,})",
        r"\bsshpass[ ]+-p[ ]?[\"']?([^\s\x02\"']{3,})",
        r"\bredis-cli\b[^\n|;]*?[ ]-a[ ]+[\"']?([^\s\x02\"']{3,})",
        r"\bhtpasswd\b[^\n|;]*?[ ]-\w*b\w*[ ]+\S+[ ]+\S+[ ]+[\"']?([^\s\x02\"']{3,})",
        r"\bopenssl\b[^\n|;]*?pass:([^\s\x02\"']{3,})",
        r"\bsmbclient\b[^\n|;]*?[ ]-U[ ]?\S+%([^\s\x02\"']{3,})",
        r"\becho(?:[ ]+-\w+)*[ ]+\\*[\"']?([^\s\"'|\\]{6,})\\*[\"']?[ ]*\|[ ]*(?:sudo[ ]+-S|docker login|passwd|gcloud"
        r"[ ]+secrets|gh[ ]+(?:secret|auth)|vault|kubectl|chpasswd)",
        r"\bwpa_passphrase[ ]+\S+[ ]+([^\s\x02\"']{8,})",
    )
)
_CODE = rx(
    r"(?i)\b(?:(?:verification|security|one[ \-]time|2fa|mfa|otp|login|sign[ \-]?in|auth(?:entication)?"
    r"|confirmation|access)[ \-](?:code|pin|password|passcode)|otp|your code)(?:[ ]is|[ ]was)?[ ]?[:=]?[ ]\"?([0-9]{4,8})\b"
)
_CODE_FIRST = rx(
    r"(?i)\b(?:g-)?([0-9]{4,8})[ ]is[ ](?:your|the)[ ](?:[a-z]+[ ]){0,3}(?:code|otp|pin|passcode)\b"
)
_SASL = rx(r"(?i)\bAUTH(?:ENTICATE)?[ ]+(?:PLAIN|LOGIN|XOAUTH2|CRAM-MD5)[ ]+([A-Za-z0-9+/=]{8,})")
_ANYTHING = rx(
    r"(?i)pass|pwd|securestring|net use|sqlplus|snmp|add-mask|phrase|mnemonic|secret|token|key|cred|identified|auth|code|otp|pin\b| -[a-z]|echo |login|:[0-9*]+:[^:\s]*:"
)
_NAMES = (b"pass", b"pwd", b"secret", b"token", b"key", b"credential", b"identified")
_OTHERS = (
    ((b"password", b"requirepass", b"masterauth", b"auth"), _NETRC),
    ((b":",), _PGPASS),
    (
        (b" -", b"pass:", b"echo ", b"wpa_pass", b"net use", b"sqlplus", b"cmdkey", b"add-mask"),
        _COMMAND,
    ),
    ((b"auth",), _SASL),
    ((b"password",), _SET_PASSWORD),
    ((b"pass", b"pwd"), _OF_GOOGLE),
    ((b"0x",), _ETHEREUM),
)
"""Patterns whose groups are passwords, with words that must be there for each."""
_REVERSED = rx(
    r"(?i)(?:^|[\s\"'`(/#;])([^\s\"'`()/#;]{6,})[\"'`]?[ ]is[ ](?:not[ ])?(?:the|my|your|our|a|an|his|her|their)[ ]"
    r"(?:[a-z]+[ ]){0,2}(?:password|passphrase|token|secret|api[ ]key|access[ ]key)\b"
)
_LOGIN = rx(
    r"(?m)(?:^|[>:][ ]|[\x02\"'])(?:\w{1,6}[ ])?(?:LOGIN[ ]+\S+|PASS)[ ]+\"?([^\s\x02\"'./]{6,})\"?[ \t]*(?:$|[\x02\"'])"
)
_QUOTE_MARKS = b"\\\"'`"
_BEHIND_WORD = b".,;:!?)]}\"'"
_PASSWORD = Key("password", Grade.any)
_PASSWORDS = (b"pass", b"pwd", b"requirepass", b"identified")
_PLAIN_WORD = rx(r"[A-Za-z][a-z]*(?:'[a-z]+)?|[A-Z]+")


def find_in_prose(data: bytes) -> Iterator[Span]:
    """``password is x``, ``IDENTIFIED BY 'x'``, ``mysql -px``, netrc and pgpass lines."""
    if _ANYTHING.find(data)[0] < 0:
        return
    lower = data.lower()
    if has_any(lower, *_NAMES):
        yield from _sentences(data)
    for match in _sworn(data, lower):
        if looks_likely(match[1]) or looks_chosen(match[1]) or looks_random(match[1]):
            yield Span(match.start(1), match.end(1), "password")
    for match in _CODE.finditer(data):
        yield Span(match.start(1), match.end(1), "one-time-code")
    for match in _CODE_FIRST.finditer(data) if b" is " in lower else ():
        yield Span(match.start(1), match.end(1), "one-time-code")
    for match in _PHRASE.finditer(data) if has_any(lower, b"mnemonic", b"phrase") else ():
        yield Span(match.start(1), match.end(1), "secret")
    for words, pattern in _OTHERS:
        for match in pattern.finditer(data) if has_any(lower, *words) else ():
            yield from _groups(match)


def _sworn(data: bytes, lower: bytes) -> Iterator[Match]:
    if b" is " in lower:
        yield from _REVERSED.finditer(data)
    if has_any(data, b"LOGIN", b"PASS"):
        yield from _LOGIN.finditer(data)


def _sentences(data: bytes) -> Iterator[Span]:
    for start, end in _SENTENCE_PLACE.places(data):
        match = None if _ends_plainly(data[start:end]) else _SENTENCE.match(data, start)
        if match is None:
            continue
        word = match[2].rstrip(_BEHIND_WORD)
        if _stands_out(match[1].lower(), word):
            yield Span(match.start(2), match.start(2) + len(word), _kind(match[1]))
    for match in _QUOTED.finditer(data):
        group = 2 if match[2] else 3 if match[3] else 4
        value, name = match[group], match[1].lower()
        between = data[match.end(1) : match.start(group)].rstrip(_QUOTE_MARKS)
        if _OF_OWNER.find(between)[0] < 0 and _is_quoted_secret(name, value):
            yield Span(match.start(group), match.end(group), _kind(name))


def _ends_plainly(sentence: bytes) -> bool:
    """Whether it ends with a word such that no end of it stands out."""
    word = sentence.translate(_BEFORE_WORD).rsplit(None, 1)[-1].rstrip(_BEHIND_WORD)
    return word.isalpha() and (word[1:].islower() or word.isupper())


def _groups(match: Match) -> Iterator[Span]:
    for group, value in enumerate(match.groups(), 1):
        if value and is_secret(value, _PASSWORD, quoted=True) and not value.startswith(b"-"):
            yield Span(match.start(group), match.end(group), "password")


def _stands_out(name: bytes, word: bytes) -> bool:
    """Whether a word in a sentence is no word."""
    if is_filled(word) or is_placeholder(word, quoted=False) or _PLAIN_WORD.covers(word):
        return False
    if name.startswith(_PASSWORDS):
        return looks_likely(word) or looks_chosen(word) or looks_random(word)
    return looks_random(word) or (len(word) >= 8 and looks_likely(word) and _mixed(word))  # noqa: PLR2004


def _mixed(word: bytes) -> bool:
    return (
        count_digits(word) > 0
        and any(chr(byte).isalpha() for byte in word)
        and b"/" not in word
        and b"=" not in word
    )


def _is_quoted_secret(name: bytes, value: bytes) -> bool:
    if is_filled(value) or is_placeholder(value, quoted=True):
        return False
    if name.startswith(_PASSWORDS):
        return is_secret(value, _PASSWORD, quoted=True)
    return looks_random(value) or (len(value) >= 8 and looks_likely(value))  # noqa: PLR2004


def _kind(name: bytes) -> str:
    name = name.lower()
    if name.startswith(_PASSWORDS):
        return "password"
    return "api-key" if name.endswith(b"key") else "token" if name == b"token" else "secret"
