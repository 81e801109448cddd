"""Secrets of every kind in any surroundings: nothing leaks, and a second look changes nothing."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from autofix.redact import redact, redactor
from autofix.redact.keys import Grade, Key
from autofix.redact.values import OPAQUE, is_opaque, is_secret
from tests.support.redaction import made
from tests.support.redaction.dirty import make_dirty, make_people

SEED = st.integers(0, 2**32 - 1)
AROUND = st.text(
    st.sampled_from("abcXYZ019 \t\"'`=:;,.<>()[]{}|&?/\\-_@#$%*!«»\n\u200béß漢"), max_size=40
)
EDGE = st.sampled_from(
    [
        ("", ""),
        (" ", " "),
        ('"', '"'),
        ("(", ")"),
        ("'", "',"),
        ("\n", "\n"),
        ("=", "&"),
        ("[", "]."),
    ]
)
PIECES = st.sampled_from(
    ["password", "token", "secret_key", "Authorization: Bearer ", "Cookie: ", "a=b; ", "://", "user:",
     "@host", "eyJ", "«token:a1b2»", "«", "»", "1.2.3.4", "203.0.113.9", "4111 1111 1111 1111",
     "+49 170 1234567", "jane@example.com", "DE89370400440532013000", "=", ": ", '"', "'", "\\", "\n",
     " ", "-p ", "x", "-----BEGIN RSA PRIVATE" + " KEY-----", "MIIE" * 20, "is ", ",", "{", "}", "%3D",
     "\\n", "value: ", "- name: ", "|", "https", "\u202e", "9" * 16, "abc123", "Zx9!"]
)  # fmt: skip


@given(SEED, st.sampled_from(sorted(made.TOKENS)), AROUND, AROUND, EDGE)
def test_no_token_leaks(
    seed: int, kind: str, before: str, after: str, edge: tuple[str, str]
) -> None:
    """A token with a delimiter on both sides goes, whatever stands around it."""
    secret = made.TOKENS[kind](Random(seed))
    tail = secret.rstrip("=")[-12:]
    out = redact(f"{before}{edge[0] or ' '}{secret}{edge[1] or ' '}{after}")
    assert secret not in out
    assert tail not in out


@given(SEED, AROUND, AROUND)
def test_no_live_secret_leaks(seed: int, before: str, after: str) -> None:
    """A live value goes even where nothing delimits it."""
    secret = made.draw(Random(seed), made._ALNUM, 24)
    assert secret not in redactor([secret])(f"{before}{secret}{after}")


@given(SEED)
@settings(max_examples=25)
def test_no_line_of_the_corpus_leaks(seed: int) -> None:
    """Whatever is drawn, next to nothing gets through."""
    rng = Random(seed)
    lines = [*make_dirty(rng, each=1), *make_people(rng, each=2)]
    leaked = [d for d in lines if any(secret in redact(d.text) for secret in d.secrets)]
    assert len(leaked) <= 0.02 * len(lines), leaked


@given(st.lists(PIECES, max_size=25))
@settings(max_examples=400)
def test_a_second_look_changes_nothing(pieces: list[str]) -> None:
    """Texts made of what rules look for."""
    once = redact("".join(pieces))
    assert redact(once) == once


@given(
    st.lists(
        st.sampled_from(
            [
                "x",
                "X",
                "xxxx",
                "change",
                "me",
                "here",
                "placeholder",
                "projects/",
                "secrets",
                "/",
                "-",
                "_",
                "+",
                "=",
                "a",
                "Zq",
                "v",
                "1",
                "20",
                "26",
                "e",
                "kb",
                "ms",
                "sha",
                "256",
                "password",
                "token",
                "hours",
                "n/a",
                "aes",
                "gcm",
                "your",
                "none",
                "Th3",
                "7fG",
            ]
        ),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
)
@settings(max_examples=400)
def test_the_short_way_leads_nowhere_else(pieces: list[str], quoted: bool) -> None:
    """What the short way takes for a secret is one by all the rules as well."""
    value = "".join(pieces).encode()
    if OPAQUE.fullmatch(value) and is_opaque(value):
        for kind in ("password", "secret", "token", "api-key"):
            assert is_secret(value, Key(kind, Grade.any), quoted=quoted)


@given(st.text())
def test_any_text_passes(text: str) -> None:
    """Nothing raises, and a second look changes nothing."""
    once = redact(text)
    assert redact(once) == once
