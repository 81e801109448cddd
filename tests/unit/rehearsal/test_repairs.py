"""The rehearsal model's code transformations go by shape and leave everything else alone."""

from __future__ import annotations

import pytest

from sandbox.model.repairs import Source, bound_growing_list, default_missing_key, join_queries

LIST = """\
import os

SEEN: list[str] = []


def see(name):
    SEEN.append(name)
    return SEEN[-3:]
"""
QUERIES = """\
def read(db, a, b):
    rows = db.fetch("SELECT ref FROM parents WHERE a = ?", [a])
    for row in rows:
        row["kids"] = db.fetch("SELECT name, ref FROM kids WHERE ref = ?", [row["ref"]])
    return rows
"""
LOOKUP = """\
RATES = {"a": {"rate": 7}}


def charge(who):
    return 1 + RATES[who]["rate"]


def total(who):
    return charge(who) + 1
"""
PLAN = "an unhandled KeyError: 'x' in charge (app.py, line 5): …"


def _apply(text: str, edits: tuple[tuple[str, str], ...]) -> str:
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def test_a_list_that_is_read_by_slice_becomes_a_bounded_deque():
    """Annotation and slices go with it, and a bound is declared when there is none."""
    repair = bound_growing_list(Source("app", LIST), "")
    assert repair is not None
    text = _apply(LIST, repair.edits)
    assert "SEEN: deque[str] = deque(maxlen=MAX_SEEN)" in text
    assert "import os\nfrom collections import deque\n" in text
    names: dict = {}
    exec(text, names)  # noqa: S102 - the repaired text must be code that works
    for number in range(100):
        last = names["see"](number)
    assert last == [97, 98, 99]
    assert len(names["SEEN"]) == names["MAX_SEEN"] == 32


@pytest.mark.parametrize(
    "line", ["SEEN.pop(0)", "SEEN.clear()", "del SEEN[:5]", "SEEN = []", "SEEN[:] = []"]
)
def test_a_list_that_something_shortens_is_not_the_cause(line):
    """Whoever removes entries has thought about the length."""
    assert bound_growing_list(Source("app", f"{LIST}    {line}\n"), "") is None


def test_a_list_nothing_is_added_to_is_not_the_cause():
    """A constant empty list does not grow."""
    assert bound_growing_list(Source("app", "SEEN = []\nprint(SEEN)\n"), "") is None


def test_a_query_for_each_row_becomes_one_for_all():
    """The rows get the same content, whatever tables and columns are called."""
    repair = join_queries(Source("app", QUERIES), "")
    assert repair is not None
    names: dict = {}
    exec(_apply(QUERIES, repair.edits), names)  # noqa: S102

    class Db:
        def __init__(self) -> None:
            self.asked: list = []

        def fetch(self, sql, params):
            self.asked.append((sql, params))
            kids = [{"name": "k", "ref": 2}, {"name": "l", "ref": 2}]
            return kids if "kids" in sql else [{"ref": 1}, {"ref": 2}]

    db = Db()
    rows = names["read"](db, 9, 0)
    assert [[kid["name"] for kid in row["kids"]] for row in rows] == [[], ["k", "l"]]
    assert db.asked[1] == (
        "SELECT name, ref FROM kids WHERE ref IN (SELECT ref FROM parents WHERE a = ?)",
        [9],
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WHERE a = ?", "WHERE a = ? LIMIT 5"),
        ('WHERE ref = ?", [row["ref"]]', 'WHERE ref = ? AND x = ?", [row["ref"], b]'),
        ("    for row in rows:\n", "    for row in rows:\n        print(row)\n"),
        ("def read(db, a, b)", "def read(a, b)"),
    ],
)
def test_other_queries_are_left_alone(old, new):
    """What cannot be joined safely by its shape is not touched."""
    assert old in QUERIES
    assert join_queries(Source("app", QUERIES.replace(old, new)), "") is None


@pytest.mark.parametrize("plan", [PLAN, PLAN.replace("line 5", "line 500")])
def test_a_missing_record_counts_as_neutral(plan):
    """The failing line is found by its number, or by its function when lines have moved."""
    repair = default_missing_key(Source("app", LOOKUP), plan)
    assert repair is not None
    names: dict = {}
    exec(_apply(LOOKUP, repair.edits), names)  # noqa: S102
    assert (names["charge"]("a"), names["charge"]("b")) == (8, 1)
    tests = Source("test_app", 'import app\nimport unittest\n\napp.total("a")\n')
    assert 'app.total("a")' in (repair.test(tests) or "")


@pytest.mark.parametrize(
    ("source", "plan"),
    [
        (LOOKUP, "the page is slow"),
        (LOOKUP, PLAN.replace("charge", "absent")),
        (LOOKUP.replace('RATES = {"a": {"rate": 7}}', "RATES = load()"), PLAN),
        (LOOKUP.replace("def charge(who)", "def charge(who, RATES)").replace("RATES = {", "X = {"), PLAN),
    ],
)  # fmt: skip
def test_other_lookups_are_left_alone(source, plan):
    """Without the traceback's function or a known neutral value nothing is guessed."""
    assert default_missing_key(Source("app", source), plan) is None


def test_no_regression_test_where_tests_show_no_way():
    """A test file that never calls the function cannot be extended blindly."""
    repair = default_missing_key(Source("app", LOOKUP), PLAN)
    assert repair is not None
    assert repair.extend_tests(Source("test_app", "import unittest\n")) == []
