"""The deployment log around the onset: before it, at it, after it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autofix.investigate import traces
from autofix.investigate.budget import Block, Draft
from autofix.investigate.case import Case, Sourced
from autofix.investigate.facts import LogFacts
from autofix.investigate.logs import LineKind, build_entries
from autofix.investigate.templates import Coverage, Template, Templates, build_templates
from autofix.models import Deployment, Window
from autofix.observe.wire import LogLine

SOURCE = "deployment log"
PAGES = 10
"""Requests for one service's log at most."""
_ERRORS, _PLATFORM, _BEFORE, _AT, _AFTER = 1_500, 300, 1_500, 1_500, 1_500
"""Lines of one request for errors, platform lines, and all lines before, at and after the onset."""
_AT_ONSET = timedelta(minutes=2)
_SHOWN = 60
"""Templates of one kind that may be shown."""
_FRAMES = 12
_HOSTS = 200
_HOST = re.compile(r"\b(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,24}\b", re.IGNORECASE)
_WHY = {
    LineKind.error: "errors of the service, each with its count and one whole example",
    LineKind.platform: "what the platform did to its containers",
    LineKind.other: "what the service says of itself, first and last of each kind",
}
_FLOORS = {LineKind.error: 3, LineKind.platform: 2, LineKind.other: 2}


@dataclass
class _Reading:
    """Lines as they are read, and of which time they are all."""

    lines: dict[tuple[str, datetime, str, int], LogLine] = field(default_factory=dict)
    whole: dict[LineKind, list[Window]] = field(default_factory=dict)
    pages: int = 0

    def add(self, deployment: Deployment, lines: Iterable[LogLine]) -> None:
        """Keep each line once; the same line may be said twice at the same time."""
        seen: Counter[tuple[datetime, str]] = Counter()
        for line in lines:
            seen[line.at, line.message] += 1
            turn = seen[line.at, line.message]
            self.lines.setdefault((deployment.id, line.at, line.message, turn), line)


def read_logs(case: Case) -> Sourced[LogFacts]:
    """The log of the deployments that served around the onset, as templates."""
    reading = _Reading()
    for deployment in case.served():
        _read_deployment(case, deployment, reading)
    lines = sorted(reading.lines.values(), key=lambda line: line.at)
    coverage = {kind: _coverage(spans, case) for kind, spans in reading.whole.items()}
    templates = build_templates(build_entries(lines), case.onset, coverage)
    drafts = [draft for kind in LineKind if (draft := _draft(case, templates, kind))]
    if not drafts:
        drafts = [case.draft(SOURCE, "nothing was logged", "no lines around the onset")]
    return Sourced(build_facts(templates), tuple(drafts))


def build_facts(templates: Templates) -> LogFacts:
    """What the templates come down to."""
    errors = [t for t in templates.of(LineKind.error) if t.after]
    hosts: Counter[str] = Counter()
    frames: dict[traces.Frame, None] = {}
    for template in errors:
        for host in {m[0].lower() for m in _HOST.finditer(template.example.text[:8_000])}:
            hosts[host] += template.after
        if template.is_trace:
            own = (f for f in traces.frames(template.example.text) if not f.is_foreign)
            frames |= dict.fromkeys(own)
    return LogFacts(
        errors=sum(t.after for t in errors),
        has_news=any(templates.is_news(t) for t in errors),
        hosts=dict(hosts.most_common(_HOSTS)),
        frames=tuple(frames)[:_FRAMES],
    )


def render_template(templates: Templates, template: Template) -> str:
    """How often and since when, against the time before the onset, and an example."""
    return f"{_seen(template)}{_change(templates, template)}\n{_example(template)}"


