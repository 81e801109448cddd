"""Hostile input costs work in proportion to its length, and no more."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path
from re import _constants, _parser
from typing import Any

import pytest

import autofix.redact
from autofix.redact import redact

FOLDER = Path(autofix.redact.__file__).parent
UNITS = (
    "password=", 'password="', "key=", "pin=", "://", "a://b:", "x@", "«", "\\", '\\"', "eyJ",
    "1.1.1.1 ", "+1 ", "4111 ", "Cookie: a=b; ", "a=b&", "?token=", "secret: |\n  ", '("password",',
    "password|", "token is ", "curl -u ", "-----BEGIN RSA " + "PRIVATE KEY-----\n", "Bearer ", '{"', "x",
    "-----END RSA " + "PRIVATE KEY-----\n", "\x1b[", "[(", "AKIA", "%3D", "a.", "@", "'\"`", ",;:|&=<>[]{}",
    "QUJD", "\x9d", "\x1b]", 'keyName":', ":: ", "password: &a ", "\\=", "(020) ", "net use /user:a ",
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


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit[0] not in "\x1b\x9d"])
def test_a_line_of_any_length_costs_what_its_cap_costs(unit: str) -> None:
    """What is cut off is not looked at."""
    unit = unit.replace("\n", " ")
    small, large = (work((unit * n)[:n]) for n in (8_000, 80_000))
    assert large <= 1.2 * small + 200


def test_rules_are_compiled_by_re2_alone() -> None:
    """No rule matches text with an engine that can run away.

    The exceptions split names, which are short, put marks into texts that passed the door, and
    rewrite a pattern; `spans` compiles those that the next test holds to their form.
    """
    users = {
        path.stem
        for path in FOLDER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and any(alias.name == "re" for alias in node.names)
    }
    assert users <= {"fence", "keys", "markdown", "spans", "vendors"}


def branches(pattern: bytes) -> list[list[tuple[Any, Any]]]:
    """The branches of a pattern, each as its parts."""
    parts = list(_parser.parse(pattern))
    if len(parts) == 1 and parts[0][0] is _constants.BRANCH:
        return [list(branch) for branch in parts[0][1][1]]
    return [parts]


def begins(part: tuple[Any, Any], byte: int) -> bool:
    """Whether a class or a character takes this byte."""
    kind, told = part
    if kind is _constants.LITERAL:
        return bool(told == byte)
    assert kind is _constants.IN
    return any(
        low == byte if op is _constants.LITERAL else low[0] <= byte <= low[1]
        for op, low in told
        if op is not _constants.NEGATE
    )


def is_simple(pattern: bytes) -> bool:
    """Whether Python's engine has one way to match any text, and cannot fail late."""
    for branch in branches(pattern):
        runs = [arg for kind, arg in branch if kind is _constants.MAX_REPEAT]
        endless = [arg for arg in runs if arg[1] is _constants.MAXREPEAT]
        behind = branch[-1][1] if branch[-1][0] is _constants.MAX_REPEAT else None
        if len(endless) > 1 or (endless and endless[0] is not behind):
            return False
        for _, _, body in runs:
            ways = (
                [list(way) for way in body[0][1][1]] if body[0][0] is _constants.BRANCH else [body]
            )
            plain = {_constants.LITERAL, _constants.IN}
            if any(kind not in plain for way in ways for kind, _ in way):
                return False
            if any(sum(begins(way[0], byte) for way in ways) > 1 for byte in range(256)):
                return False
    return True


def test_what_python_matches_cannot_run_away() -> None:
    """The patterns that `simple` compiles are runs of one class, with nothing behind them."""
    modules = [
        importlib.import_module(f"autofix.redact.{path.stem}") for path in FOLDER.glob("*.py")
    ]
    rules = [
        m for m in modules if m.__name__.rpartition(".")[2] not in {"fence", "keys", "markdown"}
    ]
    patterns = {p.pattern for m in rules for p in vars(m).values() if isinstance(p, re.Pattern)}
    patterns = {pattern for pattern in patterns if isinstance(pattern, bytes)}
    assert len(patterns) >= 10
    assert [pattern for pattern in patterns if not is_simple(pattern)] == []
    for wild in (b"a+b", b"a*a+", b"(?:a+)+", b"(?:a|a)+", b"(?:ab|a)+", b"a+$"):
        assert not is_simple(wild)
