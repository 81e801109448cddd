"""Every incident that is remembered, as one table: dates, verdict, pull request, outcome, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autofix.models import IncidentRecord, Outcome
from autofix.redact.markdown import cell
from autofix.tick import STATES
from autofix.verify.comment import render_span

HistoryRow = dict[str, str]


def build_history(
    records: Sequence[IncidentRecord], fresh: Mapping[str, Outcome]
) -> list[HistoryRow]:
    """One row an incident, the newest first.

    Args:
        records: what is remembered.
        fresh: outcomes by address of the pull request that the records do not know yet.
    """
    ordered = sorted(records, key=lambda r: (r.opened_at, r.fingerprint), reverse=True)
    return [_row(record, fresh) for record in ordered]


def render_history(rows: Sequence[HistoryRow]) -> str:
    """The rows as a markdown table."""
    if not rows:
        return "No incident is remembered."
    titles = list(rows[0])
    table = [titles, ["---"] * len(titles), *([row[t] for t in titles] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def _row(record: IncidentRecord, fresh: Mapping[str, Outcome]) -> HistoryRow:
    outcome = record.outcome or fresh.get(record.pull_request or "")
    lasted = (record.ended_at or record.last_seen) - record.onset
    return {
        "Service": cell(record.service, cap=160),
        "Since": f"{record.onset:%Y-%m-%d %H:%M}",
        "Signals": ", ".join(signal.value for signal in record.signals),
        "Lasted": render_span(lasted) + ("" if record.ended_at else ", goes on"),
        "Verdict": record.verdict or "–",
        "Pull request": _link(record.pull_request),
        "Outcome": outcome.value if outcome else "–",
        "State": STATES[record.state] + (f": {cell(record.why, cap=160)}" if record.why else ""),
        "Cost": f"${record.cost:.2f}" if record.cost else "–",
        "Work": record.work_id,
    }


def _link(url: str | None) -> str:
    return f"[#{url.rpartition('/')[2]}]({url})" if url else "–"
