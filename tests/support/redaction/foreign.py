"""Formats of vendors, stores, commands and languages that the rest of the corpus does not have.

Written to break the rules, not from them. A field stands for what is drawn: its letter for the
alphabet, its number for the length; one with a minus is no secret. ⏎ is a line break.
"""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Iterator
from random import Random

from tests.support.redaction import made

_FIELD = re.compile(r"\[\[(-?)(\w)(\d*)\]\]")
_LOWER = string.ascii_lowercase + string.digits


def make_foreign(rng: Random) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each line once, with new values: its kind, the text and its secrets."""
    for kind, lines in _LINES.items():
        for line in lines.strip("\n").split("\n"):
            yield kind, *_fill(rng, line)


def make_foreign_people(rng: Random) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Numbers and addresses of people in forms that differ by country and program."""
    for line in _PEOPLE.strip("\n").split("\n"):
        yield _fill(rng, line)


def make_foreign_clean(rng: Random) -> list[str]:
    """Lines that look like those and hold no secret."""
    return [_fill(rng, line)[0] for line in _CLEAN.strip("\n").split("\n")]


def _fill(rng: Random, line: str) -> tuple[str, tuple[str, ...]]:
    secrets: list[str] = []

    def draw(field: re.Match[str]) -> str:
        value = _draw(rng, field[2], int(field[3] or 0))
        if not field[1]:
            secrets.append(value)
        return value

    text = _FIELD.sub(draw, line).replace("⏎", "\n")
    return text, tuple(secrets)


def _draw(rng: Random, letter: str, size: int) -> str:
    if letter == "j":
        return made.jwt(rng)
    if letter == "i":
        return made.make_uuid(rng)
    if letter in "be":
        key = made.base64_key(size)(rng)
        return key if letter == "b" else made.url_encoded(key)
    if letter == "o":
        return base64.b64encode(made.draw(rng, made._ALNUM, size).encode()).decode()
    if letter == "B":
        return made.basic(rng)
    alphabet = {
        "a": made._ALNUM, "u": made._URLSAFE, "l": _LOWER, "c": made._ALNUM + "./",
        "A": string.ascii_uppercase + string.digits, "w": string.ascii_lowercase,
    }  # fmt: skip
    if letter in alphabet:
        return made.draw(rng, alphabet[letter], size)
    return made.hexa(rng, size) if letter == "h" else made.digits(rng, size)


