"""Queries in code, which of them are in a loop, and collections that only ever grow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autofix.investigate.code.functions import Function, Index, Source, ending, indent

_SQL = re.compile(
    r"[\"'`(]\s*(?:SELECT\s.{1,200}\sFROM|INSERT\s+INTO|UPDATE\s+[\w.\"`]+\s+SET|DELETE\s+FROM|WITH\s+\w+\s+AS)\b",
    re.IGNORECASE,
)
_CALL = re.compile(
    r"\.(?:query|queryRow|queryContext|queryRowContext|execute|executemany|execContext|fetch_?(?:one|all|row|val)"
    r"|find(?:One|Many|All|Unique|First|By\w+|_by|_each|AndCountAll)|count_documents|aggregate|\$queryRaw"
    r"|scalars?|get_or_create|select_related|prefetch_related)\s*[(`!]"
    r"|\.objects\.|\bsession\.(?:get|query|scalar)\w*\(|\bprisma\.\w+\.\w+\("
    r"|\b(?:knex|db|sql|tx)\.(?!close|connect|ping)\w+(?:\.\w+)?\s*[(`]|\bsql`"
    r"|(?-i:\b[A-Z]\w+\.(?:where|find|find_by!?|all|create!?|includes|joins)\b)",
    re.IGNORECASE,
)
_NOT_DATA = re.compile(
    r"\.(?:find|fetch)\s*\(\s*(?:\(?\w*\)?\s*=>|function|lambda|[\"']https?:|[\"'][.#])"
)
_LOOP = {
    "py": re.compile(
        r"^\s*(?:async\s+)?for\s.+\sin\s|^\s*while\s|\sfor\s+\w+(?:\s*,\s*\w+)*\s+in\s"
    ),
    "rb": re.compile(
        r"\.(?:each|map|flat_map|each_with_index|find_each|times|select)\b.*(?:do\b|\{|$)|^\s*(?:for|while|until)\s"
    ),
    "go": re.compile(r"^\s*for\b"),
}
_OTHER_LOOP = re.compile(
    r"\bfor\s*(?:await\s*)?\(|\bwhile\s*\(|\.(?:map|forEach|flatMap|filter|reduce)\s*\(|\bforeach\b"
)
_EMPTY = re.compile(
    r"^(?:(?:const|let|var|export const|static|private static(?: final)?|public static(?: final)?|@@?|\$)\s*)*"
    r"(?P<name>@{0,2}[A-Za-z_]\w*)(?:\s*:\s*[^=]{1,80})?\s*:?=\s*"
    r"(?:\[\s*\]|\{\s*\}|list\(\)|dict\(\)|set\(\)|(?:collections\.)?(?:defaultdict|OrderedDict|deque)\([\w.]*\)"
    r"|new\s+(?:Map|Set|Array|WeakMap|ArrayList|HashMap)\b.*|make\((?:map|\[\]).*|map\[[^\]]*\][^{]*\{\}|\[\][\w.*]*\{\}"
    r"|Hash\.new|Array\.new|Set\.new)"
)


@dataclass(frozen=True)
class Query:
    """One line that asks a database."""

    line: int
    loop: int | None = None
    """The line of the loop it is in; None outside of one."""
    through: str | None = None
    """The function that makes the query, when the line only calls it."""


@dataclass(frozen=True)
class Growth:
    """A collection of the whole module that is added to and never made smaller."""

    name: str
    defined: int
    added: tuple[int, ...]


def find_queries(source: Source, function: Function) -> list[Query]:
    """Queries in a function's own lines."""
    loops = list(_loops(source, function))
    return [
        Query(number, _loop_around(number, loops, source))
        for number, line in _numbered(source, function)
        if _asks(line)
    ]


def find_queries_through(
    index: Index, function: Function, asking: Sequence[Function]
) -> list[Query]:
    """Calls from inside a loop of functions that ask a database."""
    source = index.sources[function.path]
    loops = list(_loops(source, function))
    found = []
    for line, called in index.calls(function):
        loop = _loop_around(line, loops, source)
        if called in asking and loop is not None:
            found.append(Query(line, loop, called.name))
    return found


def find_growth(source: Source) -> list[Growth]:
    """Collections of the whole module that only grow."""
    found = []
    for number, line in enumerate(source.lines, 1):
        match = _EMPTY.match(line)
        if match is None or len(line) > 300:  # noqa: PLR2004 - minified
            continue
        name = match["name"]
        if "maxlen" in line or "Weak" in line:
            continue
        added = tuple(_uses(source, number, name, _ADDS))
        if added and not any(_uses(source, number, name, _REMOVES)):
            found.append(Growth(name, number, added))
    return found


_ADDS = (
    r"{name}\s*\.\s*(?:append|add|push|extend|unshift|insert|set|put|appendleft|update|setdefault|concat)\s*\(",
    r"{name}\s*\[[^\]]{{1,80}}\]\s*(?:=(?!=)|\+=|\|\|=)",
    r"{name}\s*=\s*append\(\s*{name}\b",
    r"{name}\s*(?:<<|\+=)",
)
_REMOVES = (
    r"{name}\s*\.\s*(?:pop|popleft|popitem|remove|clear|delete|shift|splice|discard|truncate|evict|delete_if)\b",
    r"\bdel(?:ete)?\s*\(?\s*{name}\b",
    r"{name}\s*=\s*(?!append\(\s*{name})[^=].*(?:\[[-\w]*:|slice|filter|last\(|take\()",
    r"{name}\s*\[\s*:?[-\w]*:?[-\w]*\s*\]\s*=\s*\[",
    r"{name}\s*\.\s*length\s*=",
)


def _uses(source: Source, defined: int, name: str, patterns: Sequence[str]) -> Iterator[int]:
    escaped = re.escape(name)
    joined = re.compile("|".join(rf"(?<![\w.]){p.format(name=escaped)}" for p in patterns))
    for number, line in enumerate(source.lines, 1):
        if number != defined and len(line) < 400 and joined.search(line):  # noqa: PLR2004
            yield number


def _asks(line: str) -> bool:
    if len(line) > 400 or _NOT_DATA.search(line):  # noqa: PLR2004 - minified
        return False
    return _SQL.search(line) is not None or _CALL.search(line) is not None


def _loops(source: Source, function: Function) -> Iterator[int]:
    pattern = _LOOP.get(ending(source.path), _OTHER_LOOP)
    for number, line in _numbered(source, function):
        if len(line) <= 400 and pattern.search(line):  # noqa: PLR2004
            yield number


def _loop_around(number: int, loops: Sequence[int], source: Source) -> int | None:
    """The nearest loop whose body a line is in, or which stands on the line itself."""
    own = indent(source.lines[number - 1])
    for loop in reversed([n for n in loops if n <= number]):
        if loop == number:
            return loop
        depth = indent(source.lines[loop - 1])
        between = (line for line in source.lines[loop : number - 1] if line.strip())
        if own > depth and all(indent(line) > depth for line in between):
            return loop
    return None


def _numbered(source: Source, function: Function) -> Iterator[tuple[int, str]]:
    """Its lines without the one that defines it."""
    for offset, line in enumerate(source.body(function)):
        if offset and not line.strip().startswith(("#", "//", "*", "/*")):
            yield function.start + offset, line
