"""Secrets that never were: one generator a kind, so that no credential stands in the tree."""

from __future__ import annotations

import base64
import json
import string
import uuid
from collections.abc import Callable
from random import Random
from urllib.parse import quote

Make = Callable[[Random], str]

_ALNUM = string.ascii_letters + string.digits
_URLSAFE = _ALNUM + "-_"
_HEX = "0123456789abcdef"
_SYMBOLS = "!#$%^*+-_.~@&?"


def draw(rng: Random, alphabet: str, length: int) -> str:
    """So many characters of an alphabet, a letter first and last."""
    middle = "".join(rng.choice(alphabet) for _ in range(length - 2))
    ends = [c for c in alphabet if c.isalnum()]
    return f"{rng.choice(ends)}{middle}{rng.choice(ends)}"


def hexa(rng: Random, length: int) -> str:
    return "".join(rng.choice(_HEX) for _ in range(length))


def digits(rng: Random, length: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(length))


def make_uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _prefixed(prefix: str, length: int, alphabet: str = _ALNUM) -> Make:
    return lambda rng: prefix + draw(rng, alphabet, length)


def password(rng: Random) -> str:
    """As people and generators make them: with symbols, of words, of letters and digits."""
    form = rng.randrange(5)
    if form == 0:
        return draw(rng, _ALNUM + _SYMBOLS, rng.randint(10, 24))
    if form == 1:
        words = ("horse", "battery", "Staple", "violet", "Anchor", "maple", "Quartz", "dune")
        return "-".join(rng.sample(words, 3)) + str(rng.randint(10, 99))
    if form == 2:
        return (
            rng.choice(("Summer", "Winter", "hunter", "Passw0rd", "letmein")) + digits(rng, 4) + "!"
        )
    if form == 3:
        return draw(rng, _ALNUM, rng.randint(12, 32))
    return "S3" + draw(rng, string.ascii_lowercase + string.digits, 8) + rng.choice("!$*?")


def jwt(rng: Random) -> str:
    head = {"alg": rng.choice(("HS256", "RS256")), "typ": "JWT"}
    body = {"sub": digits(rng, 10), "iat": rng.randint(1_600_000_000, 1_700_000_000)}
    parts = [
        base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in (head, body)
    ]
    return ".".join([*parts, draw(rng, _URLSAFE, 43)])


def stateless_github(rng: Random) -> str:
    return f"ghs{'_'}{digits(rng, 6)}_{jwt(rng)}"


def aws_id(rng: Random) -> str:
    return rng.choice(("AKIA", "ASIA")) + "".join(
        rng.choice(string.ascii_uppercase + "234567") for _ in range(16)
    )


def base64_key(length: int) -> Make:
    def make(rng: Random) -> str:
        return base64.b64encode(rng.randbytes(length)).decode()

    return make


def discord(rng: Random) -> str:
    first = rng.choice("MNO") + draw(rng, _ALNUM, 23)
    return f"{first}.{draw(rng, _ALNUM, 6)}.{draw(rng, _URLSAFE, 38)}"


