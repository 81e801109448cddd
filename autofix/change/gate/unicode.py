"""Characters that hide or mislead: what a reviewer sees must be what a compiler reads."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Controls but tab, line feed and form feed; bidi, zero-width, invisible fillers, tags, private use.
_SUSPECT = re.compile(
    "[\x00-\x08\x0b\x0d-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\uffff"
    "\ue000-\uf8ff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff\ud800-\udfff]"
)
_ZWNJ, _ZWJ, _BOM = "\u200c", "\u200d", "\ufeff"
_PRESENTATION = {"\ufe0e", "\ufe0f"}
_SYMBOLS = {"So", "Sk", "Po", "Nd", "Sm"}
# Scripts in which a zero-width joiner or non-joiner is part of ordinary spelling.
_JOINING = re.compile(r"(?:ARABIC|DEVANAGARI|BENGALI|TAMIL|TELUGU|KANNADA|MALAYALAM|SINHALA|KHMER)")
_ORDINALS = "\u00aa\u00ba"
_WORD = re.compile(r"[^\W\d_][\w\u00b7]*", re.UNICODE)
# Cyrillic, Greek and Armenian letters that a reader takes for the Latin one beside them.
_LOOK_ALIKE = dict(
    zip(
        "\u0430\u0441\u0435\u0456\u0458\u043e\u0440\u051b\u0455\u051d\u0445\u0443\u04bb\u0501"
        "\u04cf\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422"
        "\u0425\u0423\u050c\u051a\u051c\u03bf\u03bd\u03c1\u03f2\u03f3\u0391\u0392\u0395\u0396"
        "\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03f9\u0585\u057d\u0570"
        "\u0578\u0575\u0581\u057f\u0582\u0555\u054d",
        "aceijopqswxyhdlABESIJKMHOPCTXYGQWovpcjABEZHIKMNOPTYXCouhnjgunOU",
        strict=True,
    )
)


def find_hidden(text: str, *, is_file_start: bool = False) -> str | None:
    """The first character that hides or misleads, as ``U+202E``; None when there is none.

    Args:
        text: any text; line feeds and tabs are fine.
        is_file_start: a byte order mark at its very beginning is fine then.
    """
    for match in _SUSPECT.finditer(text):
        if is_file_start and match[0] == _BOM and match.start() == 0:
            continue
        if not _is_spelling(text, match.start()):
            return f"U+{ord(match[0]):04X}"
    return None


def _is_spelling(text: str, position: int) -> bool:
    """Whether this character belongs to an emoji, or to a word of a script that joins."""
    character = text[position]
    before = text[position - 1] if position else ""
    after = text[position + 1] if position + 1 < len(text) else ""
    if character in _PRESENTATION:
        return bool(before) and unicodedata.category(before) in _SYMBOLS
    if character == _ZWJ and after and _is_emoji(before):
        return _is_emoji(after)
    if character in {_ZWNJ, _ZWJ} and before and after:
        return all(_JOINING.match(unicodedata.name(c, "")) for c in (before, after))
    return False


def _is_emoji(character: str) -> bool:
    return character in _PRESENTATION or unicodedata.category(character or " ") in {"So", "Sk"}


def find_look_alikes(text: str, known: frozenset[str]) -> Iterator[str]:
    """Words that are not what they look like.

    That is a word of Latin letters with look-alikes among them, one that a compiler would read as
    other letters (full-width, mathematical), or one of look-alikes only that spells a known name.

    Args:
        text: lines of code.
        known: names that the file uses.
    """
    if text.isascii():
        return
    for match in _WORD.finditer(text):
        word = match[0]
        if not word.isascii() and _misleads(word, known):
            yield word


def to_latin(text: str) -> str:
    """With the Latin letter in place of each look-alike."""
    return "".join(_LOOK_ALIKE.get(character, character) for character in text)


def _misleads(word: str, known: frozenset[str]) -> bool:
    letters = [character for character in word if character.isalpha()]
    for spelled in (_LOOK_ALIKE.get, _fold):
        odd = [character for character in letters if spelled(character)]
        if odd and any(character.isascii() for character in letters):
            return True
        if odd and len(odd) == len(letters) and len(letters) > 1:
            return "".join(spelled(character) or character for character in word) in known
    return False


def _fold(character: str) -> str | None:
    """The plain letter for a full-width or mathematical one, as a compiler may read it."""
    if character.isascii() or character in _ORDINALS:
        return None
    folded = unicodedata.normalize("NFKC", character)
    return folded if folded != character and folded.isascii() and folded.isalnum() else None
