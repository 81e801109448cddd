"""What a pull request remembers of its incidents, so that nothing else has to.

A hidden comment at the end of the body. Nothing that came from outside stands after it, and the
last one counts. From it a fix is verified, and a lost incident record is written anew.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from autofix.models import Finding, Incident, Model, Pattern, Severity, Signal

_MEMO = re.compile(r"<!-- railway-autofix memo:([A-Za-z0-9_-]+=*) -->")


class SignalMemo(Model):
    """One finding, without its sentence."""

    signal: Signal
    severity: Severity
    pattern: Pattern = Pattern.level
    onset: AwareDatetime
    value: float
    threshold: float
    unit: str


class IncidentMemo(Model):
    """One incident as it stood when the fix was made."""

    fingerprint: str
    episode: int
    attempt: int
    environment_id: str
    service_id: str
    service: str
    deployed_commit: str | None
    onset: AwareDatetime
    found_at: AwareDatetime
    """The tick that handed it on."""
    window_seconds: float
    signals: tuple[SignalMemo, ...]

    @property
    def work_id(self) -> str:
        """One incident's turn: fingerprint, episode and attempt."""
        return f"{self.fingerprint}-e{self.episode}-a{self.attempt}"

    def findings(self) -> tuple[Finding, ...]:
        """The findings it was made of, as the detector's own type."""
        return tuple(
            Finding(
                ts=self.found_at,
                service_id=self.service_id,
                service=self.service,
                reason="",
                **signal.model_dump(),
            )
            for signal in self.signals
        )


_memos = TypeAdapter(tuple[IncidentMemo, ...])


def build_memo(incident: Incident) -> IncidentMemo:
    """What is remembered of an incident."""
    names = SignalMemo.model_fields
    return IncidentMemo(
        fingerprint=incident.fingerprint,
        episode=incident.episode,
        attempt=incident.attempt,
        environment_id=incident.environment_id,
        service_id=incident.service.id,
        service=incident.service.name,
        deployed_commit=incident.deployed_commit,
        onset=incident.onset,
        found_at=incident.window.end,
        window_seconds=incident.window.length.total_seconds(),
        signals=tuple(
            SignalMemo.model_validate({name: getattr(finding, name) for name in names})
            for finding in incident.findings
        ),
    )


def render_memo(incidents: Iterable[Incident]) -> str:
    """The hidden comment; letters and digits only, so that nothing in it can be read as markdown."""
    content = _memos.dump_json(tuple(build_memo(incident) for incident in incidents))
    return f"<!-- railway-autofix memo:{base64.urlsafe_b64encode(content).decode()} -->"


def parse_memo(body: str) -> tuple[IncidentMemo, ...]:
    """The incidents of a pull request's body; empty when it holds no memo that can be read."""
    found = _MEMO.findall(body)
    if not found:
        return ()
    try:
        return _memos.validate_json(base64.urlsafe_b64decode(found[-1]))
    except (ValueError, ValidationError):
        return ()