TOKENS: dict[str, Make] = {
    "github classic": lambda rng: "gh" + rng.choice("pousr") + "_" + draw(rng, _ALNUM, 36),
    "github fine-grained": lambda rng: (
        f"github{'_pat_'}{draw(rng, _ALNUM, 22)}_{draw(rng, _ALNUM, 59)}"
    ),
    "github stateless": stateless_github,
    "gitlab": _prefixed("glpat" + "-", 20, _URLSAFE),
    "aws id": aws_id,
    "gcp key": _prefixed("AIza" + "Sy", 33, _URLSAFE),
    "google oauth": lambda rng: (
        rng.choice(("ya29.a0", "GOCSPX" + "-", "1//0")) + draw(rng, _URLSAFE, 40)
    ),
    "openai": lambda rng: "sk-" + rng.choice(("", "proj-", "svcacct-")) + draw(rng, _ALNUM, 48),
    "anthropic": _prefixed("sk-ant" + "-api03-", 90, _URLSAFE),
    "stripe": lambda rng: (
        rng.choice(("sk_live", "rk_live", "sk_test")) + "_" + draw(rng, _ALNUM, 24)
    ),
    "stripe webhook": _prefixed("whsec" + "_", 32),
    "slack": lambda rng: (
        f"xox{rng.choice('bpa')}-{digits(rng, 12)}-{digits(rng, 12)}-{draw(rng, _ALNUM, 24)}"
    ),
    "slack app": lambda rng: f"xapp{'-'}1-A{digits(rng, 9)}X-{digits(rng, 12)}-{hexa(rng, 40)}",
    "slack webhook": lambda rng: (
        f"https://hooks.slack.com/services/T{digits(rng, 8)}A/B{digits(rng, 8)}C/{draw(rng, _ALNUM, 24)}"
    ),
    "discord webhook": lambda rng: (
        f"https://discord.com/api/webhooks/{digits(rng, 18)}/{draw(rng, _URLSAFE, 68)}"
    ),
    "twilio": lambda rng: rng.choice(("AC", "SK")) + hexa(rng, 32),
    "sendgrid": lambda rng: f"SG.{draw(rng, _URLSAFE, 22)}.{draw(rng, _URLSAFE, 43)}",
    "npm": _prefixed("npm" + "_", 36),
    "pypi": _prefixed("pypi" + "-AgEIcHlwaS5vcmc", 120, _URLSAFE),
    "rubygems": lambda rng: "rubygems" + "_" + hexa(rng, 48),
    "docker hub": _prefixed("dckr" + "_pat_", 27, _URLSAFE),
    "digitalocean": lambda rng: "dop" + "_v1_" + hexa(rng, 64),
    "mailgun": lambda rng: "key" + "-" + hexa(rng, 32),
    "mailchimp": lambda rng: f"{hexa(rng, 32)}-us{rng.randint(1, 21)}",
    "new relic": lambda rng: (
        "NRAK-" + "".join(rng.choice(string.ascii_uppercase + string.digits) for _ in range(27))
    ),
    "sentry": lambda rng: "sntryu" + "_" + hexa(rng, 64),
    "grafana": lambda rng: f"glsa{'_'}{draw(rng, _ALNUM, 32)}_{hexa(rng, 8)}",
    "azure ad": lambda rng: f"{draw(rng, _ALNUM, 3)}8Q~{draw(rng, _URLSAFE, 34)}",
    "hugging face": _prefixed("hf" + "_", 34, string.ascii_letters),
    "shopify": lambda rng: "shpat" + "_" + hexa(rng, 32),
    "square": _prefixed("sq0atp" + "-", 22, _URLSAFE),
    "planetscale": _prefixed("pscale" + "_tkn_", 43),
    "doppler": _prefixed("dp" + ".pt.", 43),
    "vault": _prefixed("hvs" + ".", 95, _URLSAFE),
    "linear": _prefixed("lin" + "_api_", 40),
    "notion": lambda rng: "ntn" + "_" + digits(rng, 11) + draw(rng, _ALNUM, 35),
    "supabase": lambda rng: "sbp" + "_" + hexa(rng, 40),
    "databricks": lambda rng: "dapi" + hexa(rng, 32),
    "fly": lambda rng: "fm2" + "_" + base64_key(120)(rng),
    "netlify": _prefixed("nfp" + "_", 36),
    "resend": lambda rng: f"re{'_'}{draw(rng, _ALNUM, 8)}_{draw(rng, _ALNUM, 24)}",
    "groq": _prefixed("gsk" + "_", 52),
    "telegram": lambda rng: f"{digits(rng, 9)}1:AA{draw(rng, _URLSAFE, 33)}",
    "discord bot": discord,
    "age": lambda rng: (
        "AGE-SECRET-KEY"
        "-1" + "".join(rng.choice("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L") for _ in range(58))
    ),
    "jwt": jwt,
    "bcrypt": lambda rng: "$2b" + "$12$" + draw(rng, _ALNUM + "./", 53),
}
"""Credentials that are known wherever they stand."""

NAMED: dict[str, tuple[Make, tuple[str, ...]]] = {
    "password": (
        password,
        ("password", "passwd", "pwd", "db_password", "dbPassword", "DB_PASSWORD", "Password",
         "spring.datasource.password", "PGPASSWORD", "POSTGRES_PASSWORD", "redis-password",
         "SMTP_PASS", "admin_password", "passphrase", "userPassword", "new_password", "PASSWORD_PROD"),
    ),
    "secret": (
        lambda rng: draw(rng, _ALNUM, 32),
        ("client_secret", "clientSecret", "SECRET_KEY", "MY_APP_SECRET_KEY", "secret", "app.secret",
         "JWT_SECRET", "session_secret", "signingSecret", "webhook_secret", "SECRET_KEY_BASE",
         "consumerSecret", "secretKey"),
    ),
    "api key": (
        lambda rng: hexa(rng, 32),
        ("api_key", "apiKey", "API_KEY", "apikey", "X-Api-Key", "x-api-key", "DD_API_KEY",
         "datadog.api-key", "ALGOLIA_ADMIN_KEY", "cloudflare_api_key", "encryption_key", "apiKeyProd",
         "Ocp-Apim-Subscription-Key"),
    ),
    "token": (
        lambda rng: draw(rng, _ALNUM, 40),
        ("token", "access_token", "accessToken", "auth_token", "refresh_token", "X-Auth-Token",
         "bot_token", "VERCEL_TOKEN", "NETLIFY_AUTH_TOKEN", "id_token", "_authToken", "csrf_token",
         "X-Vault-Token", "PRIVATE-TOKEN", "apiToken", "deploy_token"),
    ),
    "aws secret": (
        lambda rng: draw(rng, _ALNUM + "/+", 40),
        ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", "SecretAccessKey", "secretAccessKey",
         "aws.secretKey", "x-amz-security-token", "AWS_SESSION_TOKEN"),
    ),
    "railway token": (
        make_uuid,
        ("RAILWAY_TOKEN", "RAILWAY_API_TOKEN", "railway_token", "Project-Access-Token",
         "Team-Access-Token", "railwayToken", "HEROKU_API_KEY"),
    ),
    "azure key": (
        base64_key(64),
        ("AccountKey", "SharedAccessKey", "AZURE_STORAGE_KEY", "storageAccountKey", "primaryKeySecret"),
    ),
}  # fmt: skip
"""Credentials that only their name gives away, with names."""


