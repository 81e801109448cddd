"""The estimate against a real tokenizer: both of OpenAI's current encodings, run by node."""

from __future__ import annotations

import base64
import json
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.tokens import estimate_tokens

ROOT = Path(__file__).resolve().parents[2]
YARDSTICK = ROOT / "tests" / "tokenizer"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
RNG = random.Random(11)


def count_tokens(texts: list[str]) -> list[int]:
    """For each text the most tokens that one of the encodings needs."""
    assert (YARDSTICK / "node_modules").is_dir(), "run `make setup`"
    done = subprocess.run(
        ["node", "count.cjs"],
        cwd=YARDSTICK,
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    counts: list[int] = json.loads(done.stdout)
    return counts


def _words(alphabet: str, count: int, longest: int = 12) -> str:
    words = ("".join(RNG.choices(alphabet, k=RNG.randint(1, longest))) for _ in range(count))
    return " ".join(words)


def _characters(first: int, last: int, count: int) -> str:
    return "".join(chr(RNG.randint(first, last)) for _ in range(count))


def _log() -> str:
    return "\n".join(
        f"2026-03-02T14:{n % 60:02}:{RNG.randrange(60):02}.{RNG.randrange(10**6):06}Z INFO GET "
        f"/orders/{RNG.randrange(9999)} 200 {RNG.randrange(900)} ms request={RNG.getrandbits(64):016x}"
        for n in range(200)
    )


def _json_log() -> str:
    lines = (
        {
            "level": "error",
            "ts": RNG.random() * 1e9,
            "id": f"{RNG.getrandbits(128):032x}",
            "n": [1, -2],
        }
        for _ in range(60)
    )
    return "\n".join(map(json.dumps, lines))


KINDS = {
    "log": _log(),
    "json log": _json_log(),
    "hex": " ".join(f"{RNG.getrandbits(160):040x}" for _ in range(80)),
    "upper hex": "".join(f"{RNG.getrandbits(160):040X}" for _ in range(80)),
    "base64": base64.b64encode(RNG.randbytes(4_000)).decode(),
    "table": "\n".join(
        " ".join(f"{RNG.random() * 1e3:>9.2f}" for _ in range(9)) for _ in range(60)
    ),
    "trace": (ROOT / "tests/unit/investigate/test_logs.py").read_text(encoding="utf-8"),
    "prose": (ROOT / "docs/observe.md").read_text(encoding="utf-8"),
    "code": (ROOT / "autofix/models.py").read_text(encoding="utf-8"),
    "lock": (ROOT / "requirements.lock").read_text(encoding="utf-8")[:20_000],
    "ascii": _characters(33, 126, 4_000),
    "marks": "".join(RNG.choices("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", k=3_000)),
    "letters": _words(LETTERS, 600),
    "rare letters": _words("qzxjkvw", 600, 6),
    "mixed case": _words(LETTERS + LETTERS.upper() * 2, 600),
    "one word": "".join(RNG.choices(LETTERS, k=3_000)),
    "spaces": "\n".join(" " * RNG.randrange(200) + "x\t" * RNG.randrange(9) for _ in range(200)),
    "breaks": "\r\n" * 300 + "\n" * 999 + " \n" * 50,
    "chinese": _characters(0x4E00, 0x9FA5, 1_500),
    "japanese": _characters(0x3041, 0x30FF, 1_500),
    "korean": _characters(0xAC00, 0xD7A3, 1_500),
    "cyrillic": _characters(0x400, 0x4FF, 1_500),
    "emoji": _characters(0x1F300, 0x1FAFF, 800),
    "anything": "".join(
        chr(RNG.choice((RNG.randint(32, 0xD7FF), RNG.randint(0xE000, 0x10FFFF))))
        for _ in range(2_000)
    ),
    "blocks": "▁▂▃▄▅▆▇█·…→–«»" * 40,
}


@pytest.fixture(scope="module")
def counted() -> dict[str, int]:
    return dict(zip(KINDS, count_tokens(list(KINDS.values())), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_never_undercounts(counted: dict[str, int], kind: str) -> None:
    """Whatever the text is, a model needs no more tokens than the estimate says."""
    assert estimate_tokens(KINDS[kind]) >= counted[kind] > 0


def test_neither_does_it_for_short_pieces() -> None:
    """A thousand cuts of one to eighty characters: a surplus elsewhere makes up for nothing."""
    cuts = []
    for text in KINDS.values():
        for _ in range(40):
            at = RNG.randrange(len(text))
            cuts.append(text[at : at + RNG.randint(1, 80)])
    short = [
        (cut, estimate_tokens(cut), real)
        for cut, real in zip(cuts, count_tokens(cuts), strict=True)
        if estimate_tokens(cut) < real
    ]
    assert len(cuts) >= 1_000
    assert short == []


@pytest.mark.parametrize("kind", ["log", "json log", "table", "trace", "prose", "code"])
def test_the_estimate_wastes_little_of_a_budget(counted: dict[str, int], kind: str) -> None:
    """On what a prompt is made of it is at most seven tenths above the truth."""
    assert estimate_tokens(KINDS[kind]) <= 1.7 * counted[kind]


@given(st.lists(st.text(), max_size=8))
def test_lines_add_up(lines: list[str]) -> None:
    """What was fitted line by line fits as a whole."""
    whole = estimate_tokens("\n".join(lines))
    assert whole <= sum(estimate_tokens(line) + 1 for line in lines)
