"""Credentials that are known by their own shape, wherever they stand. Rules as data.

Each rule is a kind and a pattern. Patterns ask for the vendor's prefix and a tail that is long
enough, not for an exact length: vendors change lengths, and a cut token is still most of a token.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from autofix.redact.spans import RuleSet, Span, one_of, rx
from autofix.redact.values import looks_random

_W = "[A-Za-z0-9]"
_U = r"[A-Za-z0-9_\-]"
_HEX = "[0-9a-fA-F]"
_UUID = rf"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}"

PREFIXED: tuple[tuple[str, str], ...] = (
    ("github-token", rf"gh[pousr]_{_U}{{16,}}(?:\.{_U}{{2,}}){{0,3}}|github_pat_\w{{20,}}"),
    ("github-token", rf"\bv1\.{_HEX}{{40}}\b"),
    ("gitlab-token", rf"gl(?:pat|ptt|dt|rtr?|cbt|ft|soat|imt|agent|oas|ffct|wt)-{_U}{{16,}}(?:\.{_U}{{7,}}){{0,2}}|GR1348941{_U}{{16,}}"),
    ("bitbucket-token", rf"\bATBB{_W}{{24,}}"),
    ("atlassian-token", r"AT(?:ATT3|CTT3)[A-Za-z0-9_\-=]{20,}"),
    ("aws-key", r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA|AIDA|AROA)[A-Z0-9]{16}\b"),
    ("aws-key", r"\bABSK[A-Za-z0-9+/]{80,}={0,2}|bedrock-api-key-[A-Za-z0-9+/=]{20,}"),
    ("gcp-key", rf"AIza{_U}{{30,}}"),
    ("gcp-token", rf"\bya29\.[A-Za-z0-9_\-.]{{20,}}|\b1//0{_U}{{20,}}|GOCSPX-{_U}{{20,}}"),
    ("anthropic-key", rf"\bsk-ant-{_U}{{16,}}"),
    ("openai-key", rf"\bsk-(?:proj|svcacct|admin|None|or-v1|lf)-{_U}{{16,}}|\bsess-{_W}{{32,}}"),
    ("openai-key", rf"\bsk-{_W}{{20,}}"),
    ("stripe-key", rf"\b[srp]k_(?:live|test|prod)_{_W}{{10,}}|\bwhsec_[A-Za-z0-9+/=]{{16,}}"),
    ("stripe-secret", rf"\b(?:pi|seti|cs|src|sub)_{_W}{{8,}}_secret_{_W}{{8,}}"),
    ("signature", rf"\bv[01]={_HEX}{{64}}\b"),
    ("slack-token", r"\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9\-]{10,}|\bxapp-[0-9]-[A-Za-z0-9\-]{16,}"),
    ("slack-webhook", r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_\-]{16,}"),
    ("discord-webhook", rf"discord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks/[0-9]{{15,22}}/{_U}{{20,}}"),
    ("teams-webhook", r"\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/\-]{40,}"),
    ("webhook", r"hooks\.zapier\.com/hooks/catch/[0-9a-z/]{8,}|maker\.ifttt\.com/trigger/\w+/with/key/[\w\-]{16,}"),
    ("twilio-key", rf"\b(?:AC|SK){_HEX}{{32}}\b"),
    ("sendgrid-key", rf"\bSG\.{_U}{{12,}}\.{_U}{{16,}}"),
    ("npm-token", rf"\bnpm_{_W}{{30,}}"),
    ("pypi-token", rf"\bpypi-Ag{_U}{{40,}}|\bpypi-{_U}{{60,}}"),
    ("rubygems-key", rf"\brubygems_{_HEX}{{40,}}"),
    ("docker-token", rf"\bdckr_(?:pat|oat)_{_U}{{20,}}"),
    ("digitalocean-token", rf"\bdo[opr]_v1_{_HEX}{{40,}}"),
    ("heroku-key", rf"HRKU-{_U}{{30,}}"),
    ("mailgun-key", rf"\bkey-{_HEX}{{32}}\b"),
    ("brevo-key", rf"\bx(?:keysib|smtpsib)-{_HEX}{{40,}}(?:-{_W}{{10,}})?"),
    ("newrelic-key", rf"\bNR(?:AK|JS|II|RA|IQ|BR)-{_U}{{16,}}"),
    ("sentry-token", r"\bsntry[su]_[A-Za-z0-9+/=_\-]{30,}"),
    ("grafana-token", r"\bgl(?:c|sa)_[A-Za-z0-9+/=_]{30,}|\beyJrIjoi[A-Za-z0-9+/=]{40,}"),
    ("cloudflare-key", rf"\bv1\.0-{_HEX}{{24}}-{_HEX}{{100,}}"),
    ("huggingface-token", rf"\b(?:hf|api_org)_{_W}{{30,}}"),
    ("shopify-token", rf"\bshp(?:at|ca|pa|ss|tka)_{_HEX}{{30,}}"),
    ("square-token", rf"\bEAAA[A-Za-z0-9_\-]{{22,}}\b|\bsq0(?:atp|csp|idp)-{_U}{{20,}}"),
    ("facebook-token", rf"\bEAA[A-Z]{_W}{{60,}}"),
    ("planetscale-token", r"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.\-]{20,}"),
    ("neon-token", rf"\bnapi_{_W}{{30,}}|\bnpg_{_W}{{10,}}"),
    ("doppler-token", r"\bdp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_\-.]{30,}"),
    ("vault-token", rf"\bhv[sbr]\.{_U}{{20,}}"),
    ("linear-key", rf"\blin_(?:api|oauth|wh)_{_W}{{30,}}"),
    ("notion-token", rf"\bntn_{_W}{{30,}}|\bsecret_{_W}{{40,}}"),
    ("supabase-key", rf"\bsbp_{_HEX}{{30,}}|\bsb_(?:secret|publishable)_{_U}{{20,}}"),
    ("databricks-token", rf"\bdapi{_HEX}{{32}}(?:-[0-9])?"),
    ("fly-token", rf"\bfo1_{_U}{{30,}}|\bfm[12][ar]?_[A-Za-z0-9+/=,_\-]{{40,}}"),
    ("vercel-token", rf"\bvc[pickar]_{_W}{{20,}}"),
    ("netlify-token", rf"\bnf[pcoub]_{_W}{{30,}}"),
    ("render-key", rf"\brnd_{_W}{{20,}}"),
    ("resend-key", rf"\bre_{_W}{{8}}_{_W}{{20,}}"),
    ("pulumi-token", rf"\bpul-{_HEX}{{40}}"),
    ("prefect-key", rf"\bpn[ub]_{_W}{{30,}}"),
    ("dynatrace-token", rf"\bdt0[a-z][0-9]{{2}}\.{_W}{{20,}}\.{_W}{{40,}}"),
    ("postman-key", rf"\bPMAK-{_HEX}{{20,}}-{_HEX}{{30,}}"),
    ("figma-token", rf"\bfig[dou]r?_{_U}{{30,}}"),
    ("airtable-token", rf"\bpat{_W}{{14}}\.{_HEX}{{60,}}"),
    ("hubspot-token", rf"\bpat-(?:na|eu|ap)[0-9]-{_UUID}"),
    ("typeform-token", r"\btfp_[A-Za-z0-9_.=\-]{40,}"),
    ("dropbox-token", r"\bsl\.(?:u\.)?[A-Za-z0-9_=\-]{60,}"),
    ("contentful-token", rf"\bCFPAT-{_U}{{30,}}"),
    ("mapbox-token", r"\b[sp]k\.eyJ[A-Za-z0-9_\-]{20,}\.[A-Za-z0-9_\-]{10,}"),
    ("groq-key", rf"\bgsk_{_W}{{30,}}"),
    ("xai-key", rf"\bxai-{_W}{{30,}}"),
    ("perplexity-key", rf"\bpplx-{_W}{{30,}}"),
    ("replicate-token", rf"\br8_{_W}{{30,}}"),
    ("pinecone-key", rf"\bpcsk_{_U}{{30,}}"),
    ("langsmith-key", rf"\blsv2_(?:pt|sk)_{_W}{{30,}}(?:_{_W}+)?"),
    ("posthog-key", rf"\bph[xc]_{_W}{{30,}}"),
    ("tailscale-key", rf"\btskey-[a-z]+-{_U}{{16,}}"),
    ("circleci-token", rf"\bCCIPAT_{_W}{{16,}}_{_W}{{30,}}"),
    ("buildkite-token", rf"\bbkua_{_HEX}{{30,}}"),
    ("sonar-token", rf"\bsq[upa]_{_HEX}{{40}}"),
    ("sourcegraph-token", rf"\bsgp_(?:(?:{_HEX}{{16}}|local)_)?{_HEX}{{40}}"),
    ("artifactory-key", rf"\bAKCp{_W}{{60,}}|\bcmVmdGtuO{_W}{{40,}}"),
    ("nuget-key", r"\boy2[a-z0-9]{43}\b"),
    ("clojars-token", rf"CLOJARS_{_HEX}{{50,}}"),
    ("crates-token", rf"\bcio{_W}{{32}}\b"),
    ("onepassword-token", r"\bops_eyJ[A-Za-z0-9+/=_\-]{60,}|\bA3-[A-Z0-9]{6}(?:-[A-Z0-9]{5,11}){4,5}"),
    ("alibaba-key", rf"\bLTAI{_W}{{16,}}"),
    ("yandex-key", rf"\bAQVN{_U}{{30,}}|\bt1\.{_U}{{4,}}={{0,2}}\.{_U}{{80,}}"),
    ("shippo-token", rf"\bshippo_(?:live|test)_{_HEX}{{40}}"),
    ("easypost-key", rf"\bEZ[AT]K{_W}{{50,}}"),
    ("plaid-token", rf"\baccess-(?:sandbox|development|production)-{_UUID}"),
    ("razorpay-key", rf"\brzp_(?:live|test)_{_W}{{10,}}"),
    ("flutterwave-key", rf"\bFLW(?:SEC|PUB)K(?:_TEST)?-{_W}{{12,}}(?:-X)?"),
    ("launchdarkly-key", rf"\b(?:sdk|mob|api)-{_UUID}"),
    ("duffel-token", rf"\bduffel_(?:test|live)_{_U}{{30,}}"),
    ("readme-key", rf"\brdme_{_W}{{50,}}"),
    ("honeycomb-key", rf"\bhc[abx][il]k_{_W}{{20,}}"),
    ("axiom-token", rf"\bxa[ap]t-{_UUID}"),
    ("openshift-token", rf"\bsha256~{_U}{{40,}}"),
    ("octopus-key", r"\bAPI-[A-Z0-9]{26,}\b"),
    ("firebase-key", rf"\bAAAA{_U}{{7}}:{_U}{{100,}}"),
    ("vercel-token", rf"\bvercel_blob_rw_{_W}{{10,}}_{_W}{{20,}}"),
    ("datadog-key", rf"http-intake\.logs\.[a-z0-9.\-]+/(?:v1/input|api/v2/logs)/{_HEX}{{32}}"),
    ("tavily-key", rf"\btvly-{_U}{{20,}}"),
    ("firecrawl-key", rf"\bfc-{_HEX}{{32}}\b"),
    ("jina-key", rf"\bjina_{_U}{{40,}}"),
    ("nvidia-key", rf"\bnvapi-{_U}{{40,}}"),
    ("elevenlabs-key", rf"\bsk_{_HEX}{{40,}}"),
    ("fireworks-key", rf"\bfw_{_W}{{22,}}\b"),
    ("llamacloud-key", rf"\bllx-{_U}{{30,}}"),
    ("e2b-key", rf"\be2b_{_HEX}{{30,}}"),
    ("trigger-key", rf"\btr_(?:dev|prod|stg|preview)_{_W}{{18,}}"),
    ("inngest-key", rf"\bsignkey-(?:prod|test|branch)-{_HEX}{{30,}}"),
    ("mailersend-key", rf"\bmlsn\.{_HEX}{{40,}}"),
    ("paddle-key", rf"\bpdl_(?:live|sdbx)_apikey_{_U}{{20,}}"),
    ("polar-token", rf"\bpolar_(?:oat|pat|whs)_{_W}{{20,}}"),
    ("clickup-token", r"\bpk_[0-9]{6,10}_[A-Z0-9]{30,}"),
    ("adafruit-key", rf"\baio_{_W}{{28}}\b"),
    ("age-key", r"AGE-SECRET-KEY-1[0-9A-Z]{40,}"),
    ("jwt", rf"\beyJ{_U}{{8,}}(?:\.{_U}{{4,}}){{1,4}}\.?"),
    ("jwt", rf"\beyJ(?:hbGciO|0eXAiO|raWQiO|jdHkiO){_U}{{8,}}"),
    ("jwt", r"\bZXlK[A-Za-z0-9+/=]{40,}"),
    ("password-hash", r"\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{20,}|\$argon2(?:id|i|d)\$[A-Za-z0-9$=,+/.\-]{20,}"),
    ("password-hash", r"\$(?:1|5|6|y|7|apr1|sha1|scrypt|pbkdf2[a-z0-9\-]*)\$[A-Za-z0-9./$=,+]{16,}|\b(?:pbkdf2_sha(?:1|256|512)|bcrypt_sha256|scrypt:[0-9:]+)\$[A-Za-z0-9$=/+.,]{20,}|\{(?:SS?HA|SMD5)(?:256|512)?\}[A-Za-z0-9+/=]{16,}"),
)  # fmt: skip
"""Rules with a prefix that nothing else has."""

SHAPED: tuple[tuple[str, str], ...] = (
    ("telegram-token", r"\b(?:bot)?[0-9]{8,10}:[A-Za-z0-9_\-]{35}\b"),
    ("discord-token", rf"\b[MNO]{_U}{{23,27}}\.{_U}{{6,7}}\.{_U}{{27,40}}"),
    ("vault-token", rf"\bs\.{_W}{{24}}\b"),
    ("mailgun-key", rf"\b{_HEX}{{32}}-{_HEX}{{8}}-{_HEX}{{8}}\b"),
    ("mailchimp-key", rf"\b{_HEX}{{32}}-us[0-9]{{1,2}}\b"),
    ("newrelic-key", rf"\b{_HEX}{{36}}NRAL\b"),
    ("terraform-token", rf"\b{_W}{{14}}\.atlasv1\.[A-Za-z0-9_=\-]{{40,}}"),
    ("azure-secret", rf"{_W}{{3}}[0-9]Q~[A-Za-z0-9_~.\-]{{30,}}"),
    ("firebase-key", rf"\b{_U}{{6,16}}:APA91b{_U}{{60,}}"),
    ("maxmind-key", rf"\b{_W}{{6}}_{_W}{{29}}_mmk\b"),
)
"""Rules that only look random in the right places."""

_COUNTED = re.compile(r"\{(\d+)(?:,\d*)?\}")


def _uncounted(pattern: str) -> str:
    return _COUNTED.sub(lambda count: "*" if count[1] == "0" else "+", pattern)


_CANDIDATE = rx(one_of(*(_uncounted(pattern) for _, pattern in PREFIXED)))
"""What may be a token: the same patterns without their counts, which would cost re2 its speed."""
_ANY_SHAPED = rx(one_of(*(pattern for _, pattern in SHAPED)))
_PREFIXED = RuleSet(pattern for _, pattern in PREFIXED)
_SHAPED = RuleSet(pattern for _, pattern in SHAPED)
_ENCODED_PEM = rx(r"LS0tLS1CRUdJTi[A-Za-z0-9+/=\-_]{16,}")
_AWS_PAIR = rx(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b[^\n]{1,60}?\b([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|\z)"
)
_WORDY = {"vault-token", "discord-token"}
"""Shapes that names joined by dots have as well."""
_MASKS = b"xX*._-"
_TAIL = 10


def find_tokens(data: bytes) -> Iterator[Span]:
    """Tokens with a prefix of their own, and private keys in base64."""
    at = 0
    while (start := _CANDIDATE.find(data, at)[0]) >= 0:
        rule, end = _PREFIXED.first(data, start)
        if rule < 0:
            at = start + 2
            continue
        end = start + len(data[start:end].rstrip(b"."))
        at = max(end, start + 2)
        if not _is_picture(data[start:end]):
            yield Span(start, end, PREFIXED[rule][0])
    if b"LS0tLS1CRUdJTi" not in data:
        return
    for match in _ENCODED_PEM.finditer(data):
        if b"PRIVATE KEY" in base64.b64decode(match[0][:60]):
            yield Span(match.start(), match.end(), "private-key")


def find_shapes(data: bytes) -> Iterator[Span]:
    """Tokens without a prefix that look random where they should, and AWS pairs."""
    for start, end in _ANY_SHAPED.places(data):
        text = data[start:end]
        kind = SHAPED[_SHAPED.first(text, 0)[0]][0]
        if kind not in _WORDY or looks_random(text.removeprefix(b"s.")):
            yield Span(start, end, kind)
    if b"AKIA" not in data and b"ASIA" not in data:
        return
    for match in _AWS_PAIR.finditer(data):
        if looks_random(match[1]):
            yield Span(match.start(1), match.end(1), "aws-secret")


def _is_picture(text: bytes) -> bool:
    """A token that is only drawn, as in ``sk-xxxxxxxx``."""
    return not text[-_TAIL:].strip(_MASKS)
