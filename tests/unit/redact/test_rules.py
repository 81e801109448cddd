"""One case a rule: what goes, and what stays beside it. Removing the rule turns its case red."""

from __future__ import annotations

from random import Random

import pytest

from autofix.redact import redact
from autofix.redact.spans import RuleSet, rx
from autofix.redact.vendors import PREFIXED
from tests.support.redaction import made
from tests.support.redaction.varied import make_varied

RNG = Random(23)
T = made.draw(RNG, made._ALNUM, 32)
P = "violet-Anchor-dune77"
"""A password of words, which looks like a slug."""
LETTERS = "hunterofpeaches"
MIXED = "QgscVKXShTDchqXkDlbccFNO"
U = made.make_uuid(RNG)
HEX = made.hexa(RNG, 40)
SPARSE = "9" + "8" * 6 + "dcba" + "7" * 8 + "fe" + "6" * 7 + "a1b2"
"""Hexadecimal in long runs, which only its alphabet gives away."""
BASIC = made.basic(RNG)
TOKEN = made.TOKENS["stripe"](RNG)
PEM = made.pem_lines(RNG)
KEY64 = made.base64_key(48)(RNG)

GOES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    # name: text, what goes, what stays
    "a list under a name": (f'"api_keys": ["{T}", "{HEX}"], "n": 1', (T, HEX), ('"n": 1',)),
    "a bare list": (f"Headers=map[X-Api-Key:[{T}] Accept:[*/*]]", (T,), ("Accept:[*/*]",)),
    "braces of a connection string": (f"PWD={{a;{P}}};Database=app", (P,), ("Database=app",)),
    "a YAML block": (f"password: |\n  {LETTERS}\n  {P}\nport: 5432", (LETTERS, P), ("port: 5432",)),
    "an element with attributes": (f'<Password Type="text">{P}</Password>', (P,), ("</Password>",)),
    "an element over lines": (f"<token>\n  {P}\n</token>", (P,), ("</token>",)),
    "a type between": (f'let apiToken: String? = "{T}"', (T,), ("let apiToken: String? = ",)),
    "a pair of name and value": (f"- name: DB_PASSWORD\n  value: {P}\n- x", (P,), ("- x",)),
    "a pair in an argument": (f"cfg.set('password', '{P}')", (P,), ("cfg.set(",)),
    "a row of a table": (f" db_password | {P}", (P,), (" db_password | ",)),
    "a setter": (f'config.setPassword("{LETTERS}")', (LETTERS,), ("config.",)),
    "a flag": (f"run --db-password {LETTERS} --verbose", (LETTERS,), ("--verbose",)),
    "a flag in a list": (f'["app","--token","{T}","-v"]', (T,), ('"-v"',)),
    "an instruction of an image": (f"ENV DB_PASSWORD {P}", (P,), ("ENV DB_PASSWORD ",)),
    "a value with a quote": (f"password=ab'{P} port=1", (P,), ("port=1",)),
    "a value before another": (f"amqp.password={P},amqp.vhost=/", (P,), ("amqp.vhost=/",)),
    "a value in brackets": (f"(token={T}). Next", (T,), ("). Next",)),
    "a query": (f"/x?auth_token={T}&page=2#top", (T,), ("&page=2#top",)),
    "a fragment": (f"/cb#access_token={T}&token_type=bearer", (T,), ("token_type=bearer",)),
    "sparse hexadecimal": (f"X-Functions-Key: {SPARSE}", (SPARSE,), ()),
    "a key of an account": (f"auth={BASIC} x", (BASIC,), (" x",)),
    "a scheme with fields": (
        f'Authorization: Digest username="bob", response="{HEX[:32]}"',
        (HEX[:32],),
        ("Authorization: Digest ",),
    ),
    "a scheme and one secret": (f"authorization: Token {T}, accept=*/*", (T,), (", accept=*/*",)),
    "no scheme": (f"Authorization: {T} trailing", (T,), ("trailing",)),
    "a bearer in a sentence": (f"got Bearer {T} from", (T,), ("got Bearer ", " from")),
    "cookies and their attributes": (
        f"Set-Cookie: sid={T}; Path=/x; HttpOnly; Max-Age=60",
        (T,),
        ("; Path=/x; HttpOnly; Max-Age=60",),
    ),
    "one of many cookies": (f"Cookie: a=1; sid={T}; b=2 ", (T,), ("Cookie: a=", "; sid=")),
    "a cookie alone": (f'"cookie":"{T}"', (T,), ()),
    "a quoted password in a sentence": (f"with password '{P}' again", (P,), ("again",)),
    "a login line": (f"machine h login bob password {LETTERS}", (LETTERS,), ("login bob",)),
    "a password for somebody": (f"SET PASSWORD FOR app = '{LETTERS}'", (LETTERS,), ("app",)),
    "a line of pgpass": (f"db.example.com:5432:app:bob:{LETTERS}", (LETTERS,), (":app:bob:",)),
    "a code": ("your verification code is 482913 today", ("482913",), ("today",)),
    "a code by name": ("otp=482913 ok", ("482913",), (" ok",)),
    "an authentication of a mail server": (f"AUTH PLAIN {BASIC}", (BASIC,), ("AUTH PLAIN ",)),
    "a login of a mail server": (f"a1 LOGIN bob {T}", (T,), ("LOGIN bob ",)),
    "what is the password": (f"{T} is the new password", (T,), (" is the new password",)),
    "a command": (f"mysql -u root -p{LETTERS} app", (LETTERS,), ("mysql -u root -p",)),
    "a user of curl": (f"curl -u bot:{LETTERS} https://x.example", (LETTERS,), ("curl -u bot:",)),
    "a password with every mark": (
        "postgres://app:p@s/s?w:0rd#x@db.example.com:5432/main",
        ("p@s/s", "0rd"),
        ("postgres://app:", "@db.example.com:5432/main"),
    ),
    "a password on the web": (
        f"https://bot:{P}@h.example/p?mail=a",
        (P,),
        ("@h.example/p?mail=a",),
    ),
    "a token for a user": (f"https://{TOKEN}@git.example/a.git", (TOKEN,), ("@git.example/a.git",)),
    "a user that could be one": (
        f"https://{'Peach' * 5}9@git.example/a.git",
        ("PeachPeach",),
        ("git.example",),
    ),
    "a mail address for a user": (
        f"smtp://jane@example.com:{P}@m.example",
        (P, "jane@"),
        ("@m.ex",),
    ),
    "without a scheme": (f"app:{LETTERS}@tcp(db:3306)/main", (LETTERS,), ("@tcp(db:3306)/main",)),
    "of Oracle": (f"jdbc:oracle:thin:scott/{LETTERS}@//db:1521/x", (LETTERS,), ("thin:scott/",)),
    "a signature": (f"/k?X-Amz-Signature={HEX}&x=1", (HEX,), ("&x=1",)),
    "a link": (f"GET /reset-password/{T} 200", (T,), ("GET /reset-password/", " 200")),
    "a pair of AWS": (f"using {made.aws_id(RNG)} with {KEY64[:40]} now", (KEY64[:40],), (" now",)),
    "a token behind an escape": (f"x%20{TOKEN}%20y", (TOKEN,), ("x%20", "%20y")),
    "a token behind a line break": (f'"a\\n{TOKEN}\\nb"', (TOKEN,), ('"a\\n', '\\nb"')),
    "a token behind a colour": (f"\\u001b[33m{TOKEN}\\u001b[0m", (TOKEN,), ()),
    "a block": ("\n".join(["a", *PEM, "b"]), tuple(PEM[1:-1]), ("a\n", "\nb")),
    "a block without its end": (
        "\n".join(["a", *PEM[:5], "", "b c d"]),
        tuple(PEM[1:5]),
        ("b c d",),
    ),
    "a block without its beginning": ("\n".join([*PEM[3:], "b"]), tuple(PEM[3:-1]), ("\nb",)),
    "a block with others between": (
        "\n".join([PEM[0], PEM[1], "GET /x 200 in 12 ms", *PEM[2:]]),
        tuple(PEM[1:-1]),
        ("GET /x 200 in 12 ms",),
    ),
    "a block in fields of JSON": (
        "\n".join(f'{{"m":"{line}","n":1}}' for line in PEM),
        tuple(PEM[1:-1]),
        ('"n":1',),
    ),
    "a block of PuTTY": (
        f"Private-Lines: 2\n{KEY64}\n{KEY64[::-1]}\nPrivate-MAC: ab",
        (KEY64, KEY64[::-1]),
        ("Private-Lines: 2", "Private-MAC: ab"),
    ),
    "a key with headers": (
        "\n".join([PEM[0], "Proc-Type: 4,ENCRYPTED", "", *PEM[1:]]),
        tuple(PEM[1:-1]),
        (),
    ),
    "an address by name": ("client_ip=10.1.2.3 x", ("10.1.2.3",), (" x",)),
    "an address in a list": ("X-Forwarded-For: 203.0.113.9, 10.1.2.3", ("203.0.113.9",), ()),
    "an address": ("from 203.0.113.9:5120 to", ("203.0.113.9",), (":5120 to",)),
    "a newer address": ("from [2001:db8::8a2e:370] to", ("2001:db8::8a2e",), ("] to",)),
    "a card by name": ("card id: 4111111111111111", ("4111111111111111",), ("card id: ",)),
    "a telephone by name": ("msisdn 491701234567 ok", ("491701234567",), (" ok",)),
    "a national telephone": ("Tel: 0170 1234567.", ("1234567",), ("Tel: ",)),
    "an encoded telephone": ("To=%2B14155550123&b", ("14155550123",), ("&b",)),
    "social security": ("paid 123-45-6789 today", ("123-45-6789",), ("today",)),
    "a value behind an anchor": (f"password: &pw {T}\nb: *pw", (T,), ("b: *pw",)),
    "a value behind a tag of YAML": (f'password: !!str "{T}"', (T,), ("!!str",)),
    "an escaped sign of equality": (f"jdbc.password\\={T}", (T,), ()),
    "a block of YAML in JSON": (f'"secret: >-\\n  {T}\\nnext: 1"', (T,), ("next: 1",)),
    "a field of a struct": (f"&{{User:app Pass:{T} SSL:true}}", (T,), ("SSL:true",)),
    "a part of a form": (
        f'form-data; name="password"\n\n{LETTERS}\n--x',
        (LETTERS,),
        ("\n--x",),
    ),
    "a value of LDIF": (f"userPassword:: {BASIC}", (BASIC,), ()),
    "a key of Azure": (
        f'{{"keyName":"key1","permissions":"FULL","value":"{KEY64}"}}',
        (KEY64,),
        ('"permissions":"FULL"',),
    ),
    "a secret id of Vault": (f'{{"role_id":"{U[::-1]}","secret_id":"{U}"}}', (U,), (U[::-1],)),
    "a personal access token by name": (f"EXT_PAT={T}", (T,), ()),
    "a verifier": (f"code_verifier={T}", (T,), ()),
    "an unseal key": (f"Unseal Key 1: {KEY64[:44]}", (KEY64[:44],), ("Unseal Key 1: ",)),
    "four times four letters": ("SMTP_PASSWORD=qzkw vbnm lkjh gfds", ("vbnm", "gfds"), ()),
    "a password of a user who is quoted too": (
        f"password of user 'alice' is '{P}'",
        (P,),
        ("password of user 'alice' is '",),
    ),
    "a client of the sixth version behind its name": (
        "client_ip:2a02:8109:9ac0::5 port",
        ("2a02:8109:9ac0::5",),
        ("client_ip:", " port"),
    ),
    "a password of letters in a sentence": (
        f"the password is {MIXED}",
        (MIXED,),
        ("the password is ",),
    ),
    "a secure string": (f'ConvertTo-SecureString "{LETTERS}" -Force', (LETTERS,), (" -Force",)),
    "a share": (f"net use Z: //srv/x /user:bob {LETTERS}", (LETTERS,), ("/user:bob ",)),
    "a stored login": (f"cmdkey /add:srv /user:bob /pass:{LETTERS}", (LETTERS,), ("/user:bob",)),
    "a login of Oracle": (f"sqlplus scott/{LETTERS}@//db/x", (LETTERS,), ("scott/", "@//db/x")),
    "a login of lftp": (f"lftp -u bob,{LETTERS} sftp://h", (LETTERS,), ("bob,", " sftp://h")),
    "a quoted password of mysql": (f"mysql -uroot -p'{LETTERS}' app", (LETTERS,), ("' app",)),
    "a login over lines": (f"login bob\n  password {LETTERS}", (LETTERS,), ("login bob",)),
    "a masked value": (f"::add-mask::{LETTERS}", (LETTERS,), ("::add-mask::",)),
    "a community of SNMP": (f"snmpget -v2c -c {LETTERS} 10.0.0.1", (LETTERS,), (" 10.0.0.1",)),
    "a community by name": (f"community: {T}", (T,), ("community: ",)),
    "a key of Ethereum": (f"private key: 0x{HEX[:24]}{HEX}", (HEX,), ("private key: ",)),
    "words of a wallet": (
        "seed phrase: " + "legal winner thank year wave sausage " * 2,
        ("legal winner", "wave sausage"),
        ("seed phrase: ",),
    ),
    "a bare setting": (f'storePassword "{LETTERS}"', (LETTERS,), ("storePassword ",)),
    "a code before its name": ("482913 is your verification code", ("482913",), (" is your",)),
    "no valid token": (f"{T} is not a valid token", (T,), (" is not a valid token",)),
    "a password in French": (f"mot_de_passe={LETTERS}", (LETTERS,), ("mot_de_passe=",)),
    "a password in Russian": (f"пароль: {LETTERS}", (LETTERS,), ("пароль: ",)),
    "a password in Chinese": (f"密码\uff1a{LETTERS}", (LETTERS,), ("密码",)),
    "a telephone in pairs": ("phone: 06 12 34 56 78", ("34 56 78",), ("phone: ",)),
    "a telephone with an area": ("phone: (020) 7946 0958", ("7946",), ("phone: ",)),
    "social security by name": ("SSN: 123 45 6789", ("123 45",), ("SSN: ",)),
}

