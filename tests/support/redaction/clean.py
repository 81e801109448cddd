"""Lines that must come out as they went in: ids, digests, versions, placeholders, code, prose."""

from __future__ import annotations

from random import Random

from tests.support.redaction.foreign import make_foreign_clean
from tests.support.redaction.made import digits, draw, hexa, make_uuid

_FIXED = r"""
2026-03-02T14:05:11.123456Z INFO  [worker-3] request finished status=200 duration=12.4ms bytes=5120
2026-03-02 14:05:11,123 DEBUG sqlalchemy.engine.Engine SELECT users.id, users.password_hash FROM users WHERE users.token = ?
Mar  2 14:05:11 web-1 systemd[1]: Started Session 42 of user deploy.
[02/Mar/2026:14:05:11 +0000] "GET /api/v1/items?page=2&limit=50&sort=created_at HTTP/1.1" 200 612 "-" "curl/8.5.0"
level=info ts=2026-03-02T14:05:11Z caller=main.go:41 msg="listening" addr=0.0.0.0:8080
Traceback (most recent call last):
  File "/app/src/billing/invoice.py", line 41, in render_invoice
    customer = invoice["customer"]["name"]
KeyError: 'customer'
java.lang.NullPointerException: Cannot invoke "String.length()" because "token" is null
	at com.acme.auth.TokenService.verify(TokenService.java:118)
	at java.base/java.lang.Thread.run(Thread.java:1583)
TypeError: Cannot read properties of undefined (reading 'password')
    at Object.<anonymous> (/srv/app/node_modules/jsonwebtoken/verify.js:89:21)
panic: runtime error: invalid memory address or nil pointer dereference
goroutine 41 [running]:
main.(*Server).handleToken(0xc0001a2000, {0x8b2f40, 0xc0000a4000}, 0xc0001b8000)
	/src/server.go:118 +0x1d5
thread 'main' panicked at src/auth.rs:41:9: called `Option::unwrap()` on a `None` value
unexpected token } in JSON at position 41
SyntaxError: Unexpected token '<', "<!DOCTYPE "... is not valid JSON
SyntaxError: Unexpected token 'export'
JsonWebTokenError: jwt malformed
TokenExpiredError: jwt expired
token expired
token expired at 2026-03-02T14:05:11Z
error: token has expired, refresh it and try again
invalid password for user
Invalid password for user "app"
dial tcp [fd12:3456:789a::1]:5432: connect: connection refused
imagePullSecrets: [regcred]
passwords do not match
password must be at least 12 characters
Password reset requested
wrong password, 2 attempts left
password authentication failed for user "app"
FATAL: password authentication failed for user "app"
Access denied for user 'app'@'10.0.0.4' (using password: YES)
no password supplied
secret not found
secret "db-credentials" not found
Error: secret "registry-pull" already exists
could not find the secretary's keyboard
the monkey=banana test of the keyboard passed
tokenizer=bpe vocab=32000 tokens=1234 used
prompt_tokens=812 completion_tokens=144 total_tokens=956
token_count: 512
max_tokens: 4096
"usage":{"prompt_tokens":812,"completion_tokens":144,"total_tokens":956}
tokens_per_second=41.7
rate limit: 30 tokens per minute
author: the platform team
Author: build
authored-by: release bot
authority=web.example.com
auth: none
auth_type=basic
authenticated=true
auth_method=scram-sha-256
session_count=12
session timeout: 30m
cookie consent accepted
cookies_enabled=true
Cookie: ${SESSION_COOKIE}
pass=12 fail=0 skipped=3
PASS: TestLogin (0.01s)
3 passed, 1 failed, 2 warnings in 0.41s
by-pass valve closed
compass heading 270
key not found: user:profile:42
cache_key=user:profile:42 hit=true
cache key products:list:page=2 evicted
primary_key=id foreign_key=user_id
partition_key=2026-03 sort_key=created_at
routing_key=orders.created exchange=events
idempotency_key=ord-1042-attempt-2
key=value
hotkey: ctrl+k
public_key_path=/etc/ssl/public.pem
keyboard interrupt
password=${DB_PASSWORD}
password: ${{ secrets.DB_PASSWORD }}
DB_PASSWORD=$DB_PASSWORD
DATABASE_URL=postgres://app:${DB_PASSWORD}@db.example.com:5432/main
DATABASE_URL=postgres://app:****@db.example.com:5432/main
redis://default:<password>@redis.railway.internal:6379
postgres://user:password@localhost:5432/app
postgres://db.example.com:5432/app?sslmode=require
https://git.example.com/acme/app.git
git@github.com:acme/app.git
ssh://git@git.example.com:22/acme/app.git
token=<token>
token: <your-token-here>
api_key=YOUR_API_KEY
apiKey: "your-api-key"
password=********
password: xxxxxxxx
password: [REDACTED]
password: [FILTERED]
"password":"[Filtered]"
secret=(hidden)
token=***
sk-****************************
Authorization: Bearer ***
Authorization: Bearer <token>
Authorization: Bearer ${TOKEN}
authorization header is missing
Authorization: Basic realm required
WWW-Authenticate: Bearer realm="api"
bearer token is required
basic authentication is not enabled
password=process.env.DB_PASSWORD
const token = process.env.API_TOKEN;
token = os.environ["API_TOKEN"]
secret = os.getenv("APP_SECRET")
password=None
password: null
"token":null
"token": ""
password=true
token: undefined
def connect(host: str, password: str, token: str | None = None) -> None:
    return Client(user=user, password=password, token=token)
self.token = token
token = request.headers.get("X-Auth-Token")
if not verify_password(password, user.password_hash):
password = getpass.getpass("Password: ")
const { password, token } = req.body;
func NewClient(token string, secret []byte) *Client {
const hash = await bcrypt.hash(password, 10)
SELECT id, email, password FROM users WHERE email = $1
UPDATE users SET password = $1, token = $2 WHERE id = $3
INSERT INTO sessions (token, user_id) VALUES (:token, :user_id)
CREATE TABLE users (id uuid, password varchar(255) NOT NULL, token text)
ALTER TABLE users ADD COLUMN api_key_id bigint
GRANT SELECT ON secrets TO app
password_reset_url=https://app.example.com/reset
token_endpoint: https://auth.example.com/oauth/token
token_type=Bearer expires_in=3600
"token_type":"bearer","expires_in":3600
secret_name=db-credentials
secretKeyRef: name=db-credentials
--token-file /run/secrets/token
--password-stdin
password_file=/run/secrets/db_password
PWD=/srv/app
OLDPWD=/root
credentials_path=/etc/app/credentials.json
SSH_AUTH_SOCK=/run/user/1000/keyring/ssh
GOOGLE_APPLICATION_CREDENTIALS=/etc/gcp/key.json
image: registry.example.com/acme/app:1.4.2
FROM node:22.3.0-alpine3.20 AS build
openssl 3.0.13 30 Jan 2024
upgraded libfoo 1.2.3.4 -> 1.2.3.5
version 4.18.0.1 of the driver
Chrome/120.0.6099.109 Safari/537.36
"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
npm WARN deprecated har-validator@5.1.5: this library is no longer supported
+ lodash@4.17.21
Successfully installed httpx-0.28.1 idna-3.10 sniffio-1.3.1
numpy==2.4.6 pandas>=3.0,<4
Listening on 127.0.0.1:8080
connect ECONNREFUSED 10.0.12.7:5432
dial tcp 172.18.0.4:6379: connect: connection refused
dial tcp: lookup api.payments.example.com on 10.0.0.10:53: no such host
getaddrinfo ENOTFOUND db.railway.internal
upstream connect error: host=192.168.1.14 port=8080
resolved billing-api.railway.internal to fd12:9c4a:1:8::2
nameserver 8.8.8.8
route add 10.0.0.0/8 via 10.1.0.1
bind: address already in use [::]:8080
health check on ::1 passed
GET https://status.example.com/api/v2/summary.json 200 in 120 ms
deploying 4 replicas to europe-west4, cpu 0.25, memory 512 MB
CPU 81.2 % of 2 vCPU, memory 31.96 of 32.00 GB
queue depth 1204, oldest 41.2s, consumers 4
p50=12ms p95=48ms p99=80ms max=1204ms
disk /var/lib/data 81% used, 12.4 GiB free
OOMKilled: container exceeded 536870912 bytes
retry 3/5 in 2.5s
Container killed with exit code 137
Healthcheck failed after 5 attempts, /healthz returned 503
Mounting volume orders-data at /var/lib/data
getty@tty1.service: Succeeded.
icon@2x.png 200 1204
from app import create_app  # noqa
@app.route("/login", methods=["POST"])
std::vector<std::string>::iterator
a::b::c::Type
MAC address 02:42:ac:11:00:02
elapsed 00:14:03.221
ratio 12:30:45:01
commit message: fix token refresh on login page
Merge pull request from acme/fix-password-form
feat(auth): rotate signing keys weekly
chore: bump jsonwebtoken from 9.0.1 to 9.0.2
- "secrets" scanning is on for this repository
See https://docs.example.com/guide/passwords#reset for how to reset a password
kubectl get secret db-credentials -n prod
docker run -p 8080:80 --name web acme/app:1.4.2
mkdir -p /srv/app/data && cp -p a b
ssh -p 2222 deploy@10.0.0.4 uptime
psql -h db.example.com -p 5432 -U app
tar -xpf archive.tar.gz
pod/billing-api-7d9f8b6c5d-x2k9p condition met
Scaled up replica set billing-api-7d9f8b6c5d to 3
error code 401 unauthorized
statusCode=503 errorCode=ECONNRESET code=E11000
exit_code: 1
country_code=DE zip_code=10115
order 1042 shipped, 3 items, total 1,204.50 EUR
invoice INV-2026-000123 paid
part number 12-345-678 in bin 4
phone call ended after 00:03:12
mobile: true
ticket=OPS-1042
pagination cursor next page 3
signing request with key id K1
signature verified
invalid signature
csrf token mismatch
CSRF verification failed. Request aborted.
salt the water
secret santa list ready
The password policy requires 12 characters, one digit and one symbol
Use a personal access token instead of a password
hint: set the environment variable API_TOKEN before you run this
token bucket: capacity=100 refill=10/s
lexer produced 412 tokens in 3 ms
cpu 70 % (warning 70, critical 90)
ERROR: duplicate key value violates unique constraint "users_email_key"
DETAIL: Key (order_id)=(1042) already exists.
deadlock detected on relation 16412 of database 16384
GET /login?next=/home HTTP/1.1 302
POST /oauth/token 200 41ms
POST /api/v1/auth/refresh-token HTTP/2 401
GET /keys?page=2 200
DELETE /sessions/current 204
user 42 changed their password
user 42 reset their password 3 times
password changed for user 42
Password updated successfully
password reset link sent
Your password will expire in 14 days
password strength: weak
password_strength=3
passwordChangedAt=2026-03-02T14:05:11Z
password length 12
Enter password:
password for deploy:
sudo: a password is required
sudo: 3 incorrect password attempts
ssh: Permission denied (publickey,password).
debug1: Authentications that can continue: publickey,password
debug1: Next authentication method: password
auth.log: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=
pam_unix(sudo:session): session opened for user root(uid=0)
Token refresh scheduled in 3540s
token refresh failed: 401 Unauthorized
tokens/s: 41.7
input_tokens=812 output_tokens=144 cached_tokens=0
Total tokens: 956, cost $0.0123
max_new_tokens=512 temperature=0.7
tokenizer.json not found
next_page_token is empty
nextToken: null
"next_page_token": ""
secret rotation completed for 3 of 3 secrets
Secrets manager unavailable
mounted secret volume /var/run/secrets/kubernetes.io/serviceaccount
secretName: tls-cert
imagePullSecrets: [{name: registry}]
Loading credentials from /root/.aws/credentials
credentials: include
credentials expired at 14:05
Unable to locate credentials
NoCredentialsError: Unable to locate credentials
no credentials provided
key=user:42 ttl=300
key: "orders"
key = id
keys: 12, expires: 3
hit ratio 0.91 for key prefix user:
primary key (id)
Key (email)=(null) violates not-null
duplicate key error collection: app.users index: email_1
sort key: created_at desc
public key: ssh-rsa fingerprint SHA256:x
API key is missing
API key not found in request
api_key is required
missing header X-Api-Key
x-api-key header required
Authorization header missing
authorization failed for role admin
authorization_url: https://auth.example.com/authorize
author=build, committer=ci
session expired, please sign in
session started (pid 1204)
session_timeout=1800
session affinity: ClientIP
sessions: 41 active
cookie "theme" set
Set-Cookie header ignored
SameSite=Lax; Secure; HttpOnly
code=200 status=OK
error_code: 42P01
exit code: 137
code: 'ECONNREFUSED'
"code":"invalid_request"
grpc code = Unavailable desc = connection closed
pin: 13 mode: OUTPUT
pinned version 1.2.3
ping 10.0.0.1 ttl=64 time=0.41 ms
otp sent
signature version 4
signature mismatch for artifact app-1.2.3.jar
sig=SIGTERM received
signal: killed
ip=10.0.0.4 port=5432
tel: see contact page
hotel booking 12345 confirmed
mobile app version 4.2.1 (build 1204)
card declined: insufficient funds
cardinality 1204
account balance updated
account_id=1042
tax rate 19 %
address already in use
address=0x7ffd1204
license: MIT
LICENSE file not found
phone verification required
birthday job finished
2026-03-02 14:05:11.123 [http-nio-8080-exec-3] INFO  c.a.billing.InvoiceController - invoice 1042 rendered in 12 ms
2026/03/02 14:05:11 [error] 31#31: *1204 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 10.0.0.4, server: web, request: "GET / HTTP/1.1", upstream: "http://10.0.0.7:8080/"
I0302 14:05:11.123456       1 leaderelection.go:250] attempting to acquire leader lease kube-system/app
W0302 14:05:11.123456       1 warnings.go:70] v1 ComponentStatus is deprecated
time="2026-03-02T14:05:11Z" level=warning msg="The \"API_URL\" variable is not set. Defaulting to a blank string."
[2026-03-02 14:05:11 +0000] [7] [INFO] Booting worker with pid: 7
 ✓ Compiled /dashboard in 1204ms (812 modules)
Step 5/12 : COPY package.json package-lock.json ./
#11 [build 4/6] RUN npm ci --omit=dev
#11 sha256:4f4fb700ef54461cfa02571ae0db9a0dc1e0cdb5577484a6d75e68dc38e8acc1 1.52kB / 1.52kB done
 ---> 4f4fb700ef54
Successfully built 4f4fb700ef54
npm notice New minor version of npm available! 10.8.2 -> 10.9.1
added 412 packages, and audited 413 packages in 12s
go: downloading github.com/jackc/pgx/v5 v5.5.5
github.com/jackc/pgx/v5 v5.5.5 h1:amBjrZVmksIdNjxGW/IiIMzxMKZFelXbUoPNb+8sjQw=
Collecting httpx==0.28.1 (from -r requirements.txt (line 4))
  Downloading httpx-0.28.1-py3-none-any.whl (73 kB)
Installing dependencies from lock file
    "node_modules/ms": { "version": "2.1.3", "resolved": "https://registry.npmjs.org/ms/-/ms-2.1.3.tgz", "integrity": "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==" }
checksum = "e3fcf42e8f1d1f2f4a9b6a1f7c1c6d2b6f3a7c6f0f6f5f2a1b7a5e3d4c2b1a09"
diff --git a/src/auth/token.ts b/src/auth/token.ts
index 3f1a2b4..9c8d7e6 100644
@@ -41,7 +41,9 @@ export function verifyToken(token: string) {
-  const secret = process.env.JWT_SECRET
+  const secret = config.get("jwt.secret")
+  if (!token) throw new UnauthorizedError("token missing")
   return jwt.verify(token, secret)
def login(username, password): return authenticate(username=username, password=password)
raise ValueError("password must not be empty")
assert response.json()["token"] is not None
export const TOKEN_KEY = "app.token"
localStorage.getItem("token")
localStorage.removeItem('access_token')
headers: { Authorization: `Bearer ${token}` }
req.headers.authorization?.split(" ")[1]
os.getenv("API_KEY", "")
password: process.env.DB_PASSWORD || "",
password=os.environ.get("DB_PASSWORD")
this.password = password;
$password = $_POST['password'];
@Value("${db.password}") private String password;
<input type="password" name="password" placeholder="Password">
<label for="password">Password</label>
password = models.CharField(max_length=128)
field :password, :string, virtual: true
has_secure_password
validates :password, presence: true, length: { minimum: 12 }
SELECT token, expires_at FROM sessions WHERE user_id = 42 ORDER BY created_at DESC LIMIT 1
CREATE INDEX idx_tokens_user ON tokens (user_id)
UPDATE users SET password_digest = ? WHERE id = ?
EXPLAIN ANALYZE SELECT * FROM api_keys WHERE key_hash = $1
ERROR:  column "password" does not exist at character 8
ERROR:  null value in column "token" violates not-null constraint
relation "auth_tokens" does not exist
Foreign key constraint is incorrectly formed
Warning: Using a password on the command line interface can be insecure.
redis: WRONGPASS invalid username-password pair or user is disabled.
NOAUTH Authentication required.
MongoServerError: Authentication failed.
ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN
SASL authentication failed: SCRAM-SHA-256
FATAL:  no pg_hba.conf entry for host "10.0.0.4", user "app", database "main", no encryption
x509: certificate signed by unknown authority
tls: failed to verify certificate: x509: certificate has expired
jwt issuer invalid. expected: https://auth.example.com
JWT signature does not match locally computed signature
SignatureDoesNotMatch: The request signature we calculated does not match
ExpiredToken: The security token included in the request is expired
InvalidClientTokenId: The security token included in the request is invalid
AccessDenied: User: arn:aws:iam::123456789012:role/app is not authorized to perform: s3:GetObject
429 Too Many Requests: rate limit reached for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000, Used 29800, Requested 1204
openai.AuthenticationError: Error code: 401 - Incorrect API key provided
stripe.error.AuthenticationError: No API key provided.
git: fatal: could not read Username for 'https://github.com': terminal prompts disabled
remote: Permission to acme/app.git denied to deploy-bot.
Host key verification failed.
deployment 7c9e6679-7425-40de-944b-e07fc1f90ae7 succeeded in 41.2s
railway up: deployment removed, replica 2/2 stopped
volume "data" is 91.2% full (4,560 of 5,000 MB)
cron "0 3 * * *" skipped: previous run still active
vacuum "public.sessions": found 1204 removable, 88120 nonremovable row versions
"""


