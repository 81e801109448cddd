"""Runs the rules over a text and puts markers in the place of what they find."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from autofix.redact.addresses import find_addresses, find_emails
from autofix.redact.context import find_flags, find_named
from autofix.redact.headers import find_schemes
from autofix.redact.numbers import find_cards, find_ibans, find_phones, find_ssns
from autofix.redact.pem import find_private_keys
from autofix.redact.prose import find_in_prose
from autofix.redact.spans import FILLED, Detector, Span
from autofix.redact.tags import overwrite, part_escapes, render_marker
from autofix.redact.urls import find_dsns, find_in_urls
from autofix.redact.vendors import find_shapes, find_tokens

CREDENTIALS: tuple[Detector, ...] = (
    find_private_keys,
    find_tokens,
    find_shapes,
    find_dsns,
    find_in_urls,
    find_schemes,
    find_named,
    find_flags,
    find_in_prose,
)
PEOPLE: tuple[Detector, ...] = (
    find_emails,
    find_ibans,
    find_cards,
    find_ssns,
    find_phones,
    find_addresses,
)
_MOST_ROUNDS = 6
_KEY_ROOM = 30_000
"""Bytes behind the beginning of a key in which its end can stand."""
_EDGE = b"\x03"
"""Between blocks that do not touch; cleaning leaves no such character in a text."""


def redact_bytes(data: bytes, key: bytes, detectors: Sequence[Detector]) -> bytes:
    """The text with a marker for each part that a rule finds, until no rule finds anything more.

    What a marker leaves bare is looked at again, in the lines that changed and those beside them:
    so the second time there is nothing to find.
    """
    return _redact(data, key, detectors, 1)


def _redact(data: bytes, key: bytes, detectors: Sequence[Detector], look: int) -> bytes:
    spans = _find(data, detectors)
    if not spans:
        return data
    data, places = _replace(data, spans, key)
    if look > _MOST_ROUNDS:
        return data
    again = [_widen(data, *place, span) for place, span in zip(places, spans, strict=True)]
    kept, blocks = _cut(data, _changed(data, again))
    edge = b"\n" + _EDGE * look + b"\n"  # no edge of an earlier look, which a block may hold
    done = _redact(edge.join(blocks), key, detectors, look + 1).split(edge)
    return b"".join(part for pair in zip(kept, [*done, b""], strict=True) for part in pair)


def _find(data: bytes, detectors: Sequence[Detector]) -> list[Span]:
    return merge(find_spans(data, detectors))


def _widen(data: bytes, start: int, end: int, span: Span) -> tuple[int, int]:
    """What to look at again for this marker: of a key also an end that has lost its beginning."""
    if span.kind != "private-key":
        return start, end
    at = data.find(b"PRIVATE KEY", end, end + _KEY_ROOM)
    return (start, at) if at >= 0 and b"END " in data[max(end, at - 60) : at] else (start, end)


def _changed(data: bytes, places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The lines that change, with one more before and behind; those that touch as one."""
    start, stop = -1, -1
    line_stop = -1
    for begin, end in places:
        if end <= line_stop:
            continue  # a line that changes already
        line_stop = data.find(b"\n", end)
        line_stop = len(data) if line_stop < 0 else line_stop
        first = data.rfind(b"\n", 0, max(0, data.rfind(b"\n", 0, begin))) + 1
        last = data.find(b"\n", line_stop + 1)
        last = len(data) if last < 0 else last
        if first > stop >= 0:
            yield start, stop
        if first > stop:
            start = first
        stop = last
    yield start, stop


def _cut(data: bytes, edges: Iterable[tuple[int, int]]) -> tuple[list[bytes], list[bytes]]:
    """What lies between the blocks, one more than those, and the blocks."""
    kept: list[bytes] = []
    blocks: list[bytes] = []
    end = 0
    for start, stop in edges:
        kept.append(data[end:start])
        blocks.append(data[start:stop])
        end = stop
    return [*kept, data[end:]], blocks


def find_spans(data: bytes, detectors: Sequence[Detector]) -> list[Span]:
    """What the rules find, in their order; nothing that was redacted before.

    The first rule is that of the live secrets, which sees the text as it is. The rules for tokens
    look again at a text with escapes: a backslash before ``npm_`` is no line break, and ``%20`` no
    part of what follows.
    """
    live, *others = detectors
    exact, filled, written = overwrite(data)
    parted, escaped = part_escapes(filled)
    spans: list[Span] = list(live(exact))
    for detector in others:
        spans.extend(detector(filled))
    for view, places in ((exact, written), (parted, escaped)):
        lines, begins = _lines_at(view, places)
        for span in (*find_tokens(lines), *find_shapes(lines)) if lines else ():
            start, at = begins[bisect_right(begins, (span.start, len(view))) - 1]
            by = at - start
            spans.append(span._replace(start=span.start + by, end=span.end + by))
    if FILLED not in exact:
        return spans
    return [span for span in spans if exact[span.start : span.end].strip(FILLED)]


def _lines_at(view: bytes, places: Iterable[int]) -> tuple[bytes, list[tuple[int, int]]]:
    """The lines with these places, from left to right; where each begins in them, and in all."""
    lines: list[bytes] = []
    begins: list[tuple[int, int]] = []
    size = stop = 0
    for place in places:
        if place < stop:
            continue
        at = view.rfind(b"\n", 0, place) + 1
        stop = view.find(b"\n", place) + 1 or len(view) + 1
        lines.append(view[at : stop - 1])
        begins.append((size, at))
        size += stop - at
    return b"\n".join(lines), begins


def merge(spans: Sequence[Span]) -> list[Span]:
    """Parts that overlap as one, of the kind that was found first."""
    merged: list[Span] = []
    ranks: list[int] = []
    for place in sorted(range(len(spans)), key=[span.start for span in spans].__getitem__):
        span = spans[place]
        if not merged or span.start >= merged[-1].end:
            merged.append(span)
            ranks.append(place)
            continue
        last = merged[-1]
        best = span if place < ranks[-1] else last
        end = max(last.end, span.end)
        same = (best.start, best.end) == (last.start, end)
        merged[-1] = Span(last.start, end, best.kind, best.identity if same else None)
        ranks[-1] = min(ranks[-1], place)
    return merged


def _replace(data: bytes, spans: Iterable[Span], key: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """The text with markers, and where they stand in it."""
    parts: list[bytes] = []
    places: list[tuple[int, int]] = []
    end = size = 0
    for span in spans:
        marker = render_marker(key, span.kind, span.identity or data[span.start : span.end])
        size += span.start - end
        places.append((size, size + len(marker)))
        parts += [data[end : span.start], marker]
        size += len(marker)
        end = span.end
    return b"".join([*parts, data[end:]]), places
