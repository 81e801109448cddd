"""A module-level list that requests append to and nothing ever shortens."""

from __future__ import annotations

import re

from sandbox.model.repairs.source import Repair, Source

LONGEST = 32
_LIST = re.compile(
    r"^(?P<name>[A-Za-z_]\w*)(?P<note>: *list(?P<of>\[.*\])?)? *= *(?:\[\]|list\(\)) *$",
    re.MULTILINE,
)


def bound_growing_list(source: Source, _plan: str) -> Repair | None:
    """Replace the list by a deque with a maximum length; None when no list fits."""
    for match in _LIST.finditer(source.text):
        if _only_grows(source.text, match["name"]):
            return _bound(source, match)
    return None


def _only_grows(text: str, name: str) -> bool:
    shrinks = rf"\b{name}\.(?:pop|clear|remove)\(|\bdel {name}\b|^[ \t]+{name} *=[^=]|\b{name}\[[^\]\n]*\] *=[^=]"
    grows = re.search(rf"\b{name}\.append\(", text)
    return grows is not None and re.search(shrinks, text, re.MULTILINE) is None


def _bound(source: Source, match: re.Match[str]) -> Repair:
    name = match["name"]
    limit = _limit_in_use(source.text[: match.start()], source.text)
    declared = "" if limit else f"MAX_{name.strip('_').upper()} = {LONGEST}\n"
    limit = limit or f"MAX_{name.strip('_').upper()}"
    note = f": deque{match['of'] or ''}" if match["note"] else ""
    edits = [(f"\n{match[0].rstrip()}\n", f"\n{declared}{name}{note} = deque(maxlen={limit})\n")]
    # A deque has no slices.
    slices = dict.fromkeys(re.findall(rf"\b{name}\[[^\]\n]*:[^\]\n]*\]", source.text))
    edits += [(used, used.replace(name, f"list({name})", 1)) for used in slices]
    added = source.import_edit("collections", "deque")
    if added:
        edits.insert(0, added)
    return Repair(
        title="Bound what is kept between requests",
        summary=f"`{name}` now keeps the newest {limit} entries instead of every one",
        edits=tuple(edits),
        test=lambda tests: _test(source.module, tests, name, limit),
    )


def _limit_in_use(before: str, text: str) -> str | None:
    """A constant defined before the list that says how many entries are ever read of one."""
    constants = re.findall(r"^([A-Z][A-Z_]*) *= *\d+$", before, re.MULTILINE)
    for name in constants:
        if re.search(rf"\bislice\([^()\n]*, *{name}\)|\[-{name}:\]|\[:{name}\]", text):
            return str(name)
    return None


def _test(module: str, tests: Source, name: str, limit: str) -> str | None:
    if not tests.imports(module):
        return None
    kept = f"{module}.{name}"
    return f'''
        class BoundedRetentionTest(unittest.TestCase):
            """What is kept between requests does not grow without end."""

            def test_only_the_newest_entries_are_kept(self):
                before = list({kept})
                self.addCleanup(lambda: ({kept}.clear(), {kept}.extend(before)))
                most = {module}.{limit}
                for number in range(10 * most):
                    {kept}.append(number)
                self.assertEqual(list({kept}), list(range(9 * most, 10 * most)))
    '''