def basic(rng: Random) -> str:
    return base64.b64encode(f"svc-{digits(rng, 3)}:{draw(rng, _ALNUM, 14)}".encode()).decode()


def email(rng: Random) -> str:
    first = rng.choice(("jane", "amir", "li.wei", "o.svensson", "maria+news", "j_doe", "k-ito"))
    return f"{first}{digits(rng, 2)}@{rng.choice(('example.com', 'mail.example.org', 'acme.test', 'corp.example.co.uk'))}"


def ipv4(rng: Random) -> str:
    first = rng.choice(("203.0.113", "198.51.100", "81.2.69", "45.83.220", "177.54.12"))
    return f"{first}.{rng.randint(21, 254)}"


def ipv6(rng: Random) -> str:
    return rng.choice(("2001:db8:", "2a02:8108:")) + ":".join(hexa(rng, 4) for _ in range(6))


def luhn(prefix: str, length: int, rng: Random) -> str:
    body = prefix + digits(rng, length - len(prefix) - 1)
    total = 0
    for place, digit in enumerate(reversed(body)):
        n = int(digit) * (1 if place % 2 else 2)
        total += n - 9 if n > 9 else n
    return body + str(-total % 10)


def card(rng: Random) -> str:
    if rng.random() < 0.2:
        return luhn("37", 15, rng)
    plain = luhn(rng.choice(("4", "51", "55", "2223", "6011")), 16, rng)
    mark = rng.choice(("", " ", "-"))
    return mark.join(plain[i : i + 4] for i in range(0, 16, 4))


def iban(rng: Random) -> str:
    country, length = rng.choice((("DE", 18), ("FR", 23), ("NL", 14), ("GB", 18), ("ES", 20)))
    body = digits(rng, length)
    if country in {"NL", "GB"}:
        body = "BANK" + body[4:]
    turned = "".join(str(int(c, 36)) for c in f"{body}{country}00")
    plain = f"{country}{98 - int(turned) % 97:02}{body}"
    if rng.random() < 0.5:
        return plain
    return " ".join(plain[i : i + 4] for i in range(0, len(plain), 4))


def phone(rng: Random) -> str:
    forms = (
        f"+49 {rng.randint(151, 179)} {digits(rng, 8)}",
        f"+1 ({rng.randint(201, 989)}) 555-{digits(rng, 4)}",
        f"+1{rng.randint(201, 989)}555{digits(rng, 4)}",
        f"+44 7{digits(rng, 3)} {digits(rng, 6)}",
        f"({rng.randint(201, 989)}) 555-{digits(rng, 4)}",
        f"{rng.randint(201, 989)}-555-{digits(rng, 4)}",
        f"+33 6 {digits(rng, 2)} {digits(rng, 2)} {digits(rng, 2)} {digits(rng, 2)}",
    )
    return rng.choice(forms)


def ssn(rng: Random) -> str:
    return f"{rng.randint(100, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"


PEOPLE: dict[str, Make] = {
    "email": email,
    "ipv4": ipv4,
    "ipv6": ipv6,
    "card": card,
    "iban": iban,
    "phone": phone,
    "ssn": ssn,
}


def pem_lines(rng: Random, kind: str = "RSA ") -> list[str]:
    body = base64.b64encode(rng.randbytes(600)).decode()
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return [
        f"-----BEGIN {kind}PRIVATE" + " KEY-----",
        *lines,
        f"-----END {kind}PRIVATE" + " KEY-----",
    ]


def url_encoded(text: str) -> str:
    return quote(text, safe="")
