"""Hostile input costs work in proportion to its length, and no more."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import autofix.redact
from autofix.redact import redact

FOLDER = Path(autofix.redact.__file__).parent
UNITS = (
    "password=", 'password="', "key=", "pin=", "://", "a://b:", "x@", "«", "\\", '\\"', "eyJ",
    "1.1.1.1 ", "+1 ", "4111 ", "Cookie: a=b; ", "a=b&", "?token=", "secret: |\n  ", '("password",',
    "password|", "token is ", "curl -u ", "-----BEGIN RSA " + "PRIVATE KEY-----\n", "Bearer ", '{"', "x",
    "-----END RSA " + "PRIVATE KEY-----\n", "\x1b[", "[(", "AKIA", "%3D",
)  # fmt: skip


def work(text: str) -> int:
    """How many calls a look at this text makes, of Python and of re2."""
    calls = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        redact(text)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("unit", UNITS)
def test_twice_the_lines_are_twice_the_work(unit: str) -> None:
    """Lines full of what rules look for, again and again."""
    line = (unit * 400)[:600]
    small, large = (work("\n".join([line] * n)) for n in (8, 16))
    assert large <= 2.5 * small


@pytest.mark.parametrize("unit", [unit for unit in UNITS if "\x1b" not in unit])
def test_a_line_of_any_length_costs_what_its_cap_costs(unit: str) -> None:
    """What is cut off is not looked at."""
    unit = unit.replace("\n", " ")
    small, large = (work((unit * n)[:n]) for n in (8_000, 80_000))
    assert large <= 1.2 * small + 200


def test_rules_are_compiled_by_re2_alone() -> None:
    """No rule matches text with an engine that can run away.

    The exceptions split names, which are short, put marks into texts that passed the door, and
    rewrite a pattern.
    """
    users = {
        path.stem
        for path in FOLDER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and any(alias.name == "re" for alias in node.names)
    }
    assert users <= {"fence", "keys", "markdown", "vendors"}
