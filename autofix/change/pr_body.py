"""The body of the pull request: one function a section, all text from outside made harmless."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

from autofix.change.checks import Kind, Tests, is_test, read_tests
from autofix.change.ids import fix_id
from autofix.change.markdown import cell, code, fence, inline, plain
from autofix.models import (
    CommandRun,
    EvidenceItem,
    FixPlan,
    GateResult,
    PlanResult,
    RootCause,
    ServiceContext,
    SessionResult,
)
from autofix.plan.picture import render_chart
from autofix.plan.render import quote, since_deployment
from autofix.redact import redact as redact_patterns

CAP = 60_000
"""Characters; GitHub refuses bodies above 65,536."""
REHEARSAL_MODEL = "rehearsal-scripted"
_COMMANDS = 40
_DECISIVE = 4
"""Evidence items that are shown open."""
_STATUS = {"A": "added", "M": "changed", "D": "deleted", "T": "changed its kind"}
_MARKER = re.compile(r"<!-- railway-autofix work:(\S+) services:(\S+) fix:(\S+) -->")


def render_body(
    plan: PlanResult,
    contexts: Sequence[ServiceContext],
    session: SessionResult,
    gate: GateResult,
    work_ids: Sequence[str],
    run_url: str,
    *,
    redact: Callable[[str], str] = redact_patterns,
) -> str:
    """The pull request's body in GitHub markdown, at most `CAP` characters.

    In the order in which a reviewer decides: what no test speaks for, what happened, since when, by
    which evidence, why, what was changed, what was run, what is open, how it is verified, what was
    left alone. Evidence is left out from the end when it does not fit, and the body says how much.

    Args:
        plan: the plan that was carried out.
        contexts: the affected services with their evidence.
        session: how the agent's session went; its closing words are quoted, never believed.
        gate: what is published, file by file.
        work_ids: the incidents' turns; they go into the marker by which reruns find it.
        run_url: the run in the Prefect UI; empty when there is none.
        redact: takes secrets out of the finished text.
    """
    items = [item for context in contexts for item in context.evidence]
    tests = read_tests(session.commands)
    head = [
        _note(plan),
        _untested(tests),
        _happened(plan, contexts),
        _decisive(plan.plan, items),
        _causes(plan.plan.root_causes),
        _changed(gate),
        _checked(session, tests),
        _open_todos(session),
        _verified(plan),
        _untouched(plan.plan, gate),
        _origin(plan, session, run_url),
    ]
    marker = render_marker(work_ids, [context.incident.service.id for context in contexts])
    for kept in range(len(items), -1, -1):
        sections = [*head, _evidence(items[:kept], len(items) - kept)]
        text = redact("\n\n".join(section for section in sections if section))
        if len(text) + len(marker) + 2 <= CAP:
            return f"{text}\n\n{marker}\n"
    return f"{text[: CAP - len(marker) - 20]}…\n\n{marker}\n"


def render_message(title: str, plan: FixPlan, work_ids: Sequence[str]) -> str:
    """The message of the published commit: the title, why, and what it is the record of."""
    causes = [plain(f"{cause.service}: {cause.cause}", cap=500) for cause in plan.root_causes]
    wrapped = [textwrap.fill(cause, 72) for cause in causes]
    trailer = f"Autofix-Work: {','.join(sorted(set(work_ids)))}"
    return "\n\n".join([plain(title, cap=100), *wrapped, trailer]) + "\n"


class Marker(NamedTuple):
    """What a pull request is the record of."""

    work_ids: tuple[str, ...]
    services: tuple[str, ...]
    """Ids of the services it covers."""
    fix_id: str


def render_marker(work_ids: Sequence[str], services: Sequence[str]) -> str:
    """The comment by which a pull request is recognised as the record of a fix."""
    work, covered = sorted(set(work_ids)), sorted(set(services))
    fields = f"work:{','.join(work)} services:{','.join(covered)} fix:{fix_id(work)}"
    return f"<!-- railway-autofix {fields} -->"


def parse_marker(body: str) -> Marker | None:
    """The marker of a pull request's body; None when it has none.

    The last one counts: nothing that came from outside stands after it.
    """
    found = _MARKER.findall(body)
    if not found:
        return None
    work, services, fix = found[-1]
    return Marker(tuple(work.split(",")), tuple(services.split(",")), fix)


def _note(plan: PlanResult) -> str:
    if plan.model != REHEARSAL_MODEL:
        return ""
    return (
        "> **Scripted rehearsal.** No language model was asked: a script that knows a few "
        "faults by their evidence stood in for it."
    )


def _untested(tests: Tests) -> str:
    """The first thing to read when no test speaks for the change; empty when one does."""
    last = f"{code(tests.last.command)} → {_status(tests.last)}" if tests.last else ""
    match tests.kind:
        case Kind.passed:
            return ""
        case Kind.none:
            text = "**No test was run.** None of the agent's commands was one."
        case Kind.impossible:
            text = f"**No test could be run.** The runner did not start: {last}."
        case Kind.untold:
            text = f"**No test run told its result.** The exit status is not the tests': {last}."
        case Kind.failed:
            text = f"**The last test run failed:** {last}."
    return f"> [!WARNING]\n> {text}"


def _happened(plan: PlanResult, contexts: Sequence[ServiceContext]) -> str:
    parts = ["## What happened", inline(plan.plan.summary)]
    rows = [
        f"| {cell(context.incident.service.name)} | {finding.signal} | {finding.severity} "
        f"| {_number(finding.value)} {cell(finding.unit)} | {_number(finding.threshold)} "
        f"{cell(finding.unit)} | {finding.onset:%Y-%m-%d %H:%M:%S} |"
        for context in contexts
        for finding in context.incident.findings
    ]
    if rows:
        head = "| service | signal | severity | measured | threshold | since (UTC) |"
        parts.append("\n".join([head, "| --- | --- | --- | --- | --- | --- |", *rows]))
    reasons = [
        f"- {inline(finding.reason)}"
        for context in contexts
        for finding in context.incident.findings
    ]
    pictures = [
        picture
        for context in contexts
        for chart in context.charts[:1]
        if (picture := render_chart(chart, context.incident.service.name))
    ]
    return "\n\n".join([*parts, "\n".join(reasons), *pictures, _since(contexts)])


def _since(contexts: Sequence[ServiceContext]) -> str:
    rows = []
    for context in contexts:
        incident = context.incident
        name, onset = inline(incident.service.name), f"{incident.onset:%Y-%m-%d %H:%M:%S}"
        rows.append(f"- **{name}**: since {onset} UTC{since_deployment(context)}")
        rows += [f"  - before: {inline(line)}" for line in incident.earlier]
    return "## Since when\n\n" + "\n".join(rows)


def _decisive(plan: FixPlan, items: Sequence[EvidenceItem]) -> str:
    """The items that the causes rest on, in their order; the whole of each stands at the end."""
    known = {item.id: item for item in items}
    ids = dict.fromkeys(id_ for cause in plan.root_causes for id_ in cause.evidence if id_ in known)
    quoted = [quote(known[id_]).lstrip() for id_ in list(ids)[:_DECISIVE]]
    return "\n\n".join(["## Decisive evidence", *quoted]) if quoted else ""


def _causes(causes: Sequence[RootCause]) -> str:
    return "## Root causes\n\n" + "\n".join(
        f"{number}. **{inline(cause.service)}**{_place(cause)}: {inline(cause.cause)} "
        f"Evidence: {inline(', '.join(cause.evidence)) or 'none'}. "
        f"Confidence: {cause.confidence:.0%}."
        for number, cause in enumerate(causes, 1)
    )


def _place(cause: RootCause) -> str:
    places = [code(place) for place in (cause.file, cause.function) if place]
    return f" in {', '.join(places)}" if places else ""


def _changed(gate: GateResult) -> str:
    rows = [
        f"- {code(file.path)}: {_STATUS.get(file.status, file.status)}, "
        f"{file.added} lines added, {file.removed} removed"
        for file in gate.files
    ]
    return "## What was changed\n\n" + "\n".join(rows)


def _checked(session: SessionResult, tests: Tests) -> str:
    note = "Read from the session's record, not from what the agent says."
    parts = ["## What was run to check it", note]
    if tests.runs:
        parts.append("\n".join(_run(run) for run in tests.runs[-_COMMANDS:]))
    others = [run for run in session.commands if not is_test(run.command)]
    if others:
        rows = [_run(run) for run in others[-_COMMANDS:]]
        left_out = len(others) - len(rows)
        if left_out:
            rows.insert(0, f"- ({left_out} earlier commands are left out)")
        head = f"<details><summary>Other commands ({len(others)})</summary>"
        parts.append("\n\n".join([head, "\n".join(rows), "</details>"]))
    return "\n\n".join(parts if session.commands else [parts[0], "Nothing was run."])


def _run(run: CommandRun) -> str:
    return f"- {code(run.command)} → {_status(run)}"


def _status(run: CommandRun) -> str:
    return "no exit status" if run.exit_status is None else f"exit status {run.exit_status}"


def _open_todos(session: SessionResult) -> str:
    left = [todo for todo in session.todos if todo.status not in {"completed", "cancelled"}]
    if not left:
        return ""
    rows = [f"- [ ] {inline(todo.content)} ({inline(todo.status)})" for todo in left]
    return "## Left open by the agent\n\n" + "\n".join(rows)


def _verified(plan: PlanResult) -> str:
    rows = [f"- {inline(line)}" for line in plan.plan.verification]
    rows.append(
        "- `verify_fix` looks by itself: once the deployment with this merge has been live for a "
        "full window, the same detector compares before and after, and one comment here says "
        "*recovered*, *unchanged*, *worse* or *inconclusive*, with the numbers."
    )
    risks = [f"- {inline(line)}" for line in plan.plan.risks]
    text = "## How it will be verified after the merge\n\n" + "\n".join(rows)
    return text + ("\n\n**Risks**\n\n" + "\n".join(risks) if risks else "")


def _untouched(plan: FixPlan, gate: GateResult) -> str:
    """What the gate made sure of, and what the plan leaves to others."""
    rows = [
        (
            f"- Everything but the {len(gate.files)} files above; no CI, hook, file mode or "
            "configuration of git, package managers or agents is among them (the gate refuses "
            "those)."
        )
    ]
    if not plan.dependencies:
        rows.append("- No dependency was added or changed.")
    rows += [f"- {inline(line)}" for line in plan.do_not_touch]
    rows += [f"- Not done here: {inline(line)}" for line in plan.recommendations]
    return "## What was not touched\n\n" + "\n".join(rows)


def _origin(plan: PlanResult, session: SessionResult, run_url: str) -> str:
    rows = [
        (
            f"- Plan: {_model(plan.model)}, {plan.input_tokens} tokens in, {plan.output_tokens} out, "
            f"prompt {code(plan.prompt_version)}"
        ),
        (
            f"- Change: {_model(session.model)}, {session.steps} steps, {session.input_tokens} tokens "
            f"in, {session.output_tokens} out, session {code(session.session_id)}"
        ),
        f"- Began at commit {session.base}",
    ]
    if run_url:
        rows.append(f"- Run with plan, transcript and evidence: {run_url}")
    words = ""
    if session.answer:
        words = (
            "\n\n<details><summary>The agent's closing words (not checked)</summary>\n\n"
            f"{fence(session.answer, 3_000)}\n\n</details>"
        )
    return "## Links and origin\n\n" + "\n".join(rows) + words


def _model(name: str) -> str:
    if name == REHEARSAL_MODEL:
        return f"model {code(name)} (a scripted rehearsal, no language model)"
    return f"model {code(name)}" if name else "model not named"


def _evidence(items: Sequence[EvidenceItem], left_out: int) -> str:
    blocks = [
        f"<details><summary>{inline(item.id)} · {inline(item.source)} · "
        f"{item.start:%Y-%m-%d %H:%M:%S} to {item.end:%H:%M:%S} UTC</summary>\n\n"
        f"{inline(item.why)}\n\n{fence(item.text)}\n\n</details>"
        for item in items
    ]
    if left_out:
        blocks.append(f"{left_out} more items are left out for length.")
    return "## All evidence\n\n" + "\n\n".join(blocks) if blocks else ""


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")
