from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.investigate.logs import Entry, LineKind
from autofix.investigate.templates import CAP, Coverage, Template, build_templates, mask
from tests.unit.investigate.test_logs import PYTHON

START = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ONSET = START + timedelta(minutes=10)
READ = dict.fromkeys(LineKind, Coverage(before=600, after=600))
ERROR, OTHER = LineKind.error, LineKind.other


def said(text: str, minute: float = 0, kind: LineKind = OTHER) -> Entry:
    return Entry(START + timedelta(minutes=minute), kind, text)


def test_what_differs_in_values_is_one_template_with_its_first_and_last() -> None:
    """Numbers, ids, addresses and times are no difference; counts and times are kept."""
    texts = [
        f"2026-03-02T14:00:{n:02}Z user 0f8fad5b-d9cb-469f-a165-70867728950{n % 10} from 10.0.0.{n} "
        f"took {n} ms, trace {n:016x}"
        for n in range(20)
    ]
    found = build_templates((said(t, minute=i) for i, t in enumerate(texts)), ONSET).found
    assert [t.count for t in found] == [20]
    assert (found[0].first.text, found[0].last.text) == (texts[0], texts[19])
    assert found[0].example.text == texts[10], "the first one after the onset"
    assert (found[0].before, found[0].after) == (10, 10)


def test_what_differs_in_one_word_is_one_template() -> None:
    """A name that no mask knows becomes a wild card; another sentence does not."""
    texts = [f"cannot load template {name} of shop" for name in ("order", "cart", "mail")]
    found = build_templates(
        (said(t) for t in [*texts, "cannot bind port of shop now"]), ONSET
    ).found
    assert sorted((t.count, t.shape) for t in found) == [
        (1, "cannot bind port of shop now"),
        (3, "cannot load template <*> of shop"),
    ]


def test_traces_of_one_fault_are_one_template() -> None:
    """Whatever their messages say; another place is another template."""
    traces = [said(PYTHON.format(n=n), kind=ERROR) for n in range(9)]
    other = said(PYTHON.replace("build_invoice", "other"), kind=ERROR)
    found = build_templates([*traces, other], ONSET).found
    assert [t.count for t in found] == [9, 1]
    assert all(t.is_trace for t in found)


def test_what_appeared_or_multiplied_at_the_onset_comes_first() -> None:
    """However often the rest is said."""
    entries = [said(f"retry {n} of queue", minute=n / 60, kind=ERROR) for n in range(1200)]
    entries += [said("cache miss", minute=n, kind=ERROR) for n in range(1, 10)]
    entries += [said("cache miss", minute=10 + n / 20, kind=ERROR) for n in range(180)]
    entries += [said("pool is empty", minute=11, kind=ERROR)]
    templates = build_templates(entries, ONSET, READ)
    errors = templates.of(ERROR)
    assert [t.shape for t in errors] == ["cache miss", "pool is empty", "retry <n> of queue"]
    assert [templates.factor(t) for t in errors] == [20.0, float("inf"), 1.0]
    assert [templates.is_news(t) for t in errors] == [True, True, False]


def test_nothing_is_new_when_the_time_before_was_not_read() -> None:
    """An error in the first line read may be as old as the service."""
    templates = build_templates([said("pool is empty", minute=11, kind=ERROR)], ONSET)
    assert templates.factor(templates.found[0]) is None
    assert not templates.is_news(templates.found[0])


def test_a_single_line_right_at_the_onset_is_not_the_last() -> None:
    """The cause may be said once, its consequences often."""
    words = [f"{a}{b}" for a in "abcdefgh" for b in "klmnopqr"]
    entries = [said(f"{w} failed for {w}", minute=11 + n / 60, kind=ERROR)
               for n in range(20) for w in words]  # fmt: skip
    cause = said("lost the lease", minute=10.01, kind=ERROR)
    errors = build_templates([*entries, cause], ONSET, READ).of(ERROR)
    assert errors.index(next(t for t in errors if t.shape == "lost the lease")) == 1


def test_measurements_come_before_chatter() -> None:
    """A rare line with numbers and names outranks a thousand plain ones."""
    chatter = [said(f"hello from {word}") for word in "abcdefghijklmnop"] * 5
    page = said("page=orders customer=12 queries=41 db_ms=1790")
    assert build_templates([*chatter, page], ONSET).of(OTHER)[0].last is page


def _noise(count: int, rng: random.Random) -> Iterator[Entry]:
    """Lines of which nearly each has a shape of its own."""
    for n in range(count):
        word = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=9))
        kind = ERROR if n % 3 == 0 else OTHER
        yield said(f"{word} did {word[::-1]} to {word[:4]}", minute=20 * n / count, kind=kind)


@pytest.mark.parametrize(
    "planted",
    [
        said(PYTHON.format(n=7), minute=11, kind=ERROR),
        said("FATAL: remaining connection slots are reserved", minute=11, kind=ERROR),
        said("lost the lease", minute=10.0, kind=ERROR),
    ],
)
def test_a_decisive_message_survives_any_number_of_shapes(planted: Entry) -> None:
    """No more than twice the cap is held, what made room is counted, nothing is lost count of."""
    noise = list(_noise(30_000, random.Random(4)))
    middle = next(i for i, e in enumerate(noise) if e.at >= planted.at)
    templates = build_templates([*noise[:middle], planted, *noise[middle:]], ONSET, READ)
    assert len(templates.found) <= 2 * CAP
    counted = sum(t.count for t in templates.found) + sum(templates.left_out.values())
    assert counted == 30_001
    assert planted.text in [t.first.text for t in templates.of(ERROR)[:4]]


def test_a_shape_that_made_room_is_not_called_new_when_it_comes_again() -> None:
    """It was seen before the onset, though nothing of it is held any more."""
    old = said("slow start of worker", minute=0)
    noise = list(_noise(12_000, random.Random(5)))
    again = said("slow start of worker", minute=19.9)
    templates = build_templates([old, *noise, again], ONSET, READ)
    (found,) = [t for t in templates.found if t.shape == "slow start of worker"]
    assert found.seen_before
    assert not templates.is_news(found)


@given(st.text(max_size=200))
def test_masking_is_idempotent(text: str) -> None:
    """A masked text has nothing left to mask."""
    assert mask(mask(text)) == mask(text)


@given(st.lists(st.tuples(st.text(max_size=60), st.floats(0, 20), st.sampled_from(LineKind))))
def test_no_message_is_lost_count_of(messages: list[tuple[str, float, LineKind]]) -> None:
    """Whatever was said: the counts add up, and first and last are in order."""
    entries = [said(text, minute, kind) for text, minute, kind in messages]
    found: list[Template] = build_templates(entries, ONSET, READ).found
    assert sum(t.count for t in found) == len(entries)
    assert all(t.first.at <= t.last.at and 0 <= t.before <= t.count for t in found)
