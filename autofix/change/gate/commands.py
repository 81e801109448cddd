"""Commands that fetch and run what nobody reviewed."""

from __future__ import annotations

import re

_FETCH = (
    r"\b(?:curl|wget|fetch|aria2c|lwp-request|https?|Invoke-WebRequest|iwr|irm|Invoke-RestMethod)\b"
)
_SHELL = (
    r"(?:sudo\s+(?:-\w+\s+)*)?(?:env\s+)?(?:\S*/)?(?:ba|z|da|k|c|a)?"
    r"(?:sh|python[\d.]*|node|perl|ruby|php|iex|pwsh|powershell|deno|bun)\b"
)
_RUN_OF_FETCH = (
    r"(?:\b(?:ba|z|da|k)?sh|\bsource|\beval|\bpython[\d.]*|\bnode|(?:^|[\s;&])\.)\s+(?:-\w+\s+)*"
    r"[\"']?(?:<\(|\$\(|`)\s*(?:curl|wget)\b"
)
_FETCH_THEN_RUN = (
    r"\b(?:curl|wget)\b[^\n]{0,400}(?:&&|;)\s*(?:sudo\s+)?"
    r"(?:(?:ba|z|da)?sh\s+\S|chmod\s+(?:\+x|\d*[1357]\d*)\s)"
)
_RUNS_DOWNLOAD = "runs what it downloads"
_RUNS_DECODED = "runs what it decodes"
_OPENS_SHELL = "opens a shell to somewhere"
_TRUSTS_ANYBODY = "turns off the check of who it talks to"
_OTHER_PACKAGES = "takes packages from elsewhere"
_DANGERS: tuple[tuple[str, str], ...] = (
    (_RUNS_DOWNLOAD, _FETCH + r"[^\n|;]{0,400}\|\s*" + _SHELL),
    (_RUNS_DOWNLOAD, _FETCH + r"[^\n]{0,400}\|\s*tee\b[^\n|]{0,100}\|\s*" + _SHELL),
    (_RUNS_DOWNLOAD, _RUN_OF_FETCH),
    (_RUNS_DOWNLOAD, _FETCH_THEN_RUN),
    (_RUNS_DECODED, r"\bbase64\s+(?:-d|-D|--decode)\b[^\n]{0,200}\|\s*" + _SHELL),
    (
        _RUNS_DECODED,
        r"(?i)\b(?:pwsh|powershell)(?:\.exe)?\b[^\n]{0,100}\s-e(?:nc\w*)?\s+[A-Za-z0-9+/=]{20,}",
    ),
    (_OPENS_SHELL, r"/dev/(?:tcp|udp)/|\bn(?:c|cat)\b[^\n]{0,80}\s-(?:e|c)\b"),
    (_OPENS_SHELL, r"\bsocat\b[^\n]{0,100}\bexec:"),
    ("gives everybody all rights", r"\bchmod\s+(?:-R\s+)?(?:0?777|a\+rwx|[ug]\+s|[24]7\d\d)\b"),
    (_TRUSTS_ANYBODY, r"(?i)\bcurl\b[^\n]{0,200}\s(?:-k|--insecure)\b|--no-check-certificate"),
    (_TRUSTS_ANYBODY, r"(?i)NODE_TLS_REJECT_UNAUTHORIZED\W{1,6}0|--trusted-host\b"),
    (_TRUSTS_ANYBODY, r"(?i)strict-ssl\W{1,4}false|sslverify\W{1,4}false"),
    (_OTHER_PACKAGES, r"(?i)--(?:extra-)?index-url\b|--find-links\b|--registry[ =]"),
    (
        _OTHER_PACKAGES,
        r"(?i)\b(?:pip[\d.]*|npm|yarn|pnpm)\s+(?:i|install|add)\b[^\n]{0,200}(?:git\+|https?://)",
    ),
)
_COMPILED = tuple((what, re.compile(pattern)) for what, pattern in _DANGERS)


def find_danger(text: str) -> str | None:
    """What a command line does that is never published; None when nothing was seen."""
    return next((what for what, pattern in _COMPILED if pattern.search(text)), None)