STAYS = (
    "password: !vault |",
    "password: $ANSIBLE_VAULT;1.1;AES256",
    f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-{HEX[:6]}",
    f"cache key: v1-deps-{HEX}",
    f"Cache hit for key: Linux-node-{HEX}",
    "pass: 3m20s",
    "cipher: chacha20-poly1305@openssh.com",
    "sum=+1234567890",
    'mySecret "db"',
    "password policy is the law",
    "lint:ok pass:12",
    "at (020) 7946 0958",
    "connect to 203.0.113.9:5432 failed",
    "dial tcp 198.51.100.7:443: i/o timeout",
    'upstream_addr="203.0.113.9:8080" status=502',
    "GET http://203.0.113.9:8080/healthz 200",
    "route 203.0.113.0/24 via 10.0.0.1",
    "network 203.0.113.0 is up",
    "driver version 120.31.99.41",
    "libfoo-101.52.33.44.tar.gz",
    "Agent/99.44.33.55 (Linux)",
    "oid 203.55.44.33.22",
    "sms gateway answered in 0049 ms",
    "git@git.example.com:acme/app.git",
    "rsync deploy@host.example.com:/srv/app .",
    "postgres://app@db.example.com/main",
    "foo@1.2.3.example",
    "span_id=4111111111111111 ok",
    "order 4111111111111112",
    "a4111111111111111",
    "+1200300400 bytes",
    "build 2024-555-0143-x",
    "id=555-123-4567-8901",
    "x1+14155550123",
    "1123-45-6789",
    "page_token=next_page, size=2",
    "password: SecretStr = Field()",
    "(token: Optional[str])",
    "api_key=key_from_vault)",
    "password={password!r}",
    "password=Password{length=12}",
    "login failed: wrong password, 3 attempts",
    "password is required",
    "password_file: /run/secrets/db_password",
    "password: 30s",
    "token: 12.5%",
    f"session={U} started",
    "user=x pass=true",
    "PASS: TestLogin2 (0.01s)",
    "secret santa is on 2026-12-06",
    "https://continuous-integration@git.example.com/a.git",
    "https://app:8080/x?mail=a@b",
    "https://app:${PASSWORD}@h.example/",
    "code=E11000 state=open",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
    '<input type="password" name="password">\nnext line here',
    "Authorization: <token>\nnext=1",
)  # fmt: skip


