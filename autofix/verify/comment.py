"""The one comment that says what a merged fix did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from autofix.change.markdown import cell, code, inline
from autofix.models import Outcome
from autofix.sparkline import sparkline
from autofix.verify.compare import Comparison, Effect
from autofix.verify.outcome import render_number
from autofix.verify.readings import Reading
from autofix.verify.verification import Picture, Settled

MARKER = "<!-- railway-autofix outcome -->"
"""By which the comment is found again."""
_HEADLINES = {
    Outcome.recovered: "Recovered: the fix helped",
    Outcome.unchanged: "Unchanged: the trouble goes on",
    Outcome.worse: "Worse since the fix",
    Outcome.inconclusive: "Inconclusive: it cannot be said whether the fix helped",
}
_EFFECTS = {
    Effect.improved: "better",
    Effect.worsened: "worse",
    Effect.unclear: "no sure change",
    Effect.unmeasured: "not measured",
}
_BEFORE = "before the fix"
_NEXT = {
    Outcome.recovered: "The incident is closed. If the trouble comes back, it is a new episode.",
    Outcome.unchanged: "A new attempt follows, with this one as evidence.",
    Outcome.worse: "Nothing further is done by itself; see the proposal above.",
    Outcome.inconclusive: "Nothing further is done by itself unless the trouble comes up again.",
}


def render_comment(settled: Settled) -> str:
    """GitHub markdown: the outcome, its reasons, numbers before and after, a picture, the times."""
    parts = [
        MARKER,
        f"## {_HEADLINES[settled.outcome]}",
        "\n".join(f"- {inline(reason)}" for reason in settled.reasons),
        _live(settled),
        _table(settled.comparisons),
        _pictures(settled.pictures),
        _rollback(settled),
        _times(settled.times),
        _NEXT[settled.outcome],
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _live(settled: Settled) -> str:
    deployment = settled.deployment
    if deployment is None:
        return ""
    commit = code(deployment.commit[:12]) if deployment.commit else "no commit"
    live = dict(settled.times).get("live")
    at = f" since {live:%Y-%m-%d %H:%M:%S} UTC" if live else ""
    return f"The merge is live{at}: deployment {code(deployment.id)} of commit {commit}."


def _table(comparisons: Sequence[tuple[str, Comparison]]) -> str:
    if not comparisons:
        return ""
    # a young service has no time before its trouble
    has_before = any(c.before for _, c in comparisons)
    titles = ["service", "signal", "before the fix", "after the fix", ""]
    rows = [
        [cell(service), f"{c.name}, {c.unit}", _reading(c.during), _reading(c.after),
         _EFFECTS[c.effect]]
        for service, c in comparisons
    ]  # fmt: skip
    if has_before:
        titles.insert(2, "before the trouble")
        for row, (_, c) in zip(rows, comparisons, strict=True):
            row.insert(2, _reading(c.before))
    lines = [titles, ["---"] * len(titles), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    note = "In brackets: where the true value lies, in all likelihood (97.5 %)."
    return f"{table}\n\n{note}"


def _reading(reading: Reading | None) -> str:
    if reading is None:
        return "–"
    requests = "" if reading.requests is None else f", {reading.requests:,} requests"
    return f"{render_number(reading.value)} ({render_number(reading.low)}…{render_number(reading.high)}){requests}"


def _pictures(pictures: Sequence[Picture]) -> str:
    if not pictures:
        return ""
    width = max(len(f"{p.service} {p.name}") for p in pictures)
    bars = max(len(_BEFORE), *(len(p.during) for p in pictures))
    lines = [f"{'':<{width}}  {_BEFORE:<{bars}} │ after it"]
    for picture in pictures:
        known = [v for v in (*picture.during, *picture.after) if v is not None]
        top = max(known, default=0.0)
        lines.append(
            f"{f'{picture.service} {picture.name}':<{width}}  "
            f"{sparkline(list(picture.during), top):<{bars}} │ {sparkline(list(picture.after), top)}  "
            f"top {render_number(top)} {picture.unit}"
        )
    body = "\n".join(lines).replace("`", "'")
    return f"```text\n{body}\n```"


def _rollback(settled: Settled) -> str:
    back = settled.rollback_to
    if settled.outcome is not Outcome.worse:
        return ""
    if back is None:
        return (
            "**Proposal:** revert the merge; no deployment from before it is known to go back to."
        )
    commit = f" of commit {code(back.commit[:12])}" if back.commit else ""
    return (
        f"**Proposal:** roll back to deployment {code(back.id)}{commit}, which served before: open "
        "it under Deployments on Railway and choose Rollback. Look for migrations between the two "
        "first."
    )


def _times(times: Sequence[tuple[str, datetime]]) -> str:
    if len(times) < 2:  # noqa: PLR2004 - nothing between
        return ""
    head = " | ".join(f"{a} → {b}" for (a, _), (b, _) in pairwise(times))
    row = " | ".join(render_span(b - a) for (_, a), (_, b) in pairwise(times))
    rule = " | ".join("---" for _ in times[1:])
    return f"| {head} |\n| {rule} |\n| {row} |"


def render_span(length: timedelta) -> str:
    """``42 s``, ``7 min``, ``3 h 20 min``, ``2 d 4 h``; a negative one, by clocks apart, is ``0 s``."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 120:  # noqa: PLR2004
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if minutes < 120:  # noqa: PLR2004
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{days} d {hours % 24} h"  # noqa: PLR2004
