"""Tags, live values, hidden characters, cut lines."""

from __future__ import annotations

import base64
import hmac
import json
import re
import subprocess
import sys
from random import Random
from urllib.parse import quote

import pytest

from autofix.redact import redact, redact_tree, redactor
from autofix.redact.clean import LINE_CAP
from autofix.redact.markdown import inline
from autofix.redact.tags import render_marker
from autofix.settings import Settings
from tests.support.redaction import made

MARKER = re.compile(r"«([a-z0-9-]+):([0-9a-f]{4})»")
RNG = Random(7)
TOKEN = made.TOKENS["github classic"](RNG)
LIVE = made.draw(RNG, made._ALNUM + "+/&*_", 33)


def tag_of(text: str) -> str:
    (found,) = MARKER.findall(text)
    return found[1]


def test_a_value_leaves_its_kind_and_a_tag() -> None:
    """What it was can be told, and whether it was the same."""
    out = redact(f"pushing with {TOKEN}")
    assert re.fullmatch(r"pushing with «github-token:[0-9a-f]{4}»", out)


def test_equal_values_have_equal_tags_wherever_they_stand() -> None:
    """The same secret in a header, a query and a sentence."""
    texts = (f"token={TOKEN} x", f"Authorization: Bearer {TOKEN}", f"?access_token={TOKEN}&a=1")
    assert len({tag_of(redact(text)) for text in texts}) == 1


def test_personal_data_is_equal_however_it_is_written() -> None:
    """Blanks in a card, case and encoding of a mail address."""
    card = made.luhn("4", 16, RNG)
    spaced = " ".join(card[i : i + 4] for i in range(0, 16, 4))
    assert tag_of(redact(f"card {card}")) == tag_of(redact(f"card {spaced}"))
    mails = ("Jane@Example.com", "jane@example.com", "jane%40example.com")
    assert len({tag_of(redact(f"to {mail}")) for mail in mails}) == 1


def test_tags_differ_between_installations() -> None:
    """Another key, other tags; the same key, the same."""
    text = f"pushing with {TOKEN}"
    one, two = (redactor((), key=key)(text) for key in ("first installation", "second"))
    assert one != two
    assert redactor((), key="second")(text) == two


def test_tags_are_the_same_in_every_process() -> None:
    """Nothing random goes into them: a new process with the same settings says the same."""
    code = f"from autofix.redact import redact; print(redact('with {TOKEN}'))"
    runs = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    assert "«github-token:" in runs[0].stdout


def test_the_key_comes_from_the_settings() -> None:
    """A set key counts alone; without one, the project and the live secrets make it."""
    text = f"with {TOKEN}"
    plain = {"_env_file": None, "railway_project_id": "p1", "github_token": LIVE}
    base = redactor(Settings(**plain))(text)
    assert redactor(Settings(**plain))(text) == base
    assert redactor(Settings(**plain | {"railway_project_id": "p2"}))(text) != base
    keyed = {"autofix_redaction_key": "k" * 32}
    outs = {
        redactor(Settings(**plain | keyed | {"railway_project_id": p}))(text) for p in ("a", "b")
    }
    assert len(outs) == 1


