"""Renders markdown as a forge does: no HTML gets through except folding sections."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_FOLDING = re.compile(r"&lt;(/?(?:details|summary)(?: open)?)&gt;")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class _Renderer(RendererHTML):
    """Escapes raw HTML, but lets `details` and `summary` through and drops comments."""

    def html_block(self, tokens: Sequence[Token], idx: int, _options: Any, _env: Any) -> str:
        return _escape(tokens[idx].content)

    def html_inline(self, tokens: Sequence[Token], idx: int, _options: Any, _env: Any) -> str:
        return _escape(tokens[idx].content)


# Images would be fetched from elsewhere by the browser of whoever looks at the page.
_PARSER = (
    MarkdownIt("commonmark", renderer_cls=_Renderer)
    .enable(["table", "strikethrough"])
    .disable("image")
)


def render_markdown(text: str) -> str:
    """HTML for a text written by anybody."""
    return str(_PARSER.render(text))


def _escape(text: str) -> str:
    return _FOLDING.sub(r"<\1>", html.escape(_COMMENT.sub("", text), quote=False))