_LINES = {
    "vendor format": """
https://acct.blob.core.windows.net/logs?sv=2022-11-02&ss=b&sp=rl&se=2026-05-01T00:00:00Z&spr=https&sig=[[e32]]
DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=[[b64]];EndpointSuffix=core.windows.net
[{"keyName":"key1","permissions":"FULL","value":"[[b64]]"}]
AccountEndpoint=https://x.documents.azure.com:443/;AccountKey=[[b64]];
SharedAccessSignature sr=https%3a%2f%2fns.servicebus.windows.net%2f&sig=[[e32]]&se=1772460311&skn=send
POST https://fn.azurewebsites.net/api/run?code=[[u54]]== 200
AZURE_DEVOPS_EXT_PAT=[[l52]]
heroku: using HRKU-AA[[u58]]
doctl auth init -t dop_v1_[[h64]]
s3cmd --access_key=[[-A20]] --secret_key=[[b32]] ls
X-Auth-Email: [[-w6]]⏎X-Auth-Key: [[h37]]
POST https://http-intake.logs.datadoghq.com/v1/input/[[h32]] 202
dd-application-key=[[h40]]
Raven configured with https://[[h32]]:[[h32]]@sentry.example.com/2
curl -s --user 'api:key-[[h32]]' https://api.mailgun.net/v3/x/messages
mailgun signing [[h32]]-[[h8]]-[[h8]]
SUPABASE_SERVICE_ROLE_KEY=[[j]]
createClient(url, "sb_secret_[[u22]]_[[a8]]")
export VAULT_TOKEN=hvs.CAESI[[u90]]
{"role_id":"[[-i]]","secret_id":"[[i]]"}
Unseal Key 1: [[b33]]
{"auths":{"ghcr.io":{"auth":"[[B]]"}}}
    client-key-data: [[o400]]
    token: [[j]]
bob:{SHA}[[b20]]
admin:$apr1$[[-a8]]$[[c22]]
hash=$argon2id$v=19$m=65536,t=3,p=4$[[-a22]]$[[a43]]
POST https://api.telegram.org/bot[[d10]]:AA[[u33]]/sendMessage 200
webhook https://ptb.discord.com/api/webhooks/[[-d19]]/[[u68]]
X-Shopify-Access-Token: shpat_[[h32]]
square: Bearer EAAA[[u60]]
authorization: lin_api_[[a40]]
notion: secret_[[a43]]
(figd_[[u40]])
git clone https://oauth2:glpat-[[u20]]@gitlab.com/a/b.git
gitlab-runner register --token glrtr-[[u20]]
PRIVATE-TOKEN: glpat-[[u27]].01.[[l9]]
DOPPLER_TOKEN=dp.st.prd.[[a40]]
mysql://abc:pscale_pw_[[u43]]@aws.connect.psdb.cloud/db?ssl=true
postgresql://neondb_owner:npg_[[a12]]@ep-cool-1.eu-central-1.aws.neon.tech/neondb?sslmode=require
put failed with vercel_blob_rw_[[a16]]_[[a30]]
using tvly-dev-[[a32]]
firecrawl fc-[[h32]]
jina said no to jina_[[h32]][[u28]]
started with nvapi-[[u64]]
deploy key tr_prod_[[a20]] is unknown
polar_oat_[[a40]] was revoked
-H "api-key: pdl_live_apikey_[[l26]]_[[a22]]_[[a3]]"
https://maps.googleapis.com/maps/api/geocode/json?address=x&key=AIzaSy[[u33]]
User name,Access key ID,Secret access key⏎bot,AKIA[[A16]],[[b30]]
https://AC[[h32]]:[[h32]]@api.twilio.com/2010-04-01
Stripe-Signature: t=1772460311,v1=[[h64]]
X-Shopify-Hmac-Sha256: [[b32]]
X-Slack-Signature: v0=[[h64]]
""",
    "store or command": """
machine api.github.com⏎  login bot⏎  password [[a16]]
+ curl -fsSL -u ci:[[a18]] https://nexus.example.com/repository/x
MongoServerError: bad auth: mongodb+srv://app:[[a16]]@cluster0.ab1cd.mongodb.net/?retryWrites=true&w=majority
rediss://default:[[a32]]@eu1-x-1234.upstash.io:6379
redis://:[[a20]]@10.0.0.7:6379/0
amqps://svc:[[a16]]%40%2F[[-a4]]@mq.example.com:5671/%2f?heartbeat=30
[Interface]⏎PrivateKey = [[b32]]⏎PresharedKey = [[b32]]
ConvertTo-SecureString "[[a20]]" -AsPlainText -Force
net use Z: \\\\srv\\share /user:dom\\bob [[a20]]
cmdkey /add:srv /user:bob /pass:[[a20]]
sqlplus scott/[[a20]]@//db:1521/XE
mysql -uroot -p'[[a20]]' app
lftp -u bob,[[a20]] sftp://h
userPassword:: [[o20]]
1772460311.123456 [0 10.0.0.4:5120] "AUTH" "[[a20]]"
"HELLO" "3" "AUTH" "default" "[[a20]]"
LOG:  statement: ALTER ROLE app WITH LOGIN PASSWORD '[[a20]]';
CREATE USER a IDENTIFIED WITH sha256_password BY '[[a20]]'
java -Xmx512m -Djavax.net.ssl.trustStorePassword=[[a20]] -jar app.jar
##vso[task.setvariable variable=dbPassword;issecret=true][[a20]]
  ~ master_password = "[[a20]]" -> (known after apply)
HTTPS_PROXY=http://px:[[a20]]@proxy:3128
smtps://bot%40example.com:[[a20]]@smtp.example.com:465
code_verifier=[[u43]]
SMTP_PASSWORD=[[w4]] [[w4]] [[w4]] [[w4]]
    user admin insecure-password [[a20]]
::add-mask::[[a20]]
snmpwalk -v2c -c [[a16]] 10.0.0.1
community: [[a16]]
private key: 0x[[h64]]
storePassword "[[a24]]"
[[d6]] is your verification code
INSERT INTO users (email,password) VALUES ('a','[[a24]]')
""",
    "notation": """
{"res":{"headers":{"set-cookie":["sid=s%3A[[h64]]; Path=/; HttpOnly","lang=en"]}}}
set-cookie: __Host-next-auth.csrf-token=[[u40]]%7C[[h64]]; Path=/; HttpOnly; Secure
time=2026-03-02T14:05:11Z lvl=eror msg="login failed" secret="[[a28]]" err="bad \\"x\\""
ts=1 request.headers.x_api_key=[[a28]] request.id=7
2026-03-02 14:05:11 [warning  ] login_failed                   api_key=[[a32]] user_id=42
{"name":"app","pid":1,"level":50,"err":{"message":"bad token '[[a32]]'","stack":"Error"},"v":0}
db: {user: app, password: [[a22]], port: 5432}
secret: >-⏎  [[a22]]⏎next: 1
password: &pw [[a22]]⏎other: *pw
password: !!str "[[a22]]"
array(2) { ["user"]=> string(3) "app" ["password"]=> string(22) "[[a22]]" }
Array⏎(⏎    [user] => app⏎    [pass] => [[a22]]⏎)
'password' => env('DB_PASSWORD', '[[a22]]'),
{:adapter=>"pg", :password=>"[[a22]]", :port=>5432}
#<User id: 1, api_token: "[[a22]]", created_at: nil>
jdbc.password\\=[[a22]]
javax.net.ssl.keyStorePassword : [[a22]]
{Addr:redis:6379 Username:default Password:[[a22]] DB:0 TLSConfig:<nil>}
&{Host:db User:app Pass:[[a22]] SSL:true}
Config { host: "db", api_key: Some("[[a22]]"), port: 1 }
DbOptions { Host = db, Password = [[a22]], Port = 5432 }
Settings(host='db', password=SecretStr('[[a22]]'), port=1)
grant_type=client_credentials&client_id=app&client_secret=[[a22]]&scope=all
payload=%7B%22user%22%3A%22bob%22%2C%22password%22%3A%22[[a22]]%22%7D
https%3A%2F%2Fbot%3A[[a22]]%40git.example.com%2Fa.git
Content-Disposition: form-data; name="password"⏎⏎[[a22]]⏎--boundary
<wsse:Password Type="http://docs.oasis-open.org/wss#PasswordText">[[a20]]</wsse:Password>
mutation { signIn(input: {email: "x", password: "[[a20]]"}) { token } }
%{"password" => "[[a20]]", "email" => "x"}
config :app, App.Repo, password: "[[a20]]", pool_size: 10
proxy_set_header X-Api-Key "[[a20]]";
snowflake://user:[[a20]]@acct/db?warehouse=w
InvalidToken: [[a24]] is not a valid token
mot_de_passe=[[a10]]
contraseña=[[a10]]
пароль: [[a10]]
密码: [[a10]]
| DB_PASSWORD | `[[a20]]` | prod |
rawHeaders: [ "Host", "x", "x-api-token", "[[a24]]" ]
""",
}
_PEOPLE = """
phone: 030 [[d8]]
phone: +49 (0)30 [[d6]]-78
called +44 20 7946 [[d4]] twice
phone: 06 12 [[d2]] [[d2]] 78
phone: (020) 7946 [[d4]]
call +55 (11) 91234-[[d4]] back
phone: 0049 170 [[d7]]
client [2001:db8:85a3::8a2e:[[h3]]:7334%eth0]:443 connected
X-Forwarded-For: 203.0.113.77, 198.51.100.44, 10.0.0.1
Forwarded: for=203.0.113.77;proto=https;by=10.0.0.1, for="[2001:db8:cafe::[[h4]]]:4711"
remote=::ffff:203.0.113.77 status=200
"""
_CLEAN = r"""
{"requestId":"[[-h32]]","correlationId":"01HV6Q5Z9Y8X7W6V5T4S3R2Q1P"}
traceparent: 00-[[-h32]]-[[-h16]]-01
X-Amzn-Trace-Id: Root=1-[[-h8]]-[[-h24]]
x-amz-request-id: [[-A16]]
etag: W/"[[-h14]]:0"
{"ETag":"\"[[-h32]]\"","Size":5120}
HEAD is now at [[-h8]] fix login
version 1.4.2-rc.3+build.20260302.[[-h7]]
v2.31.0+incompatible
<script src="/app.js" integrity="sha384-[[-b48]]" crossorigin="anonymous"></script>
resolved "https://registry.yarnpkg.com/ms/-/ms-2.1.3.tgz#[[-h40]]"
/static/css/app.[[-h12]].css 304
styles__Button-sc-1a2b3c4-0 kXyZaB
Created pod: cronjob-backup-28912345-abcde
ec2-203-0-113-25.compute-1.amazonaws.com resolved
arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-[[-a6]]
projects/acme/secrets/db-password/versions/3
instance i-[[-h17]] is healthy
vol-[[-h17]] attached to i-[[-h17]]
snowflake id [[-d19]]
tracking 1Z999AA1[[-d10]]
cache-key: npm-linux-[[-h16]]
cache key: v1-deps-[[-h20]]
Cache hit for key: Linux-node-[[-h40]]
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[[-a43]] deploy
certificate serial 03:A1:5B:7C:9D:2E:4F:60:71:82:93:A4:B5:C6:D7:E8
Content-Security-Policy: script-src 'sha256-[[-b32]]'
password: !vault |
password: {{ .Values.db.password }}
password: (sensitive value)
password = data.aws_ssm_parameter.db.value
password: $ANSIBLE_VAULT;1.1;AES256
password: op://prod/db/password
"password": {"type": "string", "minLength": 12}
"token": {"$ref": "#/components/schemas/Token"}
ssl_certificate_key /etc/nginx/tls/key.pem;
_ga=GA1.2.1234567890.1772460311 removed from query
code: "P2002", clientVersion: "5.10.2"
Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP1A.240305.019)
NOAUTH Authentication required.
WRONGPASS invalid username-password pair or user is disabled.
429 Too Many Requests: rate limit exceeded for key user_42
const apiKey = config.apiKey ?? defaults.apiKey
if (!process.env.API_KEY) throw new Error("API_KEY missing")
token: str = Field(..., min_length=1)
Lexer: token=NUMBER value=41
key exchange: curve25519-sha256@libssh.org
cipher: chacha20-poly1305@openssh.com
sum=+1234567890
SECRET_KEY is not set, using a random one
aws secretsmanager get-secret-value --secret-id prod/db
libssl3_3.0.13-1~deb12u1_amd64.deb
torch==2.2.1+cu121
"""
