"""Whether the value of a telling name is a secret, or a word, a placeholder, a piece of code."""

from __future__ import annotations

import math
from functools import lru_cache

from autofix.redact.keys import Grade, Key, read_key, split_words
from autofix.redact.spans import is_filled, one_of, rx, simple

_PLACEHOLDER = rx(
    "(?i)"
    + one_of(
        r"[*x.•●…_#?\-]+",  # masked, or left open
        r".{0,40}(?:\*{3,}|•{3,}|●{3,}|\.{3}|…).{0,40}",
        r"\$\{[^}]*\}?.{0,40}",
        r"\$\([^)]*\)?",
        r"\$[a-z_]+(?:->\w+|\.\w+|\[.*)?",
        r"\$[0-9]{1,2}",
        r"%[a-z_]+%",
        r"%(?:\([a-z_]\w*\))?[-+#0-9.]*[sdqvrx+]{1,2}",
        r"\{\{.*",
        r"\{(?:[a-z_][\w.]*)?(?:[(\[].*)?(?:![rs])?(?::[^}]{0,8})?\}?",
        r"(?:[a-z][a-z0-9+.\-]{1,30}://|urn:).*",  # an address: other rules look into it
        r"<[^<>]*>?",
        r"&lt;.*",
        r"\[{1,2}[a-z _-]+\]{0,2}",
        r"\{.{0,3}\}|%[sd].*|.*(?:%\(\w+\)s|\{[a-z_][\w.]*\}).*",  # a template
        r"\((?:redacted|filtered|hidden|masked|removed|none|null|empty|unset|not set|set)\)?",
        r"\?",
        r"[:@][a-z_]+",
        r"!(?:vault|secret|include|reference|env|var|ref|sub|getatt|importvalue|encrypted)\S*",
        r"\$ansible_vault;.*",
        r"\$\{?\{.*",
        r"(?:your|my|insert|enter|put|replace)[-_ ][a-z_ -]*",
        r".*[-_](?:here|placeholder|goes_here)",
        r"change[-_ ]?me.{0,4}|changeit|placeholder|example|sample|dummy|todo|tbd|fixme|foobar",
        r"(?:redacted|filtered|hidden|masked|removed|scrubbed|sanitized|omitted|secure)[\]})>]?",
        r"x{4,}.*|.*x{8,}.*",
    )
)
_CODE = rx(
    one_of(
        r"(?:[A-Za-z_]\w*(?:\.|::|->))*[A-Za-z_]{3,}[0-9]{0,3}[(\[].*",  # a call, an index
        r"(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*[(\[].*",
        r"(?:process\.env|os\.environ|import\.meta|ENV|env|secrets|vars?|local|module|config|conf"
        r"|cfg|settings|self|this|options|opts|args|params|props|request|req|ctx|context|app)"
        r"(?:[.\[(?]|->).*",
        r"[a-z_][A-Za-z_]*(?:\??\.[A-Za-z_][A-Za-z_]*)+|[a-z_]\w*(?:\.[A-Za-z_]{4,})+",
        r"\((?:[A-Za-z_][A-Za-z_.]*|-?[0-9]+)",
        r"[&*][a-z_][A-Za-z_.]*",
        r"(?:await|new|lambda|func|function|async|return|typeof)",
        r"[A-Za-z_.$]{3,}\{.*",  # an object as it prints itself
        r"(?:com|org|net|io|dev)\.[a-z][\w./\-]*",
        r"(?:vault|ssm|sops|op|file|kv|gcp|aws|secretsmanager|arn):.*",
        r"projects/[^/]+/secrets/.*",
    )
)
_PATH = rx(r"(?:[A-Za-z]:\\|\.{0,2}/|~/)[A-Za-z_.@-][\w.@+-]*(?:[/\\][A-Za-z_.@-][\w.@+-]*)*/?")
_MEASURE = rx(
    one_of(
        r"[-+]?[0-9]+(?:[.,][0-9]+)?(?:e[-+]?[0-9]+)?",
        r"[-+]?[0-9.,]+ ?(?:[kmgt]?i?b|bytes|chars|ms|us|ns|s|m|h|d|w|y|sec|secs|min|mins|hours|days|%|k|x)",
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.,]+(?:Z|[-+][0-9:]+)?)?",
        r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:[.,][0-9]+)?",
        r"[0-9]+/[0-9]+",
        r"v?[0-9]+(?:\.[0-9]+){1,3}(?:-[a-z]+\.?[0-9]*)?",
    )
)
_STATES = frozenset(
    b"""
    none null nil undefined nan true false yes no on off ok y n void unset set empty blank unknown
    n/a na not_set not-set present absent missing required optional needed expected unexpected
    invalid valid incorrect correct wrong bad good mismatch mismatched rejected refused denied
    forbidden failed failure failing error errors expired expires expiring revoked rotated rotating
    refreshed refreshing verified unverified accepted updated changed change reset created deleted
    generated generating loaded loading found notfound not_found not-found disabled enabled hidden
    redacted masked filtered removed protected secret secrets password passwords token tokens
    string str bytes byte int integer number float bool boolean object type any array list dict map
    text varchar char json uuid date datetime interface struct enum default value values key keys
    authorization credential credentials creds signature username user pass passwd pwd name id path file url uri header headers body query cookie cookies session bearer basic digest
    negotiate ntlm oauth oauth2 apikey api_key jwt saml oidc ldap kerberos mtls tls ssl plain
    md5 scram-sha-256 scram-sha-1 scram_sha_256 trust peer cert scram sha256 sha512 bcrypt argon2
    argon2id pbkdf2 scrypt hs256 rs256 es256 eddsa aes-256-gcm aes256 development production
    staging test local prod dev include same-origin omit sensitive too-short too-long strong weak short long
    """.split()
)
"""What is said about a secret or stands for one."""
_GRAMMAR = frozenset(
    b"""
    is was are were be been being has have had does did do must should shall will would can cannot
    could may might not the a an and or of in at to from for with by as if when then than that this
    these those it its your you my our we us they but so via per due after before during while
    because since until unless only also both either neither each every all some more most less
    too very just already still again no without invalid missing required option options flag flags
    argument arguments parameter parameters
    """.split()
)
"""Words by which prose is known."""
_UUID = rx(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_RANDOM = simple(r"[A-Za-z0-9+/=_\-.~%:]+")
_PARTS = simple(r"[A-Za-z]+|[0-9]+")
_HEXADECIMAL = simple(r"[0-9a-f]+|[0-9A-F]+")
_RUNS = simple(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_LIKELY = simple(r"[!-~]+")
_SYMBOLS = b"!@#$%^&*?~"
_LETTERS = simple(r"[A-Za-z][a-z]*|[A-Z]+")
_IDENTIFIER = simple(r"[A-Za-z_][A-Za-z_.\-]*")
_NAME = rx(r"_?[A-Za-z]+(?:_[A-Za-z]+)+|_[A-Za-z]+|[A-Za-z]+[A-Z][a-z]+[A-Za-z]*")
_VOWEL = rx(r"(?i)[aeiouy]")
_WORD = simple(r"[A-Z]?[a-z]+|[A-Z]+")
_MOST_WORD = 16
_PLAIN = rx(r"[A-Za-z]+-?[0-9]{1,6}|[0-9]+[a-z]{1,6}")
_NAMED = rx(r"(?:[A-Za-z][\w-]*\.)+[A-Za-z]{2,6}(?::[0-9]+)?")
_DIGITS = b"0123456789"
_MEASURE_BEGINS = b"0123456789+-.,vV"
_NO_LETTERS = bytes(byte for byte in range(256) if not chr(byte).isalpha() or byte > 127)  # noqa: PLR2004
_MEASURE_FIRST = frozenset(bytes((byte,)) for byte in _MEASURE_BEGINS)
_MOST_UNIT = 5
"""Letters that a measure can have without a dot."""
_BASE64_MARKS = b"+/="
_MARKS_TO_BLANKS = bytes.maketrans(b"-./:_+=~%", b" " * 9)
_STANDS = frozenset(
    b"changeit placeholder example sample dummy todo tbd fixme foobar redacted filtered hidden"
    b" masked removed scrubbed sanitized omitted secure".split()
)
"""What `_PLACEHOLDER` knows of words alone."""
_DULL = _STATES | _GRAMMAR | _STANDS
OPAQUE = simple(r"[A-Za-z0-9_+/=\-]+")
_DULL_STARTS, _DULL_ENDS = (b"/", b"change", b"projects/"), (b"here", b"placeholder")
"""What a placeholder, a path or a piece of code made of those begins or ends with."""
_KEYWORDS = frozenset(b"await new lambda func function async return typeof".split())
"""What `_CODE` knows of words alone."""
_SHORTEST = 3
_LOOKED_AT = 96
"""Bytes by which a long value is judged."""
_LEAST_RANDOM, _LEAST_HEXADECIMAL, _UUID_SIZE = 16, 20, 36
_MIN_ENTROPY = 2.8
_MIN_RUNS = 4
_MEAN_WORD = 3.6


def is_secret(value: bytes, key: Key, *, quoted: bool) -> bool:
    """Whether a value under such a name has to go."""
    grade = key.grade
    if grade is Grade.random and not looks_random(value) and not _is_secret_id(value, key):
        return False
    if is_filled(value) or is_placeholder(value, quoted=quoted):
        return False
    if grade is Grade.any or grade is Grade.scheme or grade is Grade.cookie:
        human = key.kind in {"password", "secret"}
        if not human and (b" " in value or _is_word(value)):
            return False
        digits = 4 if key.kind == "password" else 6
        return not _is_measure(value, digits) and len(value) >= _SHORTEST
    if grade is Grade.digits:
        return (value.isdigit() and 3 <= len(value) <= 10) or looks_likely(value)  # noqa: PLR2004
    if grade is Grade.person:
        return count_digits(value) >= 4  # noqa: PLR2004
    if grade is Grade.likely:
        return looks_likely(value) or (key.kind == "password" and looks_chosen(value))
    return True


def is_opaque(value: bytes) -> bool:
    """Whether a run of `OPAQUE` is a secret under a name that asks for no more.

    A short cut for most of what is: `is_secret` says the same of it, and of other values.
    """
    if not _SHORTEST <= len(value) <= _LOOKED_AT or not count_digits(value):
        return False
    if value[0] in _MEASURE_BEGINS and len(value.translate(None, _NO_LETTERS)) <= _MOST_UNIT:
        return False
    lower = value.lower()
    if b"xxxx" in lower or lower.strip(b"_") in _DULL:
        return False
    return not lower.startswith(_DULL_STARTS) and not lower.endswith(_DULL_ENDS)


def _is_secret_id(value: bytes, key: Key) -> bool:
    """Vault's ``secret_id`` is a UUID; those of others are names."""
    return key.kind == "secret" and len(value) == _UUID_SIZE and _UUID.covers(value)


def _is_word(value: bytes) -> bool:
    if not value.isalpha() or _WORD.fullmatch(value) is None:
        return False
    return len(value) <= _MOST_WORD + (value[:1].isupper() and value[1:].islower())


def is_placeholder(value: bytes, *, quoted: bool) -> bool:
    """Whether a value stands for a secret, or says something about one."""
    if len(value) > 200:  # noqa: PLR2004
        return False
    bare = value.strip(b" ")
    if bare.isalnum():
        return _is_dull_word(bare, quoted=quoted)
    if bare.translate(None, _BASE64_MARKS).isalnum():
        dull = _is_masked(bare.lower())
    else:
        dull = _says_something(bare)
    return dull or _is_path(bare) or (not quoted and _CODE.covers(bare))


def _is_path(value: bytes) -> bool:
    if b"/" not in value and b"\\" not in value:
        return False
    return _PATH.covers(value) and not looks_random(value.replace(b"/", b""))


def _says_something(bare: bytes) -> bool:
    words = bare.lower().strip(b"._!?,").split(b" ")
    if (words[0] in _STATES and len(words) == 1) or not _GRAMMAR.isdisjoint(words):
        return True
    return _PLACEHOLDER.covers(bare) or _is_name(bare)


def _is_dull_word(word: bytes, *, quoted: bool) -> bool:
    """The same of letters and digits alone, of which no pattern has to be asked."""
    lower = word.lower()
    if lower in _DULL:
        return True
    if _is_masked(lower) or not lower.strip(b"x"):
        return True
    return (word.isalpha() and _is_name(word)) or (not quoted and word in _KEYWORDS)


def _is_masked(lower: bytes) -> bool:
    """What `_PLACEHOLDER` knows of letters, digits and the marks of base64, but for whole words."""
    if lower.startswith(b"changeme"):
        return len(lower) <= 12  # noqa: PLR2004
    return lower.startswith(b"xxxx") or b"xxxxxxxx" in lower


def _is_name(value: bytes) -> bool:
    """The name of a secret in the place of its value, as in ``token=access_token``."""
    if _IDENTIFIER.fullmatch(value) is None:
        return False
    name = value.decode()
    words = split_words(name)
    key = read_key(name) if 1 < len(words) <= len(name) / 3 else None
    return key is not None and key.grade is Grade.any


def reads_as_name(value: bytes) -> bool:
    """Whether this is a name of several words, as code has them: ``next_page``, ``SecretStr``."""
    if not value.replace(b"_", b"").isalpha() or not _NAME.covers(value):
        return False
    words = _RUNS.findall(value)
    mean = sum(map(len, words)) / len(words)
    return mean >= _MEAN_WORD and all(len(w) < 3 or _VOWEL.find(w)[0] >= 0 for w in words)  # noqa: PLR2004


def looks_chosen(value: bytes) -> bool:
    """Whether a person could have chosen this as a password: letters and digits, no measure."""
    digits = count_digits(value)
    return 6 <= len(value) <= 200 and 0 < digits < len(value) and not _is_measure(value)  # noqa: PLR2004


def looks_likely(value: bytes) -> bool:
    """Whether this could be a password or more: no word, no name, no measure."""
    if not 6 <= len(value) <= 200 or _LIKELY.fullmatch(value) is None:  # noqa: PLR2004
        return False
    if _is_measure(value, digits=99) or _is_plain(value) or b"://" in value:
        return False
    has_digit = count_digits(value) > 0
    has_letter = value.lower() != value.upper()
    has_symbol = len(value.translate(None, _SYMBOLS)) < len(value)
    return (has_digit and has_letter and not _is_slug(value)) or (has_letter and has_symbol)


def _is_plain(value: bytes) -> bool:
    """A word with a number, or the name of a host or a field."""
    if value.replace(b"-", b"", 1).isalnum():
        return _PLAIN.covers(value)
    return b"." in value and _NAMED.covers(value)


def looks_random(value: bytes) -> bool:
    """Whether this was drawn and not written: an opaque run that no words make up."""
    value = value[:_LOOKED_AT]
    size = len(value)
    if size < _LEAST_RANDOM or _RANDOM.fullmatch(value) is None or value.startswith(b"0x"):
        return False
    if (size == _UUID_SIZE and _UUID.covers(value)) or _is_measure(value, digits=99):
        return False
    runs = _RUNS.findall(value)
    if len(runs) < _MIN_RUNS or not _is_mixed(value) or _is_slug(value):
        return False
    if size >= _LEAST_HEXADECIMAL and _HEXADECIMAL.fullmatch(value) is not None:
        return True
    words = [run for run in runs if run.isalpha()]
    return sum(map(len, words)) < _MEAN_WORD * len(words)


def _is_mixed(value: bytes) -> bool:
    """Whether its entropy is high enough; often the number of different bytes says so alone."""
    return _surely_mixed(len(value), len(set(value))) or entropy(value) >= _MIN_ENTROPY


@lru_cache(maxsize=_LOOKED_AT**2)
def _surely_mixed(size: int, different: int) -> bool:
    """Whether so many different bytes are enough even when all others are one of them."""
    return entropy(bytes(range(different)) + b"\0" * (size - different)) > _MIN_ENTROPY + 0.01


def count_digits(value: bytes) -> int:
    """How many of the bytes are digits."""
    return len(value) - len(value.translate(None, _DIGITS))


def entropy(value: bytes) -> float:
    """Bits a byte, by how often each occurs in it."""
    total = len(value)
    counts = [value.count(byte) for byte in set(value)]
    return -sum(n / total * math.log2(n / total) for n in counts) if total else 0.0


def _is_measure(value: bytes, digits: int = 4) -> bool:
    """A number, a size, a time, a version; digits alone from so many on may be a secret."""
    if value.isdigit():
        return len(value) < digits
    return value[:1] in _MEASURE_FIRST and _MEASURE.covers(value.lower())


def _is_slug(value: bytes) -> bool:
    """Words and numbers joined by marks, as in ``cache-users-v1``."""
    parts = value.translate(_MARKS_TO_BLANKS).split()
    return all(part.isdigit() or _is_letters(part) or _is_numbered(part) for part in parts)


def _is_letters(part: bytes) -> bool:
    return part.isalpha() and _LETTERS.fullmatch(part) is not None


def _is_numbered(part: bytes) -> bool:
    if len(part) > 12:  # noqa: PLR2004
        return False
    pieces = len(_PARTS.findall(part))
    return pieces <= 2 or (pieces == 3 and len(part) <= 9)  # noqa: PLR2004
