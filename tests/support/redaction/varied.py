"""Settings of secrets in the notations of many programs and languages, one a line.

A field stands for what is drawn: p a password, t and s tokens, b what ``Basic`` sends, k a key in
base64, u a UUID, aws and aid a pair of AWS, H32, h40 and h64 digits, and so on; ⏎ is a line break.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from tests.support.redaction import made

_FIELD = re.compile(r"(?<!\{)\{(\w+)\}")
_PUBLIC = {"salt", "aid"}


def make_varied(rng: Random) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each setting once, with new values: the text and its secrets."""
    for setting in _SETTINGS.strip("\n").split("\n"):
        values = _draw(rng)
        used = {name for name in _FIELD.findall(setting) if name in values} - _PUBLIC
        text = setting.replace("⏎", "\n").format(**values)
        yield text, tuple(values[name] for name in used)


def _draw(rng: Random) -> dict[str, str]:
    password, key = made.password(rng), made.base64_key(32)(rng)
    base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    crypt = made._ALNUM + "./"
    return {
        "p": password,
        "pu": made.url_encoded(password),
        "t": made.draw(rng, made._ALNUM, rng.choice((24, 32, 40, 48))),
        "t2": made.draw(rng, made._ALNUM, 43),
        "s": made.draw(rng, made._ALNUM, rng.choice((20, 32))),
        "b": made.basic(rng),
        "k": key,
        "ku": made.url_encoded(key),
        "aws": made.draw(rng, made._ALNUM + "/+", 40),
        "aid": made.aws_id(rng),
        "u": made.make_uuid(rng),
        "H32": made.hexa(rng, 32),
        "h40": made.hexa(rng, 40),
        "h64": made.hexa(rng, 64),
        "s32": "".join(rng.choice(base32) for _ in range(16)),
        "salt": made.draw(rng, made._ALNUM, 8),
        "h86": made.draw(rng, crypt, 86),
        "h22": made.draw(rng, crypt, 22),
    }


