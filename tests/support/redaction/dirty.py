"""Lines with a secret in them, as logs, headers, dumps and errors have them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from tests.support.redaction import made
from tests.support.redaction.foreign import make_foreign, make_foreign_people
from tests.support.redaction.varied import make_varied


class Dirty(NamedTuple):
    """A text, what in it must not be seen afterwards, and what kind that is."""

    kind: str
    text: str
    secrets: tuple[str, ...]


ANYWHERE = (
    "2026-03-02T14:05:11.123Z ERROR [worker-3] upstream refused credential {s} (status 401)",
    "{s}",
    "    at Client.connect (/app/src/client.js:41:13) with {s}",
    "Mar  2 14:05:11 web-1 app[311]: retrying with {s}, attempt 2",
    '{{"level":"error","msg":"invalid key {s}","service":"billing-api","ts":1772460311}}',
    '{{"msg":"bad credentials: {s}","headers":{{"x-request-id":"req-8f1c"}}}}',
    "ValueError: could not authenticate using '{s}'",
    "requests.exceptions.HTTPError: 403 for url: https://api.example.com/v1/items?cred={s}",
    "GET /v1/callback?x=1&access_token={s}&page=2 HTTP/1.1 401 12ms",
    "curl -sS -H 'Authorization: Bearer {s}' https://api.example.com/v1/me",
    'curl -H "X-Api-Key: {s}" https://api.example.com/v1/me',
    "export SOME_SERVICE_TOKEN={s}",
    "SOME_SERVICE_TOKEN={s}",
    "token={s}; path=/srv/app",
    "config: {{'token': '{s}', 'retries': 3}}",
    'level=warn msg="auth failed" token={s} dur=12ms',
    "(using {s})",
    "fatal: unable to access: authentication failed for {s}.",
    "time=14:05 user=bob key={s},region=eu-west-1",
    '"{s}",',
    "<credential>{s}</credential>",
    "&Config{{Token:{s} Retries:3}}",
    '{{\\"apiKey\\":\\"{s}\\",\\"region\\":\\"eu\\"}}',
    'panic: auth: token "{s}" rejected',
    "docker run -e API_TOKEN={s} -p 8080:80 acme/app:1.4.2",
    "remote: Invalid credential {s}",
    "\x1b[31mERROR\x1b[0m \x1b[33m{s}\x1b[0m denied",
    "prev={s}\\nnext line",
)
"""Settings for what is known by its own shape."""

NAMED = (
    "{k}={s}",
    "{k}: {s}",
    "{k} = {s}",
    '{k}="{s}"',
    "{k}='{s}'",
    "export {k}={s}",
    '"{k}": "{s}"',
    '{{"a":1,"{k}":"{s}","b":2}}',
    '{{\\"a\\":1,\\"{k}\\":\\"{s}\\",\\"b\\":2}}',
    "{{'user': 'bob', '{k}': '{s}', 'port': 5432}}",
    "'{k}' => '{s}',",
    ':{k}=>"{s}", :port=>5432',
    '  {k}: "{s}"',
    "  - {k}={s}",
    "&{{Host:db.example.com {k}:{s} Port:5432}}",
    "map[{k}:{s} user:bob]",
    "2026-03-02 14:05:11,120 INFO settings loaded: host=db.example.com {k}={s} pool=5",
    "level=info msg=started {k}={s} port=8080",
    "POST /login user=bob&{k}={s}&remember=1",
    "https://app.example.com/cb?state=ok&{k}={s}#done",
    "(host=db.example.com, {k}={s})",
    "connect failed ({k}={s})",
    "Exception: cannot start with {k}={s}.",
    "<{k}>{s}</{k}>",
    '<property name="{k}" value="{s}"/>',
    "./run --{k} {s} --verbose",
    "./run --{k}={s} --verbose",
    "ENV {k}={s}",
    "- name: {k}\n  value: {s}",
    '{{"name":"{k}","value":"{s}"}}',
    "Env:[PATH=/usr/bin {k}={s} HOME=/root]",
    "{k}%3D{u}%26user%3Dbob",
    "Settings({k}='{s}', debug=False)",
    "update config set {k} = '{s}' where id = 7",
    "[{k}] => {s}",
    "('{k}', '{s}')",
    "{k}: '{s}'  # rotated in March",
    "Mar  2 14:05:11 web-1 app[311]: {k}: {s}",
)
"""Settings for what only a name gives away."""

_HEADER_LIKE = (
    "{k}: {s}",
    "-H '{k}: {s}'",
    '"{k}":"{s}"',
    "'{k}': '{s}'",
    "> {k}: {s}",
    "{k}:[{s}]",
)
_SCHEMES = ("postgres", "postgresql", "mysql", "mongodb+srv", "redis", "rediss", "amqp", "amqps",
            "mssql", "clickhouse", "nats", "kafka", "ldap", "smtp", "ftp", "https", "mariadb",
            "postgresql+psycopg2", "cockroachdb", "couchbase", "elasticsearch", "jdbc:mysql")  # fmt: skip


def make_dirty(rng: Random, each: int = 6) -> Iterator[Dirty]:
    """Lines of every kind of credential; `each` for a kind and more for the common ones."""
    for kind, make in made.TOKENS.items():
        for setting in rng.sample(ANYWHERE, each):
            secret = make(rng)
            yield Dirty(kind, setting.format(s=secret), (secret,))
    for kind, (make, names) in made.NAMED.items():
        for _ in range(each * 4):
            secret, name = make(rng), rng.choice(names)
            setting = rng.choice(NAMED)
            if "-" in name and rng.random() < 0.7:
                setting = rng.choice(_HEADER_LIKE)
            text = setting.format(k=name, s=secret, u=made.url_encoded(secret))
            yield Dirty(kind, text, (secret,) if secret in text else (made.url_encoded(secret),))
    for text, secrets in make_varied(rng):
        yield Dirty("varied", text, secrets)
    for kind, text, secrets in make_foreign(rng):
        yield Dirty(kind, text, secrets)
    for make_lines in (
        _dsns,
        _headers,
        _cookies,
        _signed,
        _private_keys,
        _commands,
        _strings,
        _prose,
    ):
        yield from make_lines(rng, each * 2)


def make_people(rng: Random, each: int = 10) -> Iterator[Dirty]:
    """Lines with personal data."""
    settings: dict[str, tuple[str, ...]] = {
        "email": _ABOUT_MAIL, "ipv4": _ABOUT_CLIENT, "ipv6": _ABOUT_CLIENT, "card": _ABOUT_CARD,
        "iban": _ABOUT_IBAN, "phone": _ABOUT_PHONE, "ssn": _ABOUT_SSN,
    }  # fmt: skip
    for kind, texts in settings.items():
        for place in range(each):
            secret = made.PEOPLE[kind](rng)
            yield Dirty(kind, texts[place % len(texts)].format(s=secret), (secret,))
    for text, secrets in make_foreign_people(rng):
        yield Dirty("notation of a country", text, secrets or ("203.0.113.77",))


_ABOUT_MAIL = (
    "user {s} logged in", '{{"email":"{s}","plan":"pro"}}', "To: Jane <{s}>", "mail to {s} bounced.",
    "Author: Jane Doe <{s}>", "duplicate key value: Key (email)=({s}) already exists.",
    "GET /users?email={s}&page=1", "mailto:{s}", "[{s}] quota exceeded", "notify={s}, retry=3",
)  # fmt: skip
_ABOUT_CLIENT = (
    '{s} - - [02/Mar/2026:14:05:11 +0000] "GET / HTTP/1.1" 200 612', "client_ip={s} status=500",
    '{{"remoteAddr":"{s}","path":"/"}}', "X-Forwarded-For: {s}, 10.0.0.4", "request from {s} took 12 ms",
    "Failed password for root from {s} port 52114 ssh2", "srcIp={s} dstPort=443", "[client {s}] denied",
    "rate limit for {s} exceeded", "cf-connecting-ip: {s}",
)  # fmt: skip
_ABOUT_CARD = (
    "charge failed for card {s}", '{{"pan":"{s}","exp":"12/29"}}', "card_number={s}", "paying with {s}.",
    "declined: {s} (insufficient funds)",
)  # fmt: skip
_ABOUT_IBAN = ("IBAN {s}", '{{"iban":"{s}"}}', "payout to {s} failed", "account={s};", "({s})")
_ABOUT_PHONE = (
    "sms to {s} failed", '{{"phone":"{s}"}}', "calling {s}...", "phone_number={s}", "Tel: {s}",
    "contact: {s}, Jane", "tel:{s}", "msisdn={s} status=queued",
)  # fmt: skip
_ABOUT_SSN = ("ssn={s}", '{{"ssn":"{s}"}}', "SSN {s} not found", "social_security_number: {s}")


def _dsns(rng: Random, count: int) -> Iterator[Dirty]:
    settings = (
        "{d}", "DATABASE_URL={d}", 'could not connect to "{d}"', "'url': '{d}',", "dsn={d} pool=5",
        '{{"dsn":"{d}"}}', "OperationalError: (connection to {d} failed)", "url: {d}",
        "2026-03-02T14:05:11Z connecting to {d}...", "fatal: unable to access '{d}/': 403",
    )  # fmt: skip
    for _ in range(count * 2):
        secret = made.password(rng).replace("#", "x").replace("?", "y")
        user = rng.choice(("app", "root", "", "svc_user", "admin@acme"))
        host = rng.choice(
            ("db.example.com:5432", "10.0.0.7", "redis.railway.internal:6379", "localhost")
        )
        dsn = f"{rng.choice(_SCHEMES)}://{user}:{secret}@{host}/main"
        yield Dirty("dsn", rng.choice(settings).format(d=dsn), (secret,))
    for _ in range(count // 2):
        secret = made.draw(rng, "abcdefghijklmnopqrstuvwxyz0123456789", 20)
        yield Dirty("dsn", f"app:{secret}@tcp(db.example.com:3306)/main?parseTime=true", (secret,))
        key = made.hexa(rng, 32)
        yield Dirty("sentry dsn", f"SENTRY_DSN=https://{key}@o12345.ingest.sentry.io/678", (key,))


def _headers(rng: Random, count: int) -> Iterator[Dirty]:
    forms = (
        "Authorization: {v}", '"Authorization":"{v}"', "authorization: {v}", "'Authorization': '{v}'",
        "-H 'Authorization: {v}'", '{{"headers":{{"authorization":"{v}","accept":"*/*"}}}}',
        "> Proxy-Authorization: {v}", "Authorization:[{v}]", "(b'authorization', b'{v}')",
        '{{\\"Authorization\\":\\"{v}\\"}}', "HTTP_AUTHORIZATION={v}", "sent {v} to upstream",
    )  # fmt: skip
    for _ in range(count * 2):
        basic, opaque = made.basic(rng), made.draw(rng, made._URLSAFE, 32)
        scheme, secret = rng.choice((("Basic", basic), ("Bearer", opaque), ("bearer", opaque)))
        yield Dirty("authorization", rng.choice(forms).format(v=f"{scheme} {secret}"), (secret,))
    for _ in range(count // 3):
        signature = made.hexa(rng, 64)
        value = (
            "AWS4-HMAC-SHA256 Credential=app/20260302/eu-west-1/s3/aws4_request, "
            f"SignedHeaders=host;x-amz-date, Signature={signature}"
        )
        yield Dirty("authorization", f"Authorization: {value}", (signature,))


def _cookies(rng: Random, count: int) -> Iterator[Dirty]:
    forms = (
        "Cookie: theme=dark; {n}={s}; lang=en", "Set-Cookie: {n}={s}; Path=/; HttpOnly; SameSite=Lax",
        '"cookie":"{n}={s}; theme=dark"', "'Set-Cookie': '{n}={s}; Path=/'", "cookie={n}={s} status=200",
        "-H 'Cookie: {n}={s}'", "< set-cookie: {n}={s}; Max-Age=3600; Secure",
    )  # fmt: skip
    names = (
        "session",
        "sid",
        "connect.sid",
        "PHPSESSID",
        "JSESSIONID",
        "_app_session",
        "csrftoken",
        "__Secure-auth",
    )
    for _ in range(count):
        secret = made.draw(rng, made._URLSAFE, rng.randint(24, 48))
        yield Dirty("cookie", rng.choice(forms).format(n=rng.choice(names), s=secret), (secret,))


def _signed(rng: Random, count: int) -> Iterator[Dirty]:
    for _ in range(count):
        signature, azure = made.hexa(rng, 64), made.url_encoded(made.base64_key(32)(rng))
        urls = (
            (
                f"https://b.s3.amazonaws.com/k.csv?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}",
                signature,
            ),
            (
                f"https://storage.googleapis.com/b/o?X-Goog-Expires=900&X-Goog-Signature={signature}&x=1",
                signature,
            ),
            (
                f"https://acme.blob.core.windows.net/c/f?sv=2024-01-01&se=2026-03-03&sr=b&sp=r&sig={azure}",
                azure,
            ),
            (
                f"https://cdn.example.com/v.mp4?Expires=1772460311&Signature={signature}&Key-Pair-Id=K1",
                signature,
            ),
        )
        url, secret = rng.choice(urls)
        setting = rng.choice(
            ("GET {u} 200", '"url":"{u}"', "download failed: {u}", "<{u}>", "fetch({u})")
        )
        yield Dirty("signed url", setting.format(u=url), (secret,))


def _private_keys(rng: Random, count: int) -> Iterator[Dirty]:
    prefixes = (
        "",
        "2026-03-02T14:05:11.123Z app[web.1]: ",
        "  ",
        "web-1  | ",
        "Mar  2 14:05:11 host app[3]: ",
    )
    for place in range(count):
        lines = made.pem_lines(rng, rng.choice(("RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED ")))
        secrets = tuple(line for line in lines[1:-1] if len(line) > 12)
        form = place % 5
        if form == 0:
            text = "\\n".join(lines)
            yield Dirty(
                "private key", f'{{"type":"service_account","private_key":"{text}\\n"}}', secrets
            )
        elif form == 1:
            yield Dirty(
                "private key", "\n".join(["key:", *lines[: rng.randint(4, 9)]]), secrets[:3]
            )
        elif form == 2:
            encoded = base64.b64encode("\n".join(lines).encode()).decode()
            yield Dirty("private key", f"tls.key: {encoded}", (encoded, encoded[60:120]))
        else:
            prefix = prefixes[place % len(prefixes)]
            text = "\n".join(f"{prefix}{line}" for line in ["loading key", *lines, "key loaded"])
            yield Dirty("private key", text, secrets)


def _commands(rng: Random, count: int) -> Iterator[Dirty]:
    forms = (
        "mysql -h db -u root -p{s} app", "mysqldump --password={s} app", "PGPASSWORD={s} psql -h db -U app",
        "docker login -u bot -p {s} registry.example.com", "sshpass -p {s} ssh root@10.0.0.4",
        "redis-cli -h cache -a {s} ping", "curl -u bot:{s} https://api.example.com/", 'curl --user "bot:{s}" https://x.example.com',
        "kubectl create secret generic db --from-literal=password={s}", "machine api.example.com login bot password {s}",
        "git clone https://bot:{s}@git.example.com/acme/app.git", "openssl pkcs12 -in a.p12 -passin pass:{s}",
        "//registry.npmjs.org/:_authToken={s}", '["node","app.js","--password","{s}"]',
        "helm upgrade app ./chart --set db.password={s}", "CREATE USER app WITH PASSWORD '{s}';",
        "ALTER USER 'app'@'%' IDENTIFIED BY '{s}'",
    )  # fmt: skip
    for place in range(count * 2):
        secret = made.draw(rng, made._ALNUM, 18)
        yield Dirty("command", forms[place % len(forms)].format(s=secret), (secret,))


def _strings(rng: Random, count: int) -> Iterator[Dirty]:
    forms = (
        "Server=db.example.com;Database=app;User Id=sa;Password={s};Encrypt=true",
        "Driver={{ODBC 18}};Server=db;UID=sa;PWD={s};", "host=db user=app password='{q}' dbname=main",
        "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={b};EndpointSuffix=core.windows.net",
        "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey={b}",
        "jdbc:sqlserver://db:1433;databaseName=app;user=sa;password={s};encrypt=true",
        "jdbc:oracle:thin:scott/{s}@//db:1521/x", "jdbc:postgresql://db/app?user=app&password={s}&ssl=true",
        'org.apache.kafka.common.security.plain.PlainLoginModule required username="app" password="{s}";',
        "amqp.uri=mq.example.com,amqp.password={s},amqp.vhost=/",
    )  # fmt: skip
    for place in range(count * 2):
        secret = made.draw(rng, made._ALNUM, 16)
        spaced = f"{secret[:7]} {secret[7:]}"
        key = made.base64_key(48)(rng)
        text = forms[place % len(forms)].format(s=secret, q=spaced, b=key)
        yield Dirty("connection string", text, tuple(s for s in (secret, spaced, key) if s in text))


def _prose(rng: Random, count: int) -> Iterator[Dirty]:
    forms = (
        "the password is {s}", "Login failed with password '{s}'", 'invalid api key "{s}"', "using token {s} for bob",
        "Incorrect API key provided: {s}.", "password for bob was changed to {s}", "AssertionError: expected password {s}",
        "temporary password: {s}", "secret value `{s}` is not valid", "your new access key is {s}",
    )  # fmt: skip
    for place in range(count):
        secret = made.draw(rng, made._ALNUM, 24)
        yield Dirty("prose", forms[place % len(forms)].format(s=secret), (secret,))


def as_json_log(line: str) -> str:
    """The line as a structured log carries it."""
    return json.dumps({"level": "error", "message": line, "service": "billing-api"})
