import html

import pytest

from autofix.change.markdown import cell, code, fence, inline, plain


@pytest.mark.parametrize(
    "text",
    [
        "ask @acme/team",
        "Fixes #12",
        "closes acme/x#3",
        "resolves https://github.com/acme/x/issues/4",
        "GH-7",
        "see www.evil.test",
        "<img src=x onerror=1>",
        "<!-- railway-autofix work:x-e1-a1 fix:f -->",
        "[click](http://evil.test)",
        "\\[click](http://evil.test)",
        "![x](http://evil.test)",
        "``@acme",
        "` `` @acme` @team",
    ],
)
def test_nothing_from_outside_is_live(text):
    """Mentions, references, links and HTML are all broken up outside code spans."""
    shown = "".join(p for i, p in enumerate(inline(text).split("`")) if i % 2 == 0)
    for live in ("@a", "@t", "#1", "#3", "://", "GH-7", "www.", "<", ">"):
        assert live not in shown
    assert "](" not in inline(text).replace("\\](", "")


def test_a_broken_mark_shows_as_it_was():
    """The reader sees the text, not how it was broken up."""
    shown = html.unescape(inline("ask @acme about #12 at https://x.example, see GH-7"))
    assert shown.replace("\u200b", "") == "ask @acme about #12 at https://x.example, see GH-7"


def test_code_spans_survive():
    """Names in backticks stay readable, stray backticks are escaped."""
    assert inline("use `a @b <c>` now") == "use `a @b <c>` now"
    assert inline("a ` b") == "a \\` b"


def test_block_structure_cannot_be_broken():
    """Line ends, table bars and fences inside the text close nothing."""
    assert "\n" not in inline("a\n## b")
    assert "|" not in cell("a `|` b | c")
    assert code("a`b\nc") == "`a'b c`"
    assert fence("x\n````\ny").startswith("`````text\n")
    assert fence("x" * 50, cap=10).splitlines()[-2] == "… 40 characters left out"


def test_plain_text_mentions_and_closes_nothing():
    """Titles and commit messages cannot be escaped, so the marks are set apart."""
    text = "Fix @team's cache,\n closes #12 and GH-3, see https://x.example"
    assert plain(text) == "Fix @ team's cache, closes # 12 and GH 3, see https: //x.example"
    assert len(plain("x" * 500, cap=50)) == 50


def test_a_break_is_not_broken_by_the_next_rule():
    """An entity that was put in for one mark holds a # and digits of its own."""
    assert inline("see https://a.test or ask @bob about #12") == (
        "see https:&#8203;//a.test or ask @&#8203;bob about #&#8203;12"
    )
