"""Stack traces of Python, JavaScript, Java, Go and Ruby: which lines belong to one, and its frames."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True)
class Frame:
    """One call of a stack trace."""

    path: str
    """As the trace names it: a path in the container, or a bare file name in Java."""
    line: int
    function: str

    @property
    def is_foreign(self) -> bool:
        """Whether it is of a library or of the language itself."""
        return (
            _FOREIGN.search(self.path) is not None or _FOREIGN_CALL.match(self.function) is not None
        )


class Phase(Enum):
    """What a block of lines waits for."""

    plain = auto()
    """Nothing: only what is plainly a continuation belongs to it."""
    exception = auto()
    """A Python traceback before the line with its exception."""
    chained = auto()
    """Between two Python tracebacks of which one led to the other."""
    header = auto()
    """The place of a JavaScript error, before the error itself."""
    goroutine = auto()
    """A Go panic with its goroutines."""
    key = auto()
    """A key or certificate that is printed over several lines."""


PYTHON = re.compile(r"^\s*(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\)")
_CHAIN = re.compile(
    r"^(?:During handling of the above exception|The above exception was the direct cause)"
)
_PLACE = re.compile(r"^(?:file://|node:)?/?[\w@./-]{1,200}\.[cm]?[jt]sx?:\d{1,7}$")
_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{1,40}-----")
_GO = re.compile(r"(?:^|\s)(?:panic: |fatal error: |http: panic serving )|^goroutine \d+ \[")
_GO_LINE = re.compile(
    r"^(?:goroutine \d+ \[|\[signal |created by |exit status \d|panic: |\t)|^[\w./*()\[\]{}…·-]+\(.*\)$"
)
_RUBY_FRAME = re.compile(r"^\s*(?:from )?[\w./@() -]{1,200}\.(?:rb|erb|rake|ru):\d{1,7}:in\b")
_EXCEPTION = re.compile(r"^(?:[A-Za-z_$][\w$]*[.:]{1,2})*[A-Za-z_$][\w$]*(?:Error|Exception)\b")
_JAVA_HEAD = re.compile(
    r"^(?:Exception in thread |(?:[a-z_][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error)\b)"
)
_MORE = re.compile(
    r"^(?:Caused by: |Suppressed: |\.\.\. \d+ more|\}|Node\.js v\d|\[(?:SQL|parameters)[:\]]"
    r"|\(Background on this error|(?:DETAIL|HINT|CONTEXT|QUERY|LINE \d+):|error Command failed)"
)
_LOGGED = re.compile(r"\b(?:ERROR|CRITICAL|FATAL|SEVERE|[Ee]xception|[Ff]ailed|[Uu]nhandled)\b")
_FRAME_LINE = re.compile(r"^\s+at |^\s+File \"|:in [`']|^\t\S+\.go:\d")

_FOREIGN = re.compile(
    r"(?:site-packages|dist-packages|node_modules|/gems?/|/vendor/|/usr/(?:local/)?(?:lib|go|share)"
    r"|/go/pkg/|/opt/(?:venv|python)|lib/python\d|/rustc/|\.m2/)"
    r"|^(?:node:|<frozen|<string>|internal/|java\.base|runtime/)|^(?:_?_?internal|native)",
    re.IGNORECASE,
)
_FOREIGN_CALL = re.compile(
    r"^(?:java|javax|jdk|sun|com\.sun|jakarta|kotlin|scala|org\.(?:springframework|apache|hibernate"
    r"|eclipse|jboss|postgresql)|io\.(?:netty|undertow|micrometer)|com\.(?:zaxxer|fasterxml|mysql)"
    r"|reactor|net/http|runtime|database/sql|encoding/json|github\.com/(?:gin-gonic|labstack|go-chi))\b"
)
_FRAMES = (
    re.compile(
        r"File \"(?P<path>[^\"\n]{1,300})\", line (?P<line>\d{1,7}), in (?P<function>[^\n]{1,120})"
    ),
    re.compile(
        r"^\s+at (?:async )?(?:(?P<function>[^\s(][^\n(]{0,160}) )?\(?"
        r"(?P<path>(?:file://|node:)?[^\s():]{1,300}):(?P<line>\d{1,7}):\d{1,7}\)?$",
        re.MULTILINE,
    ),
    re.compile(
        r"^\s+at (?P<function>[\w.$/<>-]{1,200})\((?P<path>[\w$-]{1,120}\.(?:java|kt|scala|groovy)):"
        r"(?P<line>\d{1,7})\)",
        re.MULTILINE,
    ),
    re.compile(
        r"^(?P<function>[\w./*()\[\]{}…·-]{1,200})\([^\n]*\)\n\t(?P<path>\S{1,300}\.go):(?P<line>\d{1,7})",
        re.MULTILINE,
    ),
    re.compile(
        r"^\s*(?:from )?(?P<path>[\w./@() -]{1,200}\.(?:rb|erb|rake|ru)):(?P<line>\d{1,7}):in "
        r"[`'](?P<function>[^'\n]{1,120})'",
        re.MULTILINE,
    ),
)


def advance(phase: Phase, line: str) -> Phase:
    """The phase of a block after this line, which belongs to it."""
    if PYTHON.match(line):
        return Phase.exception
    if _CHAIN.match(line):
        return Phase.chained
    if _GO.search(line):
        return Phase.goroutine
    if _KEY_BEGIN.search(line):
        return Phase.plain if _KEY_END.search(line) else Phase.key
    if phase is Phase.key:
        return Phase.plain if _KEY_END.search(line) else phase
    if _PLACE.match(line):
        return Phase.header
    if phase in {Phase.exception, Phase.header} and (_is_indented(line) or not line.strip()):
        return phase
    if phase is Phase.chained and not line.strip():
        return phase
    return phase if phase is Phase.goroutine else Phase.plain


def continues(phase: Phase, last: str, line: str) -> bool:
    """Whether a line belongs to the block of lines before it.

    Args:
        phase: of the block.
        last: the block's last line.
        line: the line that follows, shortly after, from the same place.
    """
    if _is_indented(line) or phase is Phase.key:
        return True  # a key stays whole, so that it is seen to be one and taken out
    if PYTHON.match(line):
        return phase is Phase.chained or (phase is Phase.plain and _is_lead(last))
    if phase in {Phase.exception, Phase.header}:
        return not _PLACE.match(line)
    if phase is Phase.goroutine and (not line.strip() or _GO_LINE.match(line)):
        return True
    if not line.strip() or _CHAIN.match(line) or _MORE.match(line):
        return True
    if _RUBY_FRAME.match(line):
        return bool(_RUBY_FRAME.match(last) or _EXCEPTION.match(last) or not last.strip())
    return bool(_JAVA_HEAD.match(line) and _is_lead(last))


def is_trace(text: str) -> bool:
    """Whether a message of several lines is a stack trace."""
    return "\n" in text and (
        _FRAME_LINE.search(text) is not None or next(frames(text), None) is not None
    )


def frames(text: str) -> Iterator[Frame]:
    """The frames in a text, in its order."""
    for pattern in _FRAMES:
        found = [
            Frame(m["path"].removeprefix("file://"), int(m["line"]), (m["function"] or "").strip())
            for m in pattern.finditer(text)
        ]
        if found:
            yield from found
            return


def signature(text: str) -> str:
    """What two traces of one fault have in common: their exceptions' names and their frames."""
    names = [m[0] for line in text.split("\n") if (m := _EXCEPTION.match(line.strip()))]
    places = [f"{frame.path}:{frame.function}" for frame in frames(text)]
    return " ".join([*dict.fromkeys(names), *places])


def shorten(lines: Sequence[str], most: int) -> list[str]:
    """A trace of at most `most` lines: frames of libraries go first, then what is in the middle."""
    if len(lines) <= most:
        return list(lines)
    half = most // 2
    kept = [*lines[:half], *lines[-half:]]
    own = [line for line in lines[half:-half] if is_own_frame(line)][: most // 4]
    dropped = len(lines) - len(kept) - len(own)
    middle = [*own, f"  … {dropped} lines dropped"]
    return [*lines[:half], *middle, *lines[-half:]]


def is_own_frame(line: str) -> bool:
    """Whether a line of a trace is a call in the application's own code."""
    return bool(_FRAME_LINE.search(line)) and not any(f.is_foreign for f in frames(line))


def _is_lead(last: str) -> bool:
    """Whether a line announces the trace that follows it."""
    return (
        bool(_LOGGED.search(last[:200])) and not _is_indented(last) and not _EXCEPTION.match(last)
    )


def _is_indented(line: str) -> bool:
    return line[:1] in {" ", "\t"} and bool(line.strip())