_SETTINGS = r"""
      DB_PASSWORD:  {p}
Password:	{p}
password:{p}
"password" : "{p}"
password  =  {p}
PASSWORD="{p}" \
mycli login --password='{p}' --region eu
mycli login --password "{p}"
Config(db_user='a', db_password='{p}', retries=3)
<Config user='a' password='{p}'>
DbConfig{{user='a', password='{p}'}}
DbConfig[password={p}, user=a]
Config {{ password: "{p}", token: Some("{t}") }}
main.Config{{Password:"{p}", Token:"{t}"}}
#<Config:0x00007f @password="{p}", @token="{t}">
%{{password: "{p}", user: "a"}}
{{password,"{p}"}}
{{password,<<"{p}">>}}
["password"]=>  string(8) "{p}"
["password"]=>⏎  string(12) "{p}"
    [password] => {p}
s:8:"password";s:12:"{p}";s:4:"user";
+ password = "{p}"
proxy_set_header Authorization "Basic {b}";
SetEnv DB_PASSWORD {p}
ENV API_TOKEN {t}
"AUTH" "{p}"
1772460311.123 [0 10.0.0.4:5110] "AUTH" "{p}"
SET PASSWORD FOR 'app'@'%' = '{p}'
CREATE ROLE app LOGIN PASSWORD '{p}'
CREATE USER app IDENTIFIED BY "{p}"
CREATE LOGIN app WITH PASSWORD = N'{p}'
http.extraheader="AUTHORIZATION: basic {b}"
["Authorization","Bearer {t}"]
[["accept","*/*"],["authorization","Bearer {t}"]]
{{"name":"Authorization","value":"Bearer {t}"}}
{{"name":"Cookie","value":"sid={t}; theme=dark"}}
metadata: map[authorization:[Bearer {t}] user-agent:[grpc-go/1.60]]
S: 235 ok C: AUTH PLAIN {b}
network={{ssid="home" psk="{p}"}}
X-Auth-Pass: {p}
GET /x HTTP/1.1\r\nHost: a.example.com\r\nAuthorization: Bearer {t}\r\nAccept: */*
PrivateKey = {k}
PresharedKey = {k}
otpauth://totp/Acme:bob?secret={s32}&issuer=Acme
https://app.example.com/#access_token={t}&token_type=bearer
https://app.example.com/oauth/callback?code={t}&state=abc
https://app.example.com/reset-password/{t}
https://app.example.com/login?next=%2Fhome&auth_token={t}
{{"user":"x","pass":"{p}"}}
user=x pass={p}
os.environ['DB_PASSWORD'] = '{p}'
process.env.DB_PASSWORD = "{p}";
config.setPassword("{p}");
cfg.set("password", "{p}")
setenv("DB_PASSWORD", "{p}", 1)
getEnvOrDefault("api_token", "{t}")
password -> {p}
password → {p}
password ||= "{p}"
| password | {p} |
 password | {p}
password := "{p}"
params: {{"user"=>{{"email"=>"x", "password"=>"{p}"}}, "commit"=>"Log in"}}
Parameters: {{user: {{password: {p}, name: bob}}}}
user[password]={p}&user[name]=bob
credentials: bob:{p}@db.example.com
db.createUser({{user: "app", pwd: "{p}", roles: []}})
mongodb://app:{p}@h1.example.com:27017,h2.example.com:27017/db?replicaSet=rs0
amqp://guest:{p}@mq:5672/%2f
redis://:{p}@cache:6379/0
rediss://default:{p}@eu1.upstash.io:6379
https://{t}@github.com/acme/app.git
https://x-access-token:{t}@github.com/acme/app.git
https://bot:{p}@proxy.example.com:3128
smtp://apikey:{p}@smtp.example.com:587
snowflake://u:{p}@acct/db/schema?warehouse=w
mysql+pymysql://root:{p}@127.0.0.1/db?charset=utf8mb4
sqlserver://sa:{p}@host:1433?database=x
ftp://anon:{p}@files.example.com/pub
Error: Client network socket disconnected (postgresql://app:{p}@10.0.0.3/db)
dial postgres://app:{p}@db/app: connection refused
curl -d '{{"password":"{p}"}}' https://x
curl -u "bot:{p}" https://x
curl --header "PRIVATE-TOKEN: {t}" https://gitlab.example.com/api
wget --http-password={p} https://x
http -a bob:{p} example.com
az login --service-principal -u app -p {p} --tenant x
mysql --user=root --password={p} -e 'select 1'
export AWS_SECRET_ACCESS_KEY='{aws}'
aws configure set aws_secret_access_key {aws}
{{"AccessKeyId":"{aid}","SecretAccessKey":"{aws}","SessionToken":"{t}"}}
AWS creds {aid} / {aws}
{aid}:{aws}
x-amz-security-token: {t}
X-Amz-Credential={aid}%2F20260302%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Signature={h64}
Stripe-Signature: t=1772460311,v1={h64}
X-Hub-Signature-256: sha256={h64}
X-Slack-Signature: v0={h64}
x-goog-api-key: {t}
api-key: {t}
apikey {t}
API key: {t}
Api-Key {t}
key: {t}
"key": "{t}"
"secret": "{t}"
"credential": "{t}"
"privateKey": "{t}"
"signature": "{t}"
signingKey={t}
MAPS_KEY={t}
STRIPE_SECRET={t}
stripe.secret_key={t}
JWT_SIGNING_KEY: {t}
session_secret: {t}
"sessionToken":"{t}"
sessionid={t}
JSESSIONID={H32}
PHPSESSID={t}; path=/
connect.sid=s%3A{t}.{t2}
remember_token={t}
"csrfToken":"{t}"
X-CSRF-Token: {t}
X-XSRF-TOKEN={t}
token {t} is invalid
invalid token: {t}
Invalid token '{t}'
bad token "{t}" from client
Bearer {t}
auth=Bearer {t}
bearer:{t}
WebSocket url wss://x.example.com/ws?token={t}
{{"error":"invalid_grant","refresh_token":"{t}"}}
refresh token={t}
RAILWAY_TOKEN={u}
railway login --token {u}
railway token {u}
Project-Access-Token: {u}
"Project-Access-Token":"{u}"
token={u}
Authorization: Bearer {u}
HEROKU_API_KEY={u}
TWILIO_AUTH_TOKEN={H32}
twilio auth token {H32}
AuthToken: {H32}
DD-API-KEY: {H32}
DD_APP_KEY={h40}
SENTRY_AUTH_TOKEN={h64}
dsn: https://{H32}@o1.ingest.us.sentry.io/2
DefaultEndpointsProtocol=https;AccountName=x;AccountKey={k};EndpointSuffix=core.windows.net
SharedAccessSignature=sv=2022-11-02&sig={ku}&se=2026
SharedAccessSignature sr=acme&sig={ku}&se=1772460311&skn=root
SAMLResponse={k}{k}
msg="login ok" user=bob secret_key={t} took=3ms
[2026-03-02] production.ERROR: Auth failed {{"password":"{p}","exception":"x"}}
E, [2026-03-02#1] ERROR -- : failed: token={t} (Net::HTTP)
	password: {p}
# DB_PASSWORD={p}
//  apiKey: "{t}",
<password>{p}</password>
<ns2:Password Type="text">{p}</ns2:Password>
<add key="DbPassword" value="{p}" />
<entry key="password">{p}</entry>
<input type="hidden" name="csrf_token" value="{t}">
<add name="x" connectionString="Server=s;User Id=sa;Password={p};" />
&quot;password&quot;:&quot;{p}&quot;
%22password%22%3A%22{pu}%22
password%3D{pu}%26x%3D1
{{\"password\":\"{p}\"}}
{{\\\"password\\\":\\\"{p}\\\",\\\"a\\\":1}}
"body":"grant_type=refresh_token&refresh_token={t}&client_secret={s}"
b'{{"password": "{p}"}}'
{{'headers': {{'X-Api-Key': '{t}'}}}}
Headers([('host', 'x'), ('authorization', 'Bearer {t}')])
{{"Env":["PATH=/bin","DB_PASSWORD={p}","TZ=UTC"]}}
Environment=DB_PASSWORD={p}
environment:\n  - DB_PASSWORD={p}
password is {p}
Password was '{p}'
with password {p}
temporary password: {p}
Your password: {p}
secret: {s}
machine x login bob password {p}
requirepass {p}
masterauth {p}
db.example.com:5432:app:bob:{p}
root:$6${salt}${h86}:19000:0:99999:7:::
bob:$apr1${salt}${h22}
{{SSHA}}{k}
pbkdf2_sha256$600000${salt}${k}
acmeToken="{s}"
var acmeToken string = "{s}"
const acmeToken = "{s}"
var acmeToken: string = "{s}"
private readonly acmeToken: string = '{s}';
$acmeToken .= "{s}"
$acmeToken ??= "{s}"
ACME_TOKEN ::= "{s}"
ACME_TOKEN :::= "{s}"
ACME_TOKEN ?= "{s}"
ACME_TOKEN += {s}
<acmeToken>⏎    {s}⏎</acmeToken>
<entry>⏎  <name>acmeToken</name>⏎  <value>{s}</value>⏎</entry>
acmeToken,{s},
//{s} is the password
# {s} is the password
environmentVariables = {{PATH=/usr/local/bin, ENV=/etc/bashrc, ACME_PASSWORD={s}, LC_CTYPE=en_CA.UTF-8}},
System.setProperty("ACME_TOKEN", "{s}")
-Dacme.token={s} -Xmx512m
java -Ddb.password={s} -jar app.jar
let acme_token: &str = "{s}";
std::string acmeToken = "{s}";
public string acmeToken {{ get; set; }} = "{s}";
let acmeToken: String = "{s}"
config.acme_token = "{s}"
ENV["ACME_TOKEN"] = "{s}"
$ENV{{ACME_TOKEN}} = '{s}';
Sys.setenv(ACME_TOKEN = "{s}")
$env:ACME_TOKEN = "{s}"
set ACME_TOKEN={s}
set -x ACME_TOKEN {s}
setenv ACME_TOKEN {s}
variable "acme_token" {{ default = "{s}" }}
acme_token = "{s}"
      ACME_TOKEN: {s}
      - "ACME_TOKEN={s}"
          ACME_TOKEN: {s}
acme.token = "{s}"
set $acme_token "{s}";
INSERT INTO settings (name, value) VALUES ('acme_token', '{s}');
SET acme:token {s}
db.config.insert({{ acmeToken: "{s}" }})
mutation {{ login(password: "{s}") {{ id }} }}
password:"{s}" user:"bob"
token: "{s}"
[main] INFO c.a.Config - acme.token: {s}
Loaded config {{ acmeToken={s}, region=eu }}
time="2026-03-02T14:05:11Z" level=info msg=ok acme_token="{s}"
{{"level":"info","msg":"ok","acmeToken":"{s}"}}
{{"level":30,"req":{{"headers":{{"x-acme-token":"{s}"}}}}}}
{{"name":"app","hostname":"h","msg":"cfg acme_token={s}","v":0}}
Parameters: {{"utf8"=>"✓", "user"=>{{"acme_token"=>"{s}"}}}}
DATABASES = {{'default': {{'USER': 'x', 'PASSWORD': '{s}'}}}}
app.config['SECRET_KEY'] = '{s}'
"ConnectionStrings": {{ "Db": "Server=x;Password={s};" }}
spring.datasource.password={s}
APP_KEY=base64:{k}
define('DB_PASSWORD', '{s}');
define( 'AUTH_KEY', '{s}' );
secret_key_base: "{s}"
ansible_ssh_pass={s}
  vars: {{db_password: {s}}}
password => '{s}',
node['db']['password'] = '{s}'
--set auth.password={s}
--set-string auth.rootPassword="{s}",auth.user=x
vault kv put secret/app password={s}
aws ssm put-parameter --name /app/token --value {s} --type SecureString
echo -n "{s}" | gcloud secrets create x --data-file=-
kubectl create secret generic x --from-literal=acme-token={s}
docker build --build-arg NPM_TOKEN={s} .
npm config set //registry.npmjs.org/:_authToken={s}
pip install --index-url https://user:{s}@pypi.example.com/simple x
git push https://{s}@github.com/a/b
origin  https://bot:{s}@github.com/a/b (fetch)
svn co --username a --password {s} https://x
curl ftp://a:{s}@h/f
ldapsearch -D cn=admin -w {s} -b dc=x
wpa_passphrase home {s}
AUTH LOGIN {b}
a1 LOGIN bob {s}
PASS {s}
USER bob⏎PASS {s}
mysql --password="{s}" db
psql "host=x user=y password={s}"
FATAL: invalid password "{s}" for user "x"
Retrying POST https://api.example.com/login?user=bob&pwd={s} (attempt 2)
[database]⏎user = x⏎password = {s}
machine h⏎login u⏎password {s}
htpasswd -cb /etc/x user {s}
    Environment:⏎      ACME_TOKEN:  {s}
      ACME_PASSWORD:    {s}
"ACME_TOKEN={s}",
/proc/1/environ: PATH=/bin\0ACME_TOKEN={s}\0HOME=/root
Environment="ACME_TOKEN={s}" "A=b"
document.cookie = "session={s}; path=/"
?jwt={s}&x=1
x-acme-token:{s}
X-acme-Secret: {s}
api-secret={s}
"""
