"""Takes out of a text what hides in it, and cuts its lines, before any rule looks at them."""

from __future__ import annotations

from autofix.redact.spans import Pattern, has_any, rx
from autofix.redact.tags import MARKER

LINE_CAP = 4_000
"""Characters of a line that are kept; a redacted value counts as one of them."""
_NOTE_ROOM = 40
_TOKEN_ROOM = 1_500
"""A cut goes back to the last blank or quote, as far as this; a word longer than that is no word."""

_SEQUENCES = (
    # CSI with its numbers, and the plain character set; of any other escape only itself goes, lest
    # it takes a letter of a secret along
    r"(?:\x1b\[|\x{9b})(?:[0-9;:]{1,100}[mKJHfABCDG]|\?[0-9;]{1,20}[hl]|[mKHJ])|\x1b\(B"
)
_ESCAPES = rx(_SEQUENCES)
_TITLED_ESCAPES = rx(
    # OSC and its kin with their text as well: counting it makes re2 slow
    r"(?:\x1b[\]PX^_]|\x{9d}|\x{90})[^\x07\x1b\x{90}\x{9c}\x{9d}\n]{0,1000}(?:\x07|\x1b\\|\x{9c})"
    rf"|{_SEQUENCES}"
)
_TITLES = (b"\x1b]", b"\x1bP", b"\x1bX", b"\x1b^", b"\x1b_", b"\xc2\x9d", b"\xc2\x90")
_BREAKS = rx(r"\r\n?|[\x{2028}\x{2029}\x{85}]")
_BLANKS = rx(r"[\x0b\x0c]")
_HIDDEN = rx(
    # control characters but tab and newline, soft hyphen, joiners and fillers, bidi, zero width,
    # annotations, musical format, variation selectors (not the two of emoji) and tags
    r"[\x00-\x08\x0b-\x1f\x7f\x{80}-\x{9f}\x{ad}\x{34f}\x{61c}\x{115f}\x{1160}\x{17b4}\x{17b5}"
    r"\x{180b}-\x{180f}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{3164}\x{feff}"
    r"\x{ffa0}\x{fff9}-\x{fffb}\x{fe00}-\x{fe0d}\x{1bca0}-\x{1bca3}\x{1d173}-\x{1d17a}"
    r"\x{e0000}-\x{e0fff}]"
)
_ODD = rx(r"[\x00-\x08\x0b-\x1f\x7f]")
_STRONG = rx(r"""[\s"'`][^\s"'`]*\z""")
_WEAK = rx(r"[,;&{}\[\]()|<>][^,;&{}\[\]()|<>]*\z")


def clean(text: str) -> bytes:
    """The text as UTF-8, without characters that hide and with its lines cut to `LINE_CAP`.

    Every kind of line break becomes a newline; half a surrogate pair becomes a question mark.
    """
    data = strip_hidden(text.encode("utf-8", "replace"))
    if max(map(len, data.split(b"\n"))) <= LINE_CAP:
        return data
    return "\n".join(_cap(line) for line in data.decode().split("\n")).encode()


def visible(text: str) -> str:
    """The text without what hides in it, and with newlines alone for line breaks."""
    return strip_hidden(text.encode("utf-8", "replace")).decode()


def strip_hidden(data: bytes) -> bytes:
    """The text without escape sequences, control, bidi, zero-width and tag characters."""
    if data.isascii() and _ODD.find(data)[0] < 0:
        return data
    if has_any(data, b"\x1b", b"\xc2"):
        data = _drop(_TITLED_ESCAPES if has_any(data, *_TITLES) else _ESCAPES, data)
    if has_any(data, b"\r", b"\xe2\x80", b"\xc2\x85"):
        data = _drop(_BREAKS, data, b"\n")
    if has_any(data, b"\x0b", b"\x0c"):
        data = _drop(_BLANKS, data, b" ")
    return _drop(_HIDDEN, data)


def _drop(pattern: Pattern, data: bytes, by: bytes = b"") -> bytes:
    parts: list[bytes] = []
    kept = 0
    for start, end in pattern.places(data):
        parts += (data[kept:start], by)
        kept = end
    return b"".join([*parts, data[kept:]]) if parts else data


def cut(text: str, cap: int) -> str:
    """The beginning of a text, at most `cap` characters, cut where no token is parted.

    For texts that are cut before they pass the door: half a token is no token to any rule. The cut
    goes back to a blank or a quote, or to another mark when none is near; what then still goes on
    is longer than any token, and enough of it is left for a rule to know it by.
    """
    if len(text) <= cap:
        return text
    keep = text[:cap]
    if "«" in keep[keep.rfind("»") + 1 :]:
        keep = keep[: keep.rfind("«")]
    at, room = _last(_STRONG, keep), min(_TOKEN_ROOM, cap // 2)
    if len(keep) - at > room:
        weak = _last(_WEAK, keep[-room:])
        at = len(keep) - room + weak if weak else len(keep)
    return keep[:at]


def _cap(line: str) -> str:
    """The line up to a place where no token is cut in two, and how much was dropped."""
    if len(line) <= LINE_CAP or _counted(line) <= LINE_CAP:
        return line
    kept = cut(line, LINE_CAP - _NOTE_ROOM)
    return f"{kept}… [{len(line) - len(kept)} characters dropped]"


def _counted(line: str) -> int:
    data = line.encode()
    markers = [len(data[start:end].decode()) for start, end in MARKER.places(data)]
    return len(line) - sum(markers) + len(markers)


def _last(pattern: Pattern, text: str) -> int:
    """Where the last match begins, 0 without one."""
    data = text.encode("utf-8", "replace")
    start, _ = pattern.find(data)
    return len(data[:start].decode()) if start > 0 else 0
