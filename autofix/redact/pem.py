"""Private keys in blocks of many lines: PEM, PGP, SSH, PuTTY; whole, cut, or behind prefixes."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.redact.spans import Match, Span, has_any, rx, simple

_BEGIN = rx(r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_END = rx(r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_PUTTY = rx(r"PuTTY-User-Key-File-[0-9]:|Private-Lines: [0-9]+")
_BODY = rx(r"(?:\A|[\s\x02\"'|>:\]=])([A-Za-z0-9+/=_\-]{1,100})[\"',}\]\s\x02\\]*\z")
_HEADERS = rx(
    r"(?i)(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|Public-Lines|Private-MAC|Encryption|Key-Derivation|Argon2-\w+)(?:: |\z)"
)
_PIECE = simple(r"[A-Za-z0-9+/=_\-]+")
_LONG, _MOST_LONG = 40, 100
_RUN = rx(r"[A-Za-z0-9+/]{48,}={0,2}")
_RUNS = rx(r"[A-Za-z0-9+/]{16,}={0,2}")
_PRIVATE_LINES = rx(r"Private-Lines: ([0-9]{1,4})")
_STRAY = 3
"""Other lines in a row within a block before it counts as over."""
_MOST = 400
"""Lines of the longest key that is followed."""


def find_private_keys(data: bytes) -> Iterator[Span]:
    """The blocks, each as one span; line by line where other lines stand between."""
    if not has_any(data, b"PRIVATE KEY", b"Private-Lines"):
        return
    done = 0
    for begin in _BEGIN.finditer(data):
        if begin.start() < done:
            continue
        done = begin.end()
        for span in _block(data, begin):
            done = max(done, span.end)
            yield span
    yield from _tails(data)
    yield from _putty(data)


def _block(data: bytes, begin: Match) -> Iterator[Span]:
    start, at = begin.start(), begin.end()
    stop = data.find(b"\n", at)
    stop = len(data) if stop < 0 else stop
    end = _END.search(data, at, stop)
    if end is not None:
        yield Span(start, end.end(), "private-key", _identity(data[at : end.start()]))
        return
    same_line = data[at:stop].rstrip(b" \x02\"'\\,}]")
    if len(same_line) > 16:  # noqa: PLR2004 - the key goes on in this line and is cut
        yield Span(start, at + len(same_line), "private-key", _identity(same_line))
        return
    yield from _lines(data, start, stop)


def _lines(data: bytes, start: int, stop: int) -> Iterator[Span]:
    """The lines after the first: one span when all belong to the key, else one for each."""
    bodies: list[tuple[int, int]] = []
    strays = total = 0
    lead = -1
    end = stop
    while stop < len(data) and strays <= _STRAY and len(bodies) < _MOST:
        at = stop + 1
        stop = data.find(b"\n", at)
        stop = len(data) if stop < 0 else stop
        if data.find(b"END ", at, stop) >= 0 and (last := _END.search(data, at, stop)) is not None:
            end, strays = last.end(), 0
            break
        body = _body(data[at:stop], lead)
        if body is not None:
            lead = len(data[at : at + body[0]].split())
            bodies.append((at + body[0], at + body[1]))
            end, strays = bodies[-1][1], 0
        elif data[at:stop].strip() and not _HEADERS.search(data[at:stop]):
            strays += 1
            total += 1
    identity = b"".join(data[s:e] for s, e in bodies)
    if not bodies:
        return
    if total - strays > 0:
        for body_start, body_end in bodies:
            yield Span(body_start, body_end, "private-key", identity)
    else:
        yield Span(start, end, "private-key", identity)


def _body(line: bytes, lead: int) -> tuple[int, int] | None:
    """Where in its line a piece of the key stands; `lead` is how many words stood before the last.

    A short last piece counts only behind as many words as the long ones.
    """
    if len(line) <= _MOST_LONG and (len(line) >= _LONG or lead == 0) and _PIECE.fullmatch(line):
        return 0, len(line)
    tail = _BODY.search(line)
    if tail is not None and (len(tail[1]) >= _LONG or len(line[: tail.start(1)].split()) == lead):
        return tail.start(1), tail.end(1)
    inner = _RUN.find(line)
    return inner if inner[0] >= 0 else None


def _tails(data: bytes) -> Iterator[Span]:
    """Blocks whose beginning is not in the text."""
    for end in _END.finditer(data):
        begin = _BEGIN.search(data[max(0, end.start() - 20_000) : end.start()])
        if begin is not None:
            continue
        stop = data.rfind(b"\n", 0, end.start())
        bodies: list[tuple[int, int]] = []
        while stop > 0 and len(bodies) < _MOST:
            at = data.rfind(b"\n", 0, stop) + 1
            body = _BODY.search(data[at:stop])
            if body is None or (len(bodies) > 0 and len(body[1]) < 40):  # noqa: PLR2004
                break
            bodies.append((at + body.start(1), at + body.end(1)))
            stop = at - 1
        identity = b"".join(data[s:e] for s, e in reversed(bodies))
        for start, body_end in bodies:
            yield Span(start, body_end, "private-key", identity)


def _putty(data: bytes) -> Iterator[Span]:
    for head in _PRIVATE_LINES.finditer(data):
        at = data.find(b"\n", head.end()) + 1
        end = at
        for _ in range(min(int(head[1]), _MOST)):
            stop = data.find(b"\n", end)
            end = len(data) if stop < 0 else stop + 1
        if at and end > at and _RUNS.search(data, at, end):
            text = data[at:end].rstrip(b"\n")
            yield Span(at, at + len(text), "private-key", _identity(text))


def _identity(text: bytes) -> bytes:
    return b"".join(text[start:end] for start, end in _RUNS.places(text)) or text
