"""From a route to the code that answers it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from autofix.investigate.code.functions import Function, Index, Source, end_of_block
from autofix.investigate.routes import ID

_LITERAL = re.compile(
    r"\"((?:[^\"\\\n]|\\.){1,200})\"|'((?:[^'\\\n]|\\.){1,200})'|`([^`\n]{1,200})`|:(\w{2,40})\b"
)
_PATTERN = re.compile(r"(?<![\w/])/((?:[^/\\\n ]|\\.){1,160})/[a-z]*(?=[\s,;)\].])")
_PARAMETER = re.compile(
    r"^(?:<[^>]+>|\{[^}]*\}|:[A-Za-z_]\w*[?*+]?(?:\([^)]*\))?|\[+\.{0,3}\w+\]+|\*+|\(.*\)[*+?]?|\$\{.*\}"
    r"|\[[^\]]+\][+*]|\\[dw][+*]?|%[sd])$"
)
_METHOD = re.compile(
    r"\b(GET|POST|PUT|PATCH|DELETE|HEAD)\b|[.@ ](get|post|put|patch|delete|head)\b", re.IGNORECASE
)
_VERB = re.compile(r"^(?:GET|POST|PUT|PATCH|DELETE|HEAD|ANY|ALL)\s+(?=/)")
_FILE_ROUTE = re.compile(
    r"(?:^|/)(?:app|pages|routes|server/(?:api|routes))/(.+?)(?:/(?:route|index|page|\+server))?\.\w+$"
)
_DECORATOR = re.compile(r"^\s*[@#\[]")
_ACTION = re.compile(r"[\"']([\w/]+)#(\w+)[\"']")
_NEAR = 12
"""Lines within which a dispatch by hand names the parts of a path."""
_STATEMENT = 6
"""Lines of one registration of a route."""
_BEST = 3


@dataclass(frozen=True)
class Hit:
    """A line that seems to register or to match a route."""

    path: str
    line: int
    score: float


@dataclass(frozen=True)
class Handler:
    """A function that answers a route, with the line that leads to it."""

    function: Function
    hit: Hit


def find_handlers(index: Index, method: str, route: str) -> list[Handler]:
    """The functions that seem to answer a route, the likeliest first."""
    hits = find_hits(index.sources.values(), method, route)
    found: dict[Function, Handler] = {}
    for hit in hits:
        for function in _functions_at(index, hit):
            found.setdefault(function, Handler(function, hit))
    return list(found.values())[: 2 * _BEST]


def find_hits(sources: Iterable[Source], method: str, route: str) -> list[Hit]:
    """Lines that look like the route, the likeliest first; only those near the best."""
    wanted = _segments(route)
    if not any(part != ID for part in wanted):
        return []
    hits: dict[tuple[str, int], float] = {}
    for source in sources:
        for line, score in (
            *_literal_hits(source, method, wanted),
            *_dispatch_hits(source, wanted),
        ):
            key = source.path, line
            hits[key] = max(hits.get(key, 0.0), score)
        if (score := _file_score(source.path, wanted)) > 0:
            hits[source.path, 1] = score
    ranked = sorted((Hit(p, n, score) for (p, n), score in hits.items()),
                    key=lambda h: (-h.score, h.path, h.line))  # fmt: skip
    return [h for h in ranked if h.score >= ranked[0].score * 0.7][:_BEST]


def _literal_hits(
    source: Source, method: str, wanted: Sequence[str]
) -> Iterator[tuple[int, float]]:
    for number, line in enumerate(source.lines, 1):
        if len(line) > 400:  # noqa: PLR2004 - minified
            continue
        for literal in _literals(line):
            score = _match(_segments(literal), wanted)
            if score > 0:
                yield number, score + _method_score(line, literal, method)


def _dispatch_hits(source: Source, wanted: Sequence[str]) -> Iterator[tuple[int, float]]:
    """Where all literal parts of the path are compared one by one, close together."""
    words = [part for part in wanted if part != ID]
    at: dict[str, list[int]] = {word: [] for word in words}
    for number, line in enumerate(source.lines, 1):
        for literal in _literals(line):
            bare = literal.strip("/")
            if bare in at:
                at[bare].append(number)
    if not all(at.values()):
        return
    for number in at[words[-1]]:
        spread = [min(at[word], key=lambda n: abs(n - number)) for word in words]
        if max(spread) - min(spread) <= _NEAR:
            yield number, 2.5 + len(words)


def _file_score(path: str, wanted: Sequence[str]) -> float:
    """Frameworks that route by the names of files."""
    found = _FILE_ROUTE.search(path)
    if found is None:
        return 0.0
    parts = [p for p in found[1].replace(".", "/").split("/") if not p.startswith("(")]
    return _match([ID if _PARAMETER.match(p) else p for p in parts], wanted)


def _match(found: Sequence[str], wanted: Sequence[str]) -> float:
    """How well a literal's segments fit: the whole path, or its end below a prefix."""
    words = sum(part != ID for part in found)
    if not words:
        return 0.0
    if list(found) == list(wanted):
        return 10.0 + words
    rest = wanted[-len(found) :]
    if len(found) < len(wanted) and list(found) == list(rest):
        return 4.0 + words
    head = wanted[: len(found)]
    return 1.0 + words if len(found) < len(wanted) and list(found) == list(head) else 0.0


