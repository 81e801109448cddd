"""How many tokens a text may cost at most, without a tokenizer.

The text is cut where the tokenizers of OpenAI's models (``cl100k_base`` and ``o200k_base``) cut
theirs, and each piece is counted for the most it may cost: a word of the vocabulary is one token,
digits go in threes, and of an unknown word no more can be merged than pairs that are tokens
themselves. Other providers' tokenizers are not known here; theirs may need some tokens more.
"""

from __future__ import annotations

import math
import re
from importlib.resources import files

_LINES = files("autofix").joinpath("vocabulary.txt").read_text(encoding="utf-8").split("\n")
_KNOWN = frozenset(line for line in _LINES if line)
"""Words and runs of punctuation that are one token, alone and after a space. A word after any
one punctuation mark is two at most. Written by tests/tokenizer/vocabulary.cjs."""

_MARKS = r"!-/:-@\[-`{-~"
_PIECE = re.compile(
    rf"([ {_MARKS}])?([A-Za-z]+)"  # 1, 2: a word with what stands directly before it
    r"|([0-9]+)"  # 3
    rf"|( ?)([{_MARKS}]+)"  # 4, 5
    r"|( +)(?!\S)"  # 6: all but the last of several spaces
    r"|([^\x00-\x7f]+)"  # 7
    r"|([\r\n]+|\t+)"  # 8
    r"|(.)",
    re.DOTALL,
)
_CASED = re.compile(r"[A-Z]*[a-z]+|[A-Z]+")
_LONGEST_WORD = 40
"""Letters of a word that are looked at pair by pair; of a longer one each may be a token."""


def estimate_tokens(text: str) -> int:
    """Tokens that the text costs at most. Adds up: a text costs no more than its lines do."""
    return sum(_cost(piece) for piece in _PIECE.finditer(text))


def _cost(piece: re.Match[str]) -> int:
    before, word, digits, space, marks, spaces, foreign, breaks, _ = piece.groups()
    if word:
        return _word(word) + (before not in {None, " "})
    if digits:
        return math.ceil(len(digits) / 3)
    if marks:
        return _punctuation(marks, after_space=bool(space))
    if spaces:
        return math.ceil(len(spaces) / 64)
    if foreign:
        # a token holds at least one byte
        return len(foreign.encode("utf-8", "surrogatepass"))
    return breaks.count("\r") + math.ceil(len(breaks) / 4) if breaks else 1


def _punctuation(marks: str, *, after_space: bool) -> int:
    if marks in _KNOWN:
        return 1 + after_space
    return 1 if len(marks) == 1 else len(marks) + after_space


def _word(word: str) -> int:
    if word in _KNOWN or len(word) == 1:
        return 1
    parts = _CASED.findall(word)
    return sum(map(_word, parts)) if len(parts) > 1 else _unknown(word)


def _unknown(word: str) -> int:
    """The most tokens in which no two letters stand alone that could be merged."""
    if len(word) > _LONGEST_WORD:
        return len(word)
    # most tokens up to here: ending in a letter alone, and ending in a pair
    alone, pair, before = 1, 0, 0
    for i in range(1, len(word)):
        apart = word[i - 1 : i + 1] not in _KNOWN
        alone, pair, before = max(pair, alone if apart else 0) + 1, before + 1, max(alone, pair)
    return max(alone, pair)
