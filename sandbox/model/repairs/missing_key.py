"""A lookup in a module-level mapping in which not everybody has a record."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.model.repairs.source import Repair, Source

_PLACE = re.compile(r"\bin (?P<function>\w+) \((?P<file>\S+\.py), line (?P<line>\d+)\)")
_LOOKUP = re.compile(
    r"\b(?P<mapping>[A-Za-z_]\w*)\[(?P<key>(?:[^\[\]\n]|\[[^\[\]\n]*\])+)\]\[\"(?P<leaf>\w+)\"\]"
)


@dataclass(frozen=True)
class _Place:
    """The lookup that failed."""

    function: str
    line: str
    lookup: re.Match[str]
    neutral: str
    """The value that changes nothing, as code."""


def default_missing_key(source: Source, plan: str) -> Repair | None:
    """Use a neutral record where there is none; None when the failing line is no such lookup."""
    named = _PLACE.search(plan)
    if named is None:
        return None
    place = _find(source, named["function"], int(named["line"]))
    if place is None:
        return None
    fixed = _fix(place.lookup, place.neutral, none="NoneType" in plan)
    mapping = place.lookup["mapping"]
    return Repair(
        title="Handle records that are missing",
        summary=f"`{place.function}` now takes a neutral record where `{mapping}` has none",
        edits=((place.line, place.line.replace(place.lookup[0], fixed, 1)),),
        test=lambda tests: _test(source, place, tests),
        test_imports=(("unittest", "mock"),),
    )


def _find(source: Source, function: str, number: int) -> _Place | None:
    """The lookup on this line, or the only one in the function if lines have moved since."""
    body = source.function(function)
    if body is None:
        return None
    lines = source.text.splitlines()
    named = lines[number - 1] if number <= len(lines) else ""
    candidates = [named] if named and named in body and _LOOKUP.search(named) else body.splitlines()
    found = [(line, match) for line in candidates for match in _LOOKUP.finditer(line)]
    found = [
        (line, match) for line, match in found if _is_module_level(source.text, match["mapping"])
    ]
    if len(found) != 1 or source.text.count(found[0][0]) != 1:
        return None
    line, match = found[0]
    neutral = _neutral_value(source.text, match["leaf"])
    return _Place(function, line, match, neutral) if neutral else None


def _is_module_level(text: str, name: str) -> bool:
    return re.search(rf"^{name}\b[^=\n]*= *", text, re.MULTILINE) is not None


def _neutral_value(text: str, leaf: str) -> str | None:
    """Zero or the empty string, by what the records hold under this key."""
    held = re.search(rf'"{leaf}": *[(\[]?(?P<value>-?\d|["\'])', text)
    if held is None:
        return None
    return '""' if held["value"] in "\"'" else "0"


def _fix(lookup: re.Match[str], neutral: str, *, none: bool) -> str:
    record = f'{{"{lookup["leaf"]}": {neutral}}}'
    mapping, key = lookup["mapping"], lookup["key"]
    found = f"({mapping}.get({key}) or {record})" if none else f"{mapping}.get({key}, {record})"
    return f'{found}["{lookup["leaf"]}"]'


def _test(source: Source, place: _Place, tests: Source) -> str | None:
    """Compares a missing record with a neutral one; None when the tests show no call to use."""
    reaching = [name for name, text in source.functions() if f"{place.function}(" in text]
    calls = "|".join(map(re.escape, reaching))
    call = re.search(rf"\b{source.module}\.(?:{calls})\((?:\d+|\"[^\"\n]*\")\)", tests.text)
    if call is None or not tests.imports(source.module):
        return None
    mapping = f"{source.module}.{place.lookup['mapping']}"
    return f'''
        class MissingRecordTest(unittest.TestCase):
            """Not everybody has a record, and a request needs none."""

            def test_no_record_is_the_same_as_a_neutral_one(self):
                neutral = {{key: {{"{place.lookup["leaf"]}": {place.neutral}}} for key in {mapping}}}
                with mock.patch.dict({mapping}, neutral):
                    expected = {call[0]}
                with mock.patch.dict({mapping}, clear=True):
                    self.assertEqual({call[0]}, expected)
    '''