def _drawn(rng: Random) -> list[str]:
    """Ids and digests that look random and are no secret."""
    h = lambda n: hexa(rng, n)  # noqa: E731 - read in place below
    d = lambda n: digits(rng, n)  # noqa: E731
    u = lambda: make_uuid(rng)  # noqa: E731
    low = "abcdefghijklmnopqrstuvwxyz0123456789"
    return [
        f"request_id={u()} path=/api/items/{d(5)} status=200",
        f'{{"requestId":"{u()}","traceId":"{h(32)}","spanId":"{h(16)}","level":"info"}}',
        f"X-Request-Id: {u()}",
        f"x-railway-request-id: {draw(rng, low, 22)}",
        f"traceparent: 00-{h(32)}-{h(16)}-01",
        f"X-Amzn-Trace-Id: Root=1-{h(8)}-{h(24)}",
        f"commit {h(40)}",
        f"Merge {h(7)} into {h(7)}",
        f"index {h(7)}..{h(7)} 100644",
        f"deployed commit {h(40)} of branch main",
        f"image acme/app@sha256:{h(64)}",
        f"Digest: sha256:{h(64)}",
        f"{h(12)}: Pull complete",
        f"Status: Downloaded newer image, id sha256:{h(12)}",
        f"    --hash=sha256:{h(64)} \\",
        f'"integrity": "sha512-{draw(rng, low, 86)}==",',
        f"https://files.example.org/pkg-1.2.3.whl#sha256={h(64)}",
        f'ETag: "{h(32)}"',
        f'etag: W/"{h(16)}-{h(6)}"',
        f"sentry event id: {h(32)}",
        f"deployment {u()} is live, replica {u()}",
        f"service {u()} in environment {u()}",
        f"RAILWAY_DEPLOYMENT_ID={u()}",
        f"RAILWAY_GIT_COMMIT_SHA={h(40)}",
        f"session ses_{draw(rng, low, 26)} completed",
        f"ts=17{d(17)} monotonic={d(14)}",
        f"timestamp: 17{d(8)}.{d(6)}",
        f"event_time=17{d(11)}",
        f"order_id={d(12)} user_id={d(8)}",
        f"trace={h(32)} span={h(16)} sampled=true",
        f"object {h(40)} blob 1204",
        f"tree {h(40)}",
        f"md5sum {h(32)}  /srv/app/dist/app.js",
        f"pod billing-api-{draw(rng, low, 10)}-{draw(rng, low, 5)} started",
        f"mongo _id: ObjectId('{h(24)}')",
        f"GET /static/js/main.{h(8)}.chunk.js 200",
        f"GET /uploads/{u()}.png 200",
        f"0x{h(16)} in start_thread () from /lib64/libpthread.so.0",
        f"#1 0x00007f{h(10)} in g_main_loop_run ()",
        f"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA{draw(rng, low, 60)}",
        f"build id {h(40)} of debug file",
        f"transaction {h(8)}-{h(4)}, xid {d(9)}, lsn {h(2)}/{h(8)}",
        f"kafka offset={d(9)} partition=12 key=null",
        f"correlation_id: {u()}",
        f"cf-ray: {h(16)}-FRA",
        f"fingerprint {h(10)} episode 1 attempt 2",
        f"checksum mismatch: expected {h(64)}, got {h(64)}",
        f"queue message {u()} acknowledged, receipt {d(6)}",
        f"job #{d(6)} took {d(2)}.{d(3)} s",
        f"SHA1 Fingerprint={':'.join(h(2).upper() for _ in range(20))}",
    ]


def make_clean(rng: Random) -> list[str]:
    """Every line that must stay, the drawn ones anew."""
    fixed = [line for line in _FIXED.split("\n") if line]
    return fixed + _drawn(rng) + make_foreign_clean(rng)
