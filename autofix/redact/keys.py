"""What the name of a value says about it: ``dbPassword``, ``X-Api-Key``, ``token_count``.

A name is read as words, whatever joins them. The last word that says something decides, so that
``password_reset_token`` is a token and ``token_endpoint`` is none.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple


class Grade(IntEnum):
    """How much a value must look like a secret to be taken for one."""

    any = 0
    """Whatever is no placeholder."""
    likely = 1
    """What has the look of a password or more."""
    random = 2
    """Only what looks random."""
    scheme = 3
    """An ``Authorization``: a scheme, then the secret."""
    cookie = 4
    """A list of names and values."""
    digits = 5
    """A short code: digits are enough."""
    person = 6
    """Something about a person; anything that is no placeholder."""
    address = 7
    """The address of a client."""


class Key(NamedTuple):
    """What is known of a value by its name."""

    kind: str
    grade: Grade


_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")  # no nesting: linear as well

_PASSWORDS = {
    "password", "passwords", "passwd", "passphrase", "passcode", "pwd", "passwort", "kennwort",
    "contrasena", "senha", "pswd", "passwrd", "requirepass", "masterauth", "userpass", "dbpass",
    "mdp", "motdepasse", "passe", "wachtwoord", "haslo", "parola", "clave", "storepass", "keypass", "rootpass", "adminpass", "psw", "pgpass", "pgpassword",
}  # fmt: skip
_SHORT_PASSWORDS = {"pass", "pw"}
_PASSWORD_OWNERS = {
    "db", "database", "user", "root", "admin", "my", "mysql", "pg", "postgres", "postgresql",
    "redis", "mongo", "mongodb", "rabbitmq", "amqp", "smtp", "mail", "email", "imap", "pop", "ftp",
    "sftp", "ssh", "ldap", "proxy", "app", "api", "account", "http", "basic", "auth", "service",
    "store", "key", "keystore", "truststore", "default", "initial", "temp", "login", "registry",
    "docker", "git", "elastic", "kafka", "sasl", "vault", "wifi", "vpn", "sudo", "os", "client",
}  # fmt: skip
_SECRETS = {"secret", "secrets", "mnemonic", "privkey", "psk"}
_COMMUNITIES = {"community", "communitystring"}
_TOKENS = {"token", "jwt", "bearer", "authtoken", "accesstoken", "pat", "oauthtoken"}
_CREDENTIALS = {"credential", "credentials", "creds", "cred"}
_JOINED_KEYS = {
    "apikey", "accesskey", "secretkey", "privatekey", "authkey", "masterkey", "signingkey",
    "encryptionkey", "appkey", "licensekey", "sharedkey", "accountkey", "storagekey",
}  # fmt: skip
_KEY_OWNERS = {
    "api", "access", "secret", "private", "signing", "sign", "encryption", "encrypt", "encrypted",
    "decryption", "master", "auth", "account", "shared", "license", "licence", "hmac", "jwt",
    "webhook", "security", "preshared", "pre", "symmetric", "aes", "cipher", "subscription", "deploy", "admin", "ssh",
    "rsa", "pgp", "gpg", "functions", "function", "consumer", "server", "session", "crypto",
    "fernet", "service", "app", "application", "client", "integration", "ingest", "ingestion",
    "insert", "write", "read", "project", "developer", "user", "host", "wallet", "rapidapi",
}  # fmt: skip
_PUBLIC_OWNERS = {
    "public", "pub", "primary", "foreign", "partition", "sort", "routing", "cache", "idempotency",
    "object", "bucket", "row", "map", "dict", "group", "shard", "range", "index", "unique",
    "composite", "natural", "config", "feature", "lookup", "dedup", "deduplication", "message",
    "registry", "translation", "label", "column", "field", "json", "sequence", "schema", "hot",
    "issue", "locale", "i18n", "lock", "queue", "job", "event", "search", "hash", "rate", "limit",
    "metric", "flag", "property", "item", "entity", "record", "document",
    "concurrency", "artifact", "task", "flow", "nonce", "publishable", "site", "etag", "resource",
    "state", "data", "business", "surrogate", "resume", "sticky", "correlation", "trace",
    "redis", "blob", "file", "arrow", "enter", "escape", "shift", "num",
}  # fmt: skip
_SESSIONS = {
    "jsessionid", "phpsessid", "sessionid", "sessid", "asessionid", "cfid", "cftoken", "xsrf",
    "csrf", "csrfmiddlewaretoken", "connectsid", "sessiontoken", "aspsessionid", "sid",
}  # fmt: skip
_CODES = {"otp", "totp", "cvv", "cvc", "mfa"}
_SIGNATURES = {"sig", "signature", "hmac"}
_QUALIFIERS = {
    "value", "val", "raw", "plain", "plaintext", "cleartext", "clear", "text", "hash", "hashed",
    "digest", "encrypted", "encoded", "enc", "b", "hex", "str", "string", "bytes",
    "old", "new", "current", "previous", "prev", "next", "confirm", "confirmation", "confirmed",
    "repeat", "again", "retype", "verify", "default", "data", "header", "primary", "secondary",
    "live", "test", "prod", "production", "staging", "stage", "dev", "sandbox", "main", "backup",
    "salt", "input", "param", "env", "json", "key", "base",
}  # fmt: skip
"""Words behind the deciding one that change nothing."""
_ABOUT = {
    "count", "counts", "type", "types", "kind", "length", "len", "size", "limit", "limits", "max",
    "min", "maximum", "minimum", "expiry", "expires", "expired", "expire", "expiration", "exp",
    "ttl", "age", "lifetime", "url", "uri", "urls", "endpoint", "name", "names", "field", "fields",
    "id", "ids", "uuid", "guid", "path", "file", "files", "filename", "dir", "folder", "policy",
    "policies", "status", "state", "valid", "validity", "validation", "enabled", "disabled",
    "required", "strength", "reset", "resets", "changed", "change", "updated", "update", "created",
    "at", "time", "timestamp", "date", "version", "format", "algorithm", "alg", "algo", "method",
    "mode", "provider", "providers", "manager", "store", "service", "rotation", "rotated", "usage",
    "used", "budget", "rate", "per", "cost", "window", "hint", "prompt", "label", "title",
    "placeholder", "error", "errors", "attempts", "attempt", "failures", "failed", "failure",
    "check", "checks", "match", "matches", "verified", "ref", "refs", "reference", "arn", "prefix",
    "suffix", "source", "scope", "scopes", "issuer", "audience", "generator", "encoder",
    "validator", "hasher", "schema", "class", "index", "position", "pos", "offset", "line",
    "column", "seconds", "second", "sec", "ms", "minute", "minutes", "hours", "days", "stdin",
    "auth", "authentication", "only", "less", "bucket", "ring", "server", "host", "port", "user",
    "username", "login", "family", "set", "exists", "missing", "present", "found", "invalid",
    "request", "requests", "response", "handler", "helper", "util", "utils", "controller", "view",
    "form", "page", "link", "email", "mail", "middleware", "guard", "interceptor", "test", "tests",
    "stream", "parser", "lexer", "kinds", "map", "list", "array", "cache", "queue", "table",
    "engine", "backend", "mount", "mounts", "volume", "operator", "scanner", "scanning", "scan",
    "rotate", "expiresin", "hits", "total", "sum", "avg", "ratio", "percent", "level", "message",
    "msg", "code", "codes", "reason", "description", "comment", "note", "doc", "docs",
}  # fmt: skip
"""Words that make a name one about a secret, not of it."""
_NOT = {"no", "without", "disable", "skip", "ask", "show", "hide", "has", "have", "is", "needs",
        "require", "requires", "use", "uses", "allow", "enable", "with", "forgot", "forgotten",
        "invalid", "wrong", "bad", "incorrect", "missing", "unexpected", "expected", "max", "min",
        "num", "prompt", "completion", "total", "public", "publishable"}  # fmt: skip
_PEOPLE = {
    "phone": "phone", "phonenumber": "phone", "mobile": "phone", "cellphone": "phone",
    "telephone": "phone", "tel": "phone", "msisdn": "phone", "fax": "phone", "whatsapp": "phone",
    "telefon": "phone", "ssn": "ssn", "passport": "passport", "iban": "iban",
    "dob": "birth-date", "birthdate": "birth-date", "birthday": "birth-date",
    "dateofbirth": "birth-date", "cardnumber": "card", "ccnumber": "card", "creditcard": "card",
    "nino": "national-id", "nationalid": "national-id", "taxid": "tax-id",
}  # fmt: skip
_PEOPLE_PAIRS = {
    ("social", "security"): "ssn", ("passport", "number"): "passport", ("passport", "no"): "passport",
    ("passport", "id"): "passport", ("national", "id"): "national-id", ("tax", "id"): "tax-id",
    ("tax", "number"): "tax-id", ("birth", "date"): "birth-date", ("of", "birth"): "birth-date",
    ("card", "number"): "card", ("card", "no"): "card", ("credit", "card"): "card",
    ("phone", "number"): "phone", ("mobile", "number"): "phone", ("phone", "no"): "phone",
    ("mobile", "phone"): "phone", ("cell", "phone"): "phone", ("contact", "number"): "phone",
    ("account", "number"): "account-number", ("driver", "license"): "license-number",
    ("drivers", "license"): "license-number", ("license", "number"): "license-number",
    ("insurance", "number"): "national-id", ("security", "number"): "ssn",
}  # fmt: skip
_CLIENTS = {
    "clientip", "client_ip", "remoteip", "sourceip", "srcip", "userip", "realip", "peerip",
    "visitorip", "xff", "clientaddr", "clientaddress", "customerip", "ipaddress",
}  # fmt: skip
_CLIENT_PAIRS = {
    ("client", "ip"), ("remote", "ip"), ("source", "ip"), ("src", "ip"), ("user", "ip"),
    ("real", "ip"), ("connecting", "ip"), ("visitor", "ip"), ("forwarded", "for"),
    ("client", "addr"), ("client", "address"), ("login", "ip"), ("customer", "ip"),
    ("caller", "ip"), ("viewer", "ip"),
}  # fmt: skip
_BY_WORD: dict[str, Key] = {
    **dict.fromkeys(_PASSWORDS, Key("password", Grade.any)),
    **dict.fromkeys(_SECRETS, Key("secret", Grade.any)),
    **dict.fromkeys(_COMMUNITIES, Key("secret", Grade.likely)),
    **dict.fromkeys(_TOKENS, Key("token", Grade.any)),
    **dict.fromkeys(_CREDENTIALS, Key("credentials", Grade.likely)),
    **dict.fromkeys(_JOINED_KEYS, Key("api-key", Grade.any)),
    **dict.fromkeys(_SESSIONS, Key("session", Grade.random)),
    **dict.fromkeys(_CODES, Key("one-time-code", Grade.digits)),
    **dict.fromkeys(_SIGNATURES, Key("signature", Grade.random)),
    "tokens": Key("token", Grade.random),
    "key": Key("api-key", Grade.random),
    "keys": Key("api-key", Grade.random),
    "session": Key("session", Grade.random),
    "sess": Key("session", Grade.random),
    "auth": Key("auth", Grade.random),
    "salt": Key("salt", Grade.random),
    "cookie": Key("cookie", Grade.random),
}
_SUFFIXES = (
    ("password", "password"), ("passwd", "password"), ("passphrase", "password"),
    ("pwd", "password"), ("secret", "secret"), ("apikey", "api-key"), ("accesskey", "api-key"),
    ("secretkey", "secret"), ("privatekey", "private-key"), ("token", "token"),
)  # fmt: skip


def split_words(name: str) -> list[str]:
    """The words of a name, lower-case: ``dbPassword2`` is db, password and 2."""
    return [word.lower() for word in _SPLIT.findall(name)]


@lru_cache(maxsize=4096)
def read_key(name: str) -> Key | None:
    """What a name says of its value; None when it says nothing about secrets or people."""
    words = split_words(name)
    if not words:
        return None
    return _whole(words) or _person(words) or _by_last_word(words)


def _whole(words: list[str]) -> Key | None:
    """Names that are known as they stand."""
    joined = "".join(words)
    if joined.endswith(("authorization", "authenticationheader")) and "type" not in words:
        return Key("authorization", Grade.scheme)
    if joined in {"cookie", "setcookie", "cookies", "httpcookie", "requestcookie"}:
        return Key("cookie", Grade.cookie)
    if joined in {"privatekeyid", "secretid", "samlresponse", "samlrequest", "clientassertion"}:
        return Key("secret", Grade.random)
    if joined in {"xhoneycombteam", "recoveryphrase", "seedphrase", "recoverycode", "backupcode"}:
        return Key("secret", Grade.any)
    if joined in {"verificationcode", "onetimecode", "securitycode", "onetimepasscode"}:
        return Key("one-time-code", Grade.digits)
    if joined in {"pincode", "pin", "cardpin"}:
        return Key("pin", Grade.digits)
    if joined in {
        "authorizationcode",
        "devicecode",
        "authcode",
        "oauthcode",
        "oauthverifier",
        "codeverifier",
    }:
        return Key("oauth-code", Grade.likely)
    return None


def _person(words: list[str]) -> Key | None:
    while len(words) > 1 and words[-1].isdigit():
        words = words[:-1]
    kind = _PEOPLE.get(words[-1]) or _PEOPLE.get("".join(words))
    if kind is None and len(words) > 1:
        kind = _PEOPLE_PAIRS.get((words[-2], words[-1]))
    if kind is not None:
        return Key(kind, Grade.person)
    if "".join(words) in _CLIENTS or tuple(words[-2:]) in _CLIENT_PAIRS:
        return Key("ip-address", Grade.address)
    return None


def _by_last_word(words: list[str]) -> Key | None:
    if words[0] in _NOT and len(words) > 1:
        return None
    at = len(words)
    while at:
        word, before = words[at - 1], words[at - 2] if at > 1 else ""
        found = _deciding(word, before, words[:at])
        if found is not None:
            return found if at == len(words) else _weaken(found, words[at:])
        if word in _ABOUT:
            return None
        if at < len(words) and word in _PUBLIC_OWNERS and words[at] == "key":
            return None
        at -= 1
    return None


def _weaken(key: Key, rest: list[str]) -> Key:
    """A secret word with others behind it: the others must not be about something else."""
    if all(word in _QUALIFIERS or word.isdigit() for word in rest):
        return key
    return Key(key.kind, max(key.grade, Grade.likely)) if key.grade <= Grade.random else key


def _deciding(word: str, before: str, words: list[str]) -> Key | None:
    """What this word decides; `words` are those up to it."""
    if word in _SHORT_PASSWORDS:
        return Key("password", Grade.any if before in _PASSWORD_OWNERS else Grade.likely)
    if word in {"key", "keys"} and len(words) > 1:
        return _key_of(before)
    if word == "id" and before in {"session", "sess"}:
        return Key("session", Grade.random)
    if word in {"secret", "secrets"} and before == "pull":
        return None  # Kubernetes: the names of those that pull an image
    return _BY_WORD.get(word) or _by_suffix(word)


def _key_of(before: str) -> Key | None:
    if before in _KEY_OWNERS:
        return Key("private-key" if before == "private" else "api-key", Grade.any)
    if before in _PUBLIC_OWNERS:
        return None
    if before in _TOKENS | _SECRETS | _PASSWORDS:
        return None  # the word before decides
    return Key("api-key", Grade.random)


def _by_suffix(word: str) -> Key | None:
    for suffix, kind in _SUFFIXES:
        if len(word) > len(suffix) and word.endswith(suffix):
            return Key(kind, Grade.any)
    return None