@pytest.mark.parametrize("name", list(GOES))
def test_goes(name: str) -> None:
    """What is secret goes, and nothing that stands beside it."""
    text, secrets, kept = GOES[name]
    out = redact(text)
    assert [secret for secret in secrets if secret in out] == []
    assert [part for part in kept if part not in out] == []
    assert redact(out) == out


@pytest.mark.parametrize("text", STAYS)
def test_stays(text: str) -> None:
    """Near misses of the same rules."""
    assert redact(text) == text


@pytest.mark.parametrize("before", ["", " ", "x", "_", "é", "«"])
def test_the_first_rule_that_matches_tells_the_kind(before: str) -> None:
    """Asked all at once, as one after the other."""
    rules = [rx(pattern) for _, pattern in PREFIXED]
    together = RuleSet(pattern for _, pattern in PREFIXED)
    for make in made.TOKENS.values():
        data = f"{before}{make(RNG)} end".encode()
        at = len(before.encode())
        ends = [rule.end(data, at) for rule in rules]
        first = next((place for place, end in enumerate(ends) if end >= 0), -1)
        assert together.first(data, at) == (first, ends[first] if first >= 0 else -1)


def test_no_notation_is_unknown() -> None:
    """Of some three hundred notations none leaks what is drawn for it, of two draws."""
    draws = [list(make_varied(Random(seed))) for seed in (1, 2)]
    leaked = [
        {
            place
            for place, (text, secrets) in enumerate(draw)
            if any(s in redact(text) for s in secrets)
        }
        for draw in draws
    ]
    assert [draws[0][place][0] for place in leaked[0] & leaked[1]] == []
