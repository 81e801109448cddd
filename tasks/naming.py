"""What runs are listed under: which services, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable

from prefect.runtime import flow_run

from autofix.change.answer import FollowUp
from autofix.models import Incident, ServiceContext

LONGEST = 160
"""Characters of a name."""


def name_contexts(incidents: Iterable[Incident]) -> str:
    """The name of a run of pull_service_context."""
    return _cut(f"context of {_list(incidents)}")


def name_fix(repository: str, incidents: Iterable[Incident]) -> str:
    """The name of a run of generate_fix."""
    return _cut(f"fix {repository}: {_list(incidents)}")


def name_this_fix() -> str:
    """The name of this run of generate_fix, by its own parameters; also of one made by hand."""
    given = flow_run.get_parameters()
    if asked := given.get("follow_up"):
        return name_answer(given["repository"], FollowUp.model_validate(asked))
    contexts = [ServiceContext.model_validate(c) for c in given.get("contexts") or ()]
    return name_fix(given["repository"], [c.incident for c in contexts])


def name_answer(repository: str, follow_up: FollowUp) -> str:
    """The name of a run that answers on an open pull request."""
    return _cut(f"answer on {repository}#{follow_up.pull_request}: {follow_up.what}")


def _list(incidents: Iterable[Incident]) -> str:
    return ", ".join(f"{i.service.name} ({_signals(i)})" for i in incidents)


def _signals(incident: Incident) -> str:
    return ", ".join(dict.fromkeys(finding.signal.value for finding in incident.findings))


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