def _method_score(line: str, literal: str, method: str) -> float:
    named = [a or b for a, b in _METHOD.findall(line.replace(literal, " ") + " " + literal[:8])]
    if not named:
        return 0.0
    return 1.0 if method.upper() in {name.upper() for name in named} else -4.0


def _segments(text: str) -> list[str]:
    """Path segments, parameters of any framework as one."""
    text = _VERB.sub("", text.strip()).strip("^$").removesuffix("\\Z").replace("\\/", "/")
    text = text.split("?", 1)[0] if not _has_pattern(text) else text
    parts = [part for part in _split(text) if part]
    return [ID if part == ID or _PARAMETER.match(part) else part for part in parts]


def _has_pattern(text: str) -> bool:
    return "(" in text or "[" in text


def _split(text: str) -> list[str]:
    """At slashes outside of brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{<") - (character in ")]}>")
        if character == "/" and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _literals(line: str) -> Iterator[str]:
    for match in _LITERAL.finditer(line):
        yield next(group for group in match.groups() if group is not None)
    for match in _PATTERN.finditer(line):
        yield match[1]


def _functions_at(index: Index, hit: Hit) -> list[Function]:
    """What a registered route leads to: what it names, what it decorates, what it is in."""
    source = index.sources[hit.path]
    if hit.line == 1 and _FILE_ROUTE.search(hit.path):
        return source.functions[:2] or [Function("(file)", hit.path, 1, len(source.lines))]
    line = source.lines[hit.line - 1]
    if _DECORATOR.match(line):
        below = [f for f in source.functions if hit.line < f.start <= hit.line + _STATEMENT]
        if below:
            return below[:1]
    if action := _ACTION.search(line):
        return _actions(index, action[1], action[2])
    statement = source.lines[hit.line - 1 : hit.line - 1 + _STATEMENT]
    named = index.named_in(_first_statement(statement), hit.path)
    around = source.around(hit.line)
    named = [f for f in named if f != around]
    end = end_of_block(source.lines, hit.line)
    inline = [] if end - hit.line < 2 or around else [Function("(inline)", hit.path, hit.line, end)]  # noqa: PLR2004
    return [*named[:2], *inline, *([around] if around and not named else [])]


def _first_statement(lines: Sequence[str]) -> str:
    """Lines up to where the brackets of the first one are closed."""
    taken, depth = [], 0
    for line in lines:
        taken.append(line)
        depth += sum(line.count(c) for c in "([") - sum(line.count(c) for c in ")]")
        if depth <= 0:
            break
    return "\n".join(taken)


def _actions(index: Index, controller: str, action: str) -> list[Function]:
    """`orders#index` as a method of its controller."""
    stem = f"{controller}_controller."
    return [
        f
        for source in index.sources.values()
        if stem in source.path
        for f in source.functions
        if f.name == action
    ]