def _read_deployment(case: Case, deployment: Deployment, reading: _Reading) -> None:
    """Errors and platform lines by their own queries, so that busy logs do not push them out."""
    span, window, onset = case.span, case.window, case.onset
    everything = [
        (span, "@level:error", _ERRORS, (LineKind.error,)),
        (span, "Container", _PLATFORM, (LineKind.platform,)),
        (Window(start=span.start, end=onset), "", _BEFORE, (LineKind.other,)),
        (Window(start=onset, end=min(window.end, onset + _AT_ONSET)), "", _AT, (LineKind.other,)),
        (Window(start=min(window.end, onset + _AT_ONSET), end=window.end), "", _AFTER, (LineKind.other,)),
    ]  # fmt: skip
    for wanted, filter_, limit, kinds in everything:
        wanted = _since(deployment, wanted)  # noqa: PLW2901 - before that another one served
        lines = _page(case, deployment, wanted, filter_, limit, reading)
        if lines is None:
            continue
        spans = [_read_whole(wanted, lines, limit)]
        if len(lines) >= limit and filter_:  # the newest only: how it began may be lost
            start = max(wanted.start, onset - _AT_ONSET)
            around = Window(start=start, end=max(start, min(lines[0].at, onset + _AT_ONSET)))
            earlier = _page(case, deployment, around, filter_, limit, reading)
            spans += [] if earlier is None else [_read_whole(around, earlier, limit)]
        for kind in kinds:
            reading.whole.setdefault(kind, []).extend(spans)


def _since(deployment: Deployment, span: Window) -> Window:
    return span.model_copy(update={"start": max(span.start, deployment.created_at)})


def _read_whole(asked: Window, lines: Sequence[LogLine], limit: int) -> Window:
    """The part of a span of which all lines were read; a full page is the newest of it."""
    return Window(start=lines[0].at if len(lines) >= limit else asked.start, end=asked.end)


def _page(
    case: Case, deployment: Deployment, span: Window, filter_: str, limit: int, reading: _Reading
) -> list[LogLine] | None:
    """One request; None when there is nothing to ask for, or enough was asked."""
    if reading.pages >= PAGES or span.start >= span.end:
        return None
    reading.pages += 1
    lines = case.client.fetch_deployment_logs(
        deployment.id, span.start, span.end, limit=limit, filter_=filter_
    )
    reading.add(deployment, lines)
    return lines


def _coverage(spans: Sequence[Window], case: Case) -> Coverage:
    """Seconds before and after the onset that the spans cover together."""
    before = after = 0.0
    reached = case.span.start
    for span in sorted(spans, key=lambda s: s.start):
        start, end = max(span.start, reached), span.end
        if end <= start:
            continue
        before += max(0.0, (min(end, case.onset) - start).total_seconds())
        after += max(0.0, (end - max(start, case.onset)).total_seconds())
        reached = end
    return Coverage(before, after)


def _draft(case: Case, templates: Templates, kind: LineKind) -> Draft | None:
    chosen = templates.of(kind)
    if not chosen:
        return None
    shown, rest = chosen[:_SHOWN], chosen[_SHOWN:]
    return Draft(
        source=SOURCE,
        why=_WHY[kind],
        blocks=tuple(Block(render_template(templates, t), t.count) for t in shown),
        start=min(t.first.at for t in chosen),
        end=case.window.end,
        floor=_FLOORS[kind],
        turns=2 if kind is LineKind.error else 1,
        left_out=sum(t.count for t in rest) + templates.left_out[kind],
    )


def _seen(template: Template) -> str:
    first, last = template.first.at, template.last.at
    if template.count == 1:
        return f"×1 at {first:%H:%M:%S}"
    return f"×{template.count:,} from {first:%H:%M:%S} to {last:%H:%M:%S}"


def _change(templates: Templates, template: Template) -> str:
    factor = templates.factor(template)
    if factor is None or not template.after:
        return ""
    if factor == float("inf"):
        return ", not once before the onset"
    if factor >= 1.5 or factor <= 0.5:  # noqa: PLR2004 - nearly the same is not worth a word
        return f", {factor:.1f} times as often as before the onset"
    return ", as often as before the onset"


def _example(template: Template) -> str:
    if template.kind is not LineKind.other:
        return template.example.text
    first, last = template.first.text, template.last.text
    # together, so that a number that grows is seen
    return last if first == last else f"{first}\n{last}"
