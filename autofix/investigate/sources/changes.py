"""What was deployed before the onset, and what changed with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from autofix.investigate.budget import Block, Draft
from autofix.investigate.case import MISSING, Case, Sourced
from autofix.investigate.deploys import NEVER_SERVED, render_history
from autofix.investigate.facts import ChangeFacts, Kept
from autofix.investigate.logs import LineKind, build_entries
from autofix.investigate.templates import build_templates
from autofix.models import Deployment
from autofix.observe.details import Deployed, VariableName
from autofix.redact import cut

SOURCE, BUILD = "deployments", "build log"
_NEAR = timedelta(hours=2)
"""A variable that was set this long before the onset, or later, is named."""
_FAILED = frozenset({"FAILED", "CRASHED"})
_BUILD_LINES = 1_000
_TAIL = 25
"""Last lines of a build that are shown: what broke it stands at its end."""
_VALUE = 120
_NAMES = 20


def read_changes(case: Case) -> Sourced[ChangeFacts]:
    """The service's deployments, what differs between the last two, and variables set lately."""
    history = case.client.fetch_history(case.service.id)
    live, previous = find_live(history, case.onset)
    variables, unread = _variables(case)
    facts = _facts(case, history, live, previous, variables)
    text = render_history([d.deployment for d in history], case.onset)
    blocks = [Block(text, len(history))]
    if changes := _config_changes(live, previous):
        blocks.insert(0, Block("Settings that differ from the one before:\n" + "\n".join(changes)))
    if facts.changed_variables:
        names = ", ".join(facts.changed_variables[:_NAMES])
        more = f" and {n} more" if (n := len(facts.changed_variables) - _NAMES) > 0 else ""
        blocks.insert(0, Block(f"Variables set in the two hours before the onset: {names}{more}"))
    if unread:
        blocks.append(Block(f"variables {MISSING}: {unread}"))
    draft = Draft(
        source=SOURCE,
        why="what was live at the onset, and what it replaced",
        blocks=tuple(blocks),
        start=min((d.deployment.created_at for d in history), default=case.window.start),
        end=case.window.end,
        unit="deployments",
        floor=2,
    )
    return Sourced(facts, (draft,))


def read_build(case: Case) -> Sourced[None]:
    """The build log of the newest deployment when it failed, with the step that did."""
    newest = _newest(case)
    if newest is None or newest.status not in _FAILED:
        return Sourced()
    lines = case.client.fetch_build_log(newest.id, limit=_BUILD_LINES)
    steps = [s for s in case.client.fetch_steps(newest.id) if s.error]
    errors = build_templates(build_entries(lines), newest.created_at).of(LineKind.error)
    tail = [line.message for line in lines[-_TAIL:]]
    blocks = [Block(f"{step.step} failed: {step.error}") for step in steps]
    blocks += [Block("\n".join(tail), len(tail))] if tail else []
    shown = "\n".join(tail)
    blocks += [Block(t.example.text, t.count) for t in errors if t.example.text not in shown][:20]
    if not blocks:
        return Sourced()
    draft = Draft(
        source=BUILD,
        why=f"the newest deployment ended as {newest.status}; the end of its build",
        blocks=tuple(blocks),
        start=newest.created_at,
        end=case.window.end,
        floor=len(steps) + 1,
    )
    return Sourced(None, (draft,))


def find_live(
    history: Sequence[Deployed], onset: datetime
) -> tuple[Deployed | None, Deployed | None]:
    """What served at the onset, and what served before it."""
    served = [
        d
        for d in sorted(history, key=lambda d: d.deployment.created_at, reverse=True)
        if d.deployment.status not in NEVER_SERVED and d.deployment.created_at <= onset
    ]
    return (served[0] if served else None), (served[1] if len(served) > 1 else None)


def _newest(case: Case) -> Deployment | None:
    own = (d for d in case.architecture.deployments if d.service_id == case.service.id)
    return max(own, key=lambda d: d.created_at, default=None)


def _facts(
    case: Case,
    history: Sequence[Deployed],
    live: Deployed | None,
    previous: Deployed | None,
    variables: Sequence[VariableName],
) -> ChangeFacts:
    served_for = None
    if live and previous:
        served_for = live.deployment.created_at - previous.deployment.created_at
    newest = max(history, key=lambda d: d.deployment.created_at, default=None)
    return ChangeFacts(
        live=live.deployment if live else None,
        previous=previous.deployment if previous else None,
        kept=_kept(live, previous),
        can_roll_back=previous.can_roll_back if previous else None,
        changed_settings=tuple(c.partition(":")[0] for c in _config_changes(live, previous)),
        # with its first deployment everything is new
        changed_variables=tuple(
            sorted({v.name for v in variables if previous and _is_near(case, v)})
        ),
        served_for=served_for,
        newest=newest.deployment if newest else None,
    )


def _kept(live: Deployed | None, previous: Deployed | None) -> Kept:
    if live is None or previous is None:
        return Kept.nothing
    if live.deployment.commit is None or live.deployment.commit != previous.deployment.commit:
        return Kept.nothing
    return Kept.code if _config_changes(live, previous) else Kept.all


def _config_changes(live: Deployed | None, previous: Deployed | None) -> list[str]:
    """``name: before → after`` for each setting that differs."""
    if live is None or previous is None or not live.config or not previous.config:
        return []
    names = sorted(set(live.config) | set(previous.config))
    return [
        f"{name}: {cut(previous.config.get(name, 'not set'), _VALUE)} → "
        f"{cut(live.config.get(name, 'not set'), _VALUE)}"
        for name in names
        if live.config.get(name) != previous.config.get(name)
    ]


def _variables(case: Case) -> tuple[list[VariableName], str]:
    """Those of the service and the shared ones; why they could not be read."""
    found = case.scene.variables
    return [v for v in found if v.service_id in {None, case.service.id}], case.scene.unread


def _is_near(case: Case, variable: VariableName) -> bool:
    at = variable.updated or variable.created
    return at is not None and case.onset - _NEAR <= at < case.window.end