FORMS = {
    "clear": str,
    "url": lambda s: quote(s, safe=""),
    "json": json.dumps,
    "json in json": lambda s: json.dumps({"a": json.dumps({"b": s})}),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64, one before": lambda s: base64.b64encode(f"x{s}".encode()).decode(),
    "base64, four before": lambda s: base64.b64encode(f"bot:{s}yz".encode()).decode(),
    "base64, two before": lambda s: base64.urlsafe_b64encode(f"ab{s}z".encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "markdown": inline,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_a_live_secret_goes_in_every_form(form) -> None:
    """In clear, URL- and JSON-encoded, in hex, and in base64 wherever it begins in it."""
    text = f"before {form(LIVE)} after"
    out = redactor([LIVE])(text)
    assert MARKER.search(out)
    assert form(LIVE)[4:-4] not in out
    assert out.startswith("before ")
    assert out.endswith(" after")


def test_what_was_made_harmless_first_is_still_known() -> None:
    """A finished pull request passes the door as well, with its marks taken apart."""
    password = made.draw(RNG, made._ALNUM, 18)
    text = inline(f"mail jane@example.com or postgres://app:{password}@db.example.com/main")
    assert "&#8203;" in text
    out = redact(text)
    assert password not in out
    assert "jane" not in out


def test_a_tag_is_a_keyed_hash_as_the_library_has_it() -> None:
    """HMAC-SHA-256, worked out with less ado."""
    for key, value in ((b"k" * 32, b"value"), (b"", b""), (b"k" * 64, TOKEN.encode() * 9)):
        tag = hmac.digest(key, value, "sha256").hex()[:4]
        assert render_marker(key, "token", value) == f"«token:{tag}»".encode()


def test_live_secrets_are_taken_from_settings_and_environment(monkeypatch) -> None:
    """Also a key of another provider, which only the environment knows."""
    other = made.draw(RNG, made._ALNUM, 30)
    monkeypatch.setenv("SOME_PROVIDER_API_KEY", other)
    monkeypatch.setenv("SOME_PROVIDER_REGION", "europe-west-four")
    door = redactor(Settings(_env_file=None, openai_api_key=LIVE))
    out = door(f"a {LIVE} b {other} c europe-west-four")
    assert [kind for kind, _ in MARKER.findall(out)] == ["live-secret", "live-secret"]
    assert out.endswith("c europe-west-four")


def test_a_marker_that_is_there_already_stays() -> None:
    """A text may pass the door twice, in part as well."""
    once = redact(f"password={TOKEN} mail jane@example.com")
    assert redact(f"{once} and {once}") == f"{once} and {once}"


def test_the_end_of_a_key_is_looked_at_again() -> None:
    """With its beginning taken out it is one that has lost it, however far below it stands."""
    begin, end = (f"-----{word} RSA " + "PRIVATE KEY-----" for word in ("BEGIN", "END"))
    once = redact(f"a\nkey {begin}{TOKEN}\nabc123\n+ {end}\nb")
    assert "abc123" not in once
    assert redact(once) == once


def test_a_false_marker_hides_nothing() -> None:
    """What only looks like one is a value like any other."""
    secret = made.draw(RNG, made._ALNUM, 20)
    assert secret not in redact(f"password=«{secret}»")
    assert secret not in redact(f"password=«token:{secret}»")


@pytest.mark.parametrize("hidden", ["\u200b", "\u2060", "\u202e", "\U000e0041", "\x1b[31m", "\x00"])
def test_hidden_characters_go_before_rules_look(hidden: str) -> None:
    """A token with one inside is still a token."""
    cut = len(TOKEN) // 2
    out = redact(f"with {TOKEN[:cut]}{hidden}{TOKEN[cut:]}")
    assert out.startswith("with «github-token:")
    assert hidden not in out


def test_line_breaks_become_newlines_and_tabs_stay() -> None:
    """Carriage returns and Unicode's separators cannot hide a line."""
    assert redact("a\r\nb\rc\u2028d\te\x85f") == "a\nb\nc\nd\te\nf"


def test_emoji_and_letters_of_all_scripts_stay() -> None:
    """Only what cannot be seen goes."""
    text = "⚠️ Größe 12 µm — 日本語 עברית ✓ ½"
    assert redact(text) == text


def test_half_a_surrogate_pair_is_no_trouble() -> None:
    """JSON from outside can hold one."""
    assert redact("a\ud83d b") == "a? b"


def test_a_long_line_is_cut_and_says_how_much() -> None:
    """The cut line counts what was dropped, and a second look cuts no further."""
    line = "word " * 5_000
    out = redact(line)
    assert len(out) <= LINE_CAP
    kept, dropped = re.fullmatch(r"(.*)… \[(\d+) characters dropped\]", out).groups()
    assert len(kept) + int(dropped) == len(line)
    assert redact(out) == out


@pytest.mark.parametrize("kind", ["github classic", "jwt", "aws id", "slack webhook", "pypi"])
def test_no_cut_leaves_the_beginning_of_a_secret(kind: str) -> None:
    """Wherever the cut falls, a token that it would part is dropped or redacted as a whole."""
    for at in range(LINE_CAP - 260, LINE_CAP + 20, 7):
        secret = made.TOKENS[kind](RNG)
        line = f"{'x ' * (at // 2)}{secret} {'tail ' * 100}"
        assert secret[:10] not in redact(line).replace("https://hooks", "")


def test_markers_do_not_count_towards_the_cap() -> None:
    """A redacted line is longer than it was, and is not cut for it."""
    line = " ".join(f"u{i}@example.com" for i in range(200))
    assert len(line) < LINE_CAP
    out = redact(line)
    assert out.count("«email:") == 200
    assert redact(out) == out


def test_every_text_of_a_tree_passes_the_door() -> None:
    """Numbers, names of fields and structure stay."""
    tree = {"a": [f"x {TOKEN}", 1, None], "b": {"c": True, "d": "plain"}}
    out = redact_tree(tree, redact)
    assert TOKEN not in json.dumps(out)
    assert out["b"] == {"c": True, "d": "plain"}
    assert out["a"][1:] == [1, None]
