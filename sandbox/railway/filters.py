"""The platform's log filters: words, ``@name:value``, comparisons, AND, OR, ``-``, parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Row = Mapping[str, str]
"""The attributes of a log row by lower-case name; its text stands under ``""``."""
Matches = Callable[[Row], bool]

_TOKEN = re.compile(r'\s*(\(|\)|-?(?:@?[\w.\[\]]+:)?"(?:[^"\\]|\\.)*"|[^\s()]+)')
_COMPARISON = re.compile(r"(>=|<=|>|<)(-?\d+(?:\.\d+)?)$")
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)$")


class FilterError(ValueError):
    """A filter that cannot be read."""


def parse_filter(text: str | None) -> Matches:
    """What a filter accepts; an empty one accepts everything."""
    tokens = _TOKEN.findall(text or "")
    if not tokens:
        return lambda _row: True
    parser = _Parser(tokens)
    matches = parser.any_of()
    if parser.tokens:
        raise FilterError(f"unexpected {parser.tokens[0]!r} in the filter")
    return matches


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def any_of(self) -> Matches:
        """Terms joined by OR."""
        found = [self.all_of()]
        while self.tokens and self.tokens[0] == "OR":
            self.tokens.pop(0)
            found.append(self.all_of())
        return lambda row: any(matches(row) for matches in found)

    def all_of(self) -> Matches:
        """Terms joined by AND or by nothing."""
        found: list[Matches] = []
        while self.tokens and self.tokens[0] not in {"OR", ")"}:
            if self.tokens[0] == "AND":
                self.tokens.pop(0)
                continue
            found.append(self.term())
        if not found:
            raise FilterError("the filter ends where a term is expected")
        return lambda row: all(matches(row) for matches in found)

    def term(self) -> Matches:
        """One term, or a group in parentheses."""
        token = self.tokens.pop(0)
        if token in {"(", "-("}:
            inner = self.any_of()
            if not self.tokens or self.tokens.pop(0) != ")":
                raise FilterError("a parenthesis is not closed")
            return inner
        if token == "-" and self.tokens:
            negated = self.term()
            return lambda row: not negated(row)
        if token.startswith("-") and len(token) > 1:
            matches = _parse_term(token[1:])
            return lambda row: not matches(row)
        return _parse_term(token)


def _parse_term(token: str) -> Matches:
    if token.startswith("@"):
        name, colon, wanted = token[1:].partition(":")
        if not colon:
            raise FilterError(f"{token!r} has no value")
        return _parse_attribute(name.lower(), wanted.strip('"'))
    word = token.strip('"').lower()
    return lambda row: word in row.get("", "").lower()


def _parse_attribute(name: str, wanted: str) -> Matches:
    if found := _RANGE.match(wanted):
        low, high = float(found[1]), float(found[2])
        return lambda row: (value := _number(row, name)) is not None and low <= value <= high
    if found := _COMPARISON.match(wanted):
        compare, level = _COMPARE[found[1]], float(found[2])
        return lambda row: (value := _number(row, name)) is not None and compare(value, level)
    return lambda row: row.get(name, "").strip('"').lower() == wanted.lower()


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda value, level: value >= level,
    "<=": lambda value, level: value <= level,
    ">": lambda value, level: value > level,
    "<": lambda value, level: value < level,
}


def _number(row: Row, name: str) -> float | None:
    try:
        return float(row[name].strip('"'))
    except (KeyError, ValueError):
        return None
