"""The door over the corpus: what must go is gone, what must stay stays."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from random import Random

import pytest

from autofix.redact import redact
from tests.support.redaction.clean import make_clean
from tests.support.redaction.dirty import Dirty, as_json_log, make_dirty, make_people

SEEDS = (1, 20_260_302)


def leaks(text: str, secrets: Iterable[str]) -> bool:
    """Whether a secret, or half of a long one, is still to be seen."""
    half = [part for s in secrets if len(s) > 12 for part in (s[: len(s) // 2], s[len(s) // 2 :])]
    return any(part in text for part in (*secrets, *half))


def rates(lines: Iterable[Dirty], wrap: Callable[[str], str]) -> dict[str, float]:
    """Per kind, and for all under an empty name, the share of lines that leak nothing."""
    seen: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for line in lines:
        text = redact(wrap(line.text))
        secrets = line.secrets if wrap is str else [json.dumps(s)[1:-1] for s in line.secrets]
        for kind in ("", line.kind):
            seen[kind] += 1
            kept[kind] += not leaks(text, secrets)
    return {kind: kept[kind] / seen[kind] for kind in seen}


@pytest.mark.parametrize("wrap", [str, as_json_log])
@pytest.mark.parametrize("seed", SEEDS)
def test_credentials_are_taken_out(seed: int, wrap: Callable[[str], str]) -> None:
    """At least 97 of 100 credentials go, and 90 of each kind."""
    lines = list(make_dirty(Random(seed), each=10))
    assert len(lines) >= 300
    assert len({line.kind for line in lines}) >= 30
    found = rates(lines, wrap)
    assert found[""] >= 0.97, found
    assert {kind: rate for kind, rate in found.items() if rate < 0.9} == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_personal_data_is_taken_out(seed: int) -> None:
    """At least 95 of 100 mail and client addresses, cards, accounts and numbers go."""
    found = rates(make_people(Random(seed), each=20), str)
    assert len(found) >= 7
    assert {kind: rate for kind, rate in found.items() if rate < 0.95} == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_what_must_stay_stays(seed: int) -> None:
    """At most 2 of 100 lines without a secret are changed."""
    lines = make_clean(Random(seed))
    assert len(lines) >= 200
    changed = [(line, redact(line)) for line in lines if redact(line) != line]
    assert len(changed) <= 0.02 * len(lines), changed


@pytest.mark.parametrize("seed", SEEDS)
def test_lines_do_not_disturb_each_other(seed: int) -> None:
    """In one text the same goes and the same stays as line by line."""
    rng = Random(seed)
    lines = make_clean(rng)
    dirty = [line for line in make_dirty(rng) if "\n" not in line.text]
    mixed = [*lines, *(line.text for line in dirty)]
    rng.shuffle(mixed)
    whole = redact("\n".join(mixed)).split("\n")
    assert len(whole) == len(mixed)
    assert [w for w, line in zip(whole, mixed, strict=True) if w != redact(line)] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_second_look_changes_nothing(seed: int) -> None:
    """Redaction is idempotent."""
    rng = Random(seed)
    for line in [*make_dirty(rng), *make_people(rng)]:
        once = redact(line.text)
        assert redact(once) == once
