"""Which lines are a function, and which functions a function calls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

_NAME = r"[A-Za-z_$][\w$]*"
_BY_ENDING: dict[str, tuple[str, ...]] = {
    "py": (rf"^\s*(?:async\s+)?def\s+({_NAME})",),
    "rb": (r"^\s*def\s+(?:self\.)?([A-Za-z_]\w*[?!]?)",),
    "go": (rf"^func\s+(?:\([^)]*\)\s*)?({_NAME})\s*[\[(]",),
    "rs": (rf"\bfn\s+({_NAME})",),
    "php": (rf"\bfunction\s+({_NAME})",),
    "ex": (r"^\s*defp?\s+([a-z_]\w*[?!]?)",),
}
_SCRIPT = (
    rf"\bfunction\s*\*?\s*({_NAME})\s*[(<]",
    (
        rf"^\s*(?:export\s+)?(?:default\s+)?(?:const|let|var)\s+({_NAME})\s*(?::[^=]{{1,120}})?=\s*"
        r"(?:async\s*)?(?:function\b|(?:\([^)]{0,200}\)|[\w$]+)\s*(?::[^=]{1,120})?=>)"
    ),
    (
        rf"^\s*(?:(?:public|private|protected|static|async|override)\s+)*\*?({_NAME})"
        r"\s*\([^;]{0,200}\)\s*(?::[^{;]{1,120})?\{\s*$"
    ),
    rf"^\s*(?:exports|module\.exports)\.({_NAME})\s*=",
)
_TYPED = (
    (
        r"^\s*(?:(?:public|private|protected|internal|static|final|override|suspend|async|virtual)\s+)*"
        rf"(?:fun\s+(?:<[^>]{{1,80}}>\s*)?|[A-Za-z_][\w<>\[\],.? ]{{0,80}}\s+)({_NAME})"
        r"\s*\([^;]{0,200}\)?\s*(?:throws [\w, .]{1,120})?[\{:=(]?\s*$"
    ),
)
_BY_ENDING |= dict.fromkeys(("js", "jsx", "ts", "tsx", "mjs", "cjs", "mts", "cts", "vue"), _SCRIPT)
_BY_ENDING |= dict.fromkeys(("java", "kt", "cs", "scala", "groovy"), _TYPED)
_PATTERNS = {
    ending: tuple(re.compile(p) for p in patterns) for ending, patterns in _BY_ENDING.items()
}
CODE_ENDINGS = frozenset(_PATTERNS)
_KEYWORDS = frozenset(
    {
        *(
            "if",
            "for",
            "while",
            "switch",
            "catch",
            "return",
            "function",
            "else",
            "do",
            "try",
            "with",
        ),
        *("match", "when", "unless", "case", "foreach", "until", "new", "throw", "await", "yield"),
        *("super", "constructor", "describe", "it", "test", "expect"),
    }
)
_CALL = re.compile(rf"\b({_NAME}[?!]?)\s*\(")
_WORD = re.compile(rf"\b{_NAME}\b")
_CLOSING = (")", "]", "}")
_COMMON = 3
"""A name with more definitions than this says too little about what is called."""


@dataclass(frozen=True)
class Function:
    """Lines of a file that are one function; line numbers count from 1."""

    name: str
    path: str
    start: int
    end: int


@dataclass(frozen=True)
class Source:
    """A file's lines, and its functions."""

    path: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """Its lines."""
        return self.text.split("\n")

    @cached_property
    def functions(self) -> list[Function]:
        """Its functions in the order of their beginning."""
        patterns = _PATTERNS.get(ending(self.path), ())
        return [
            Function(name, self.path, number, end_of_block(self.lines, number))
            for number, line in enumerate(self.lines, 1)
            if len(line) < 500 and (name := _defined(line, patterns))  # noqa: PLR2004 - minified
        ]

    def around(self, line: int) -> Function | None:
        """The innermost function that a line is in."""
        inside = [f for f in self.functions if f.start <= line <= f.end]
        return max(inside, key=lambda f: f.start, default=None)

    def body(self, function: Function) -> Sequence[str]:
        """The lines of one of its functions."""
        return self.lines[function.start - 1 : function.end]


class Index:
    """Functions of several files by their names."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = sources
        self._by_name: dict[str, list[Function]] = {}
        for source in sources.values():
            for function in source.functions:
                self._by_name.setdefault(function.name, []).append(function)

    def find(self, name: str, near: str) -> list[Function]:
        """The functions a name may mean in a file: its own, else those of the others."""
        found = self._by_name.get(name, [])
        own = [f for f in found if f.path == near]
        return own or (found if len(found) <= _COMMON else [])

    def body(self, function: Function) -> Sequence[str]:
        """A function's lines."""
        return self.sources[function.path].body(function)

    def calls(self, function: Function) -> Iterator[tuple[int, Function]]:
        """Functions that a function calls, each with the line of the call."""
        for offset, line in enumerate(self.body(function)):
            if not offset:
                continue
            for name in _CALL.findall(line[:400]):
                if name != function.name and name not in _KEYWORDS:
                    for called in self.find(name, function.path):
                        yield function.start + offset, called

    def named_in(self, text: str, near: str) -> list[Function]:
        """Functions that a text names, in its order."""
        names = dict.fromkeys(_WORD.findall(text[:2_000]))
        return [f for name in names if name not in _KEYWORDS for f in self.find(name, near)]


def ending(path: str) -> str:
    """A file name's ending in lower case."""
    return path.rpartition(".")[2].lower()


def indent(line: str) -> int:
    """How far a line is indented; a tab counts four."""
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip())


def end_of_block(lines: Sequence[str], number: int) -> int:
    """The last line of the block that a line opens, by indentation."""
    depth = indent(lines[number - 1])
    last = number
    for n in range(number, len(lines)):
        line = lines[n]
        if not line.strip():
            continue
        if indent(line) > depth:
            last = n + 1
            continue
        stripped = line.strip()
        if stripped.startswith((")", "]")) or (stripped.startswith("}") and stripped.endswith("{")):
            last = n + 1  # the end of a signature over several lines, or `} else {`
            continue
        closes = stripped.startswith(_CLOSING) or re.match(r"end\b", stripped)
        return n + 1 if closes and indent(line) == depth else last
    return last


def _defined(line: str, patterns: Sequence[re.Pattern[str]]) -> str | None:
    for pattern in patterns:
        if (found := pattern.search(line)) and found[1] not in _KEYWORDS:
            return found[1]
    return None
