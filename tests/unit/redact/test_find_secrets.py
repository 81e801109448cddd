"""What a gate is told about added lines."""

from __future__ import annotations

from random import Random

from autofix.redact import Found, find_secrets
from tests.support.redaction import made
from tests.support.redaction.clean import make_clean
from tests.support.redaction.dirty import make_dirty

RNG = Random(11)


def test_a_secret_is_named_by_line_and_kind() -> None:
    """Lines count from one, as the text is given; no value is told."""
    token = made.TOKENS["github classic"](RNG)
    password = made.draw(RNG, made._ALNUM, 16)
    text = f"import os\nTOKEN = '{token}'\n\ndb_password = \"{password}\"\n"
    found = find_secrets(text)
    assert found == [Found(2, "github-token"), Found(4, "password")]
    assert token not in repr(found)


def test_a_key_over_many_lines_is_found_where_it_begins() -> None:
    """A block counts once."""
    text = "\n".join(["# test key", *made.pem_lines(RNG), "done"])
    assert find_secrets(text) == [Found(2, "private-key")]


def test_placeholders_code_and_people_are_no_secrets() -> None:
    """A gate that cries at these would be switched off."""
    lines = [
        'token = os.environ["API_TOKEN"]',
        "password: ${DB_PASSWORD}",
        "api_key = settings.api_key",
        "author = 'jane@example.com'  # +49 170 1234567, 203.0.113.9",
        "assert redact(text) == expected",
    ]
    assert find_secrets("\n".join(lines)) == []


def test_a_long_line_is_searched_to_its_end() -> None:
    """A door may cut a line, a gate may not."""
    token = made.TOKENS["stripe"](RNG)
    text = f"first\n{'var a = 1; ' * 3_000}var t = '{token}';{'x' * 9_000}\nlast"
    assert find_secrets(text) == [Found(2, "stripe-key")]


def test_it_finds_what_the_door_takes_out() -> None:
    """On the corpus: nearly every line with a credential, next to none without."""
    dirty = [line.text for line in make_dirty(RNG, each=4)]
    clean = make_clean(RNG)
    assert sum(not find_secrets(text) for text in dirty) <= 0.03 * len(dirty)
    assert sum(bool(find_secrets(text)) for text in clean) <= 0.02 * len(clean)
