"""Reads the planner's prompt: which service shows which evidence."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SERVICE = re.compile(r"^### Service (?P<name>\S.*?)\s*$")
_ITEM = re.compile(r"^\[(?P<id>E\d+)\] (?P<source>[^·]*)")
_NONCE = re.compile(r"[A-Za-z0-9]{6,}")


@dataclass
class Item:
    """One evidence item."""

    id: str
    source: str
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)


@dataclass
class Report:
    """What the prompt says about one service."""

    service: str
    summary: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)


def parse_reports(prompt: str) -> list[Report]:
    """The services of a prompt in their order, each with the items below its heading.

    Inside a fence nothing is a heading, so that a log line cannot pass for a service or an item.
    """
    reports: list[Report] = []
    fence: str | None = None
    item: Item | None = None
    for line in prompt.splitlines():
        if fence is None and (heading := _SERVICE.match(line)):
            reports.append(Report(heading["name"].strip("`*")))
            item = None
        elif not reports:
            continue
        elif fence is None and (head := _ITEM.match(line)):
            item = Item(head["id"], head["source"].strip())
            reports[-1].items.append(item)
        elif item is None:
            reports[-1].summary.append(line)
        elif fence is None and (opened := _opening(item, line)):
            fence = opened
        elif fence is not None and fence in line:
            fence, item = None, None
        else:
            item.lines.append(line)
    return reports


def _opening(item: Item, line: str) -> str | None:
    """The nonce of a fence line: the first line after the item's reason, if it carries one."""
    written = [text for text in item.lines if text.strip()]
    if len(written) != 1 or not written[0].startswith("why:"):
        return None
    tokens = _NONCE.findall(line)
    return tokens[-1] if tokens and not line[:1].isalnum() else None
