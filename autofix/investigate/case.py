"""One affected service as its sources see it: whom to ask, about what, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from autofix.errors import AutofixError, RemoteError
from autofix.investigate.budget import Draft, text_block
from autofix.investigate.deploys import serving
from autofix.investigate.scene import Scene, View
from autofix.models import Architecture, Deployment, Finding, Incident, Service, ServiceKind, Window
from autofix.observe.answers import explain
from autofix.observe.railway import RailwayClient

T = TypeVar("T")

MISSING = "could not be read"
"""What the text of an item begins with when its source failed."""
_BEFORE = (timedelta(minutes=2), timedelta(minutes=15))
"""Least and most of the time before the onset that is compared with the time after it."""
_DEPLOYMENTS = 2


@dataclass(frozen=True)
class Case:
    """An incident with what its sources need."""

    client: RailwayClient
    incident: Incident
    scene: Scene
    findings: tuple[Finding, ...] = ()
    """Of all services at this tick."""

    @property
    def architecture(self) -> Architecture:
        """What runs beside it."""
        return self.view.observation.architecture

    @property
    def view(self) -> View:
        """What was seen in its window."""
        return self.scene.views[self.window]

    @property
    def service(self) -> Service:
        """The affected one."""
        return self.incident.service

    @property
    def window(self) -> Window:
        """In which the findings were made."""
        return self.incident.window

    @property
    def onset(self) -> datetime:
        """When the trouble began."""
        return self.incident.onset

    @property
    def span(self) -> Window:
        """The window, and enough before the onset to compare with."""
        least, most = _BEFORE
        before = self.onset - min(max(self.window.length, least), most)
        return Window(start=min(self.window.start, before), end=self.window.end)

    @property
    def databases(self) -> list[Service]:
        """The databases beside it."""
        return [
            s
            for s in self.architecture.services
            if s.kind is ServiceKind.database and s.id != self.service.id
        ]

    def served(self, span: Window | None = None) -> list[Deployment]:
        """The newest deployments that served in a span, newest first."""
        of_service = [d for d in self.architecture.deployments if d.service_id == self.service.id]
        known = {d.id: d for d in of_service}
        if self.service.deployment:
            known.setdefault(self.service.deployment.id, self.service.deployment)
        return serving(known.values(), span or self.span)[:_DEPLOYMENTS]

    def draft(self, source: str, why: str, text: str) -> Draft:
        """A draft of one block about the whole window."""
        return Draft(source, why, text_block(text), self.window.start, self.window.end)


@dataclass(frozen=True)
class Sourced(Generic[T]):
    """What one source gave: drafts for people and the model, and facts for the verdict."""

    facts: T | None = None
    drafts: tuple[Draft, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    """By the names of sources, why they could not be read."""


def read_source(case: Case, source: str, read: Callable[[Case], Sourced[T]]) -> Sourced[T]:
    """What a source gives; when it fails, a draft that says so, and the others go on."""
    try:
        return read(case)
    except (RemoteError, AutofixError) as error:
        reason = explain(error)
        draft = Draft(
            source, MISSING, text_block(f"{MISSING}: {reason}"), case.window.start, case.window.end,
            failed=True,
        )  # fmt: skip
        return Sourced(None, (draft,), {source: reason})
