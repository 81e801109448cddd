"""What the affected services are seen against: read once, however many of them there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from autofix.errors import RailwayError
from autofix.models import Architecture, Incident, Service, ServiceKind, ServiceSummary, Window
from autofix.observe.answers import explain
from autofix.observe.details import VariableName
from autofix.observe.frames import STATUS_CLASSES, build_frame, http_rows
from autofix.observe.observation import Observation, read_services, redact_observation
from autofix.observe.railway import RailwayClient
from autofix.observe.summary import summarise

_USUAL = timedelta(hours=24)
_USUAL_STEP = timedelta(minutes=30)
_MIN_SAMPLES = 4


@dataclass(frozen=True)
class View:
    """How services did over one window."""

    observation: Observation
    """Of the affected services, and of every database beside them."""
    summaries: Mapping[str, ServiceSummary]
    """By service id."""
    usual: Mapping[str, float]
    """Requests a second on an ordinary day, by service id; absent where that is not known."""


@dataclass(frozen=True)
class Scene:
    """What the incidents of a run have in common."""

    views: Mapping[Window, View]
    """By the windows of the incidents, which is one when a single tick found them."""
    variables: tuple[VariableName, ...] = ()
    """Names: those of the affected services, shared ones, and what refers to another service."""
    unread: str = ""
    """Why those could not be read."""


def read_scene(
    client: RailwayClient,
    architecture: Architecture,
    incidents: Sequence[Incident],
    step: timedelta,
) -> Scene:
    """The scene of these incidents. A part of it that cannot be read is missing, and says why.

    Args:
        client: reads Railway.
        architecture: what runs beside the affected services.
        incidents: of one run.
        step: distance of two samples.

    Raises:
        RailwayError: by Railway's clock a window has not begun.
    """
    underway = client.submit(client.fetch_variables)
    databases = [s for s in architecture.services if s.kind is ServiceKind.database]
    views: dict[Window, View] = {}
    for window in dict.fromkeys(incident.window for incident in incidents):
        affected = [i.service for i in incidents if i.window == window]
        services = {s.id: s for s in (*databases, *affected)}
        observation = read_services(client, architecture, list(services.values()), window, step)
        views[window] = View(
            observation,
            {summary.service_id: summary for summary in summarise(observation)},
            _read_usual(client, affected, window),
        )
    try:
        found = underway.result()
    except RailwayError as error:
        return Scene(views, unread=explain(error))
    about = {None, *(incident.service.id for incident in incidents)}
    return Scene(views, tuple(v for v in found if v.service_id in about or v.references))


def redact_scene(scene: Scene, door: Callable[[str], str]) -> Scene:
    """The scene as it may be kept; its architecture has passed the door already."""
    return Scene(
        views={
            window: replace(view, observation=redact_observation(view.observation, door))
            for window, view in scene.views.items()
        },
        variables=tuple(
            v.model_copy(
                update={"name": door(v.name), "references": [door(r) for r in v.references]}
            )
            for v in scene.variables
        ),
        unread=door(scene.unread),
    )


def narrow(observation: Observation, services: Sequence[Service]) -> Observation:
    """What was seen of these services alone."""
    ids = {s.id for s in services}
    samples = observation.samples[observation.samples["service"].isin(ids)]
    return replace(
        observation,
        selected=tuple(s for s in observation.selected if s.id in ids),
        samples=samples.reset_index(drop=True),
    )


def _read_usual(
    client: RailwayClient, services: Sequence[Service], window: Window
) -> dict[str, float]:
    """The median of each one's requests a second over the day before.

    It decides whether a service is asked more than usual, and nothing else, so that a failure is
    only not knowing.
    """
    asked = [s.id for s in services if s.domains and s.kind is not ServiceKind.cron]
    if not asked:
        return {}
    try:
        reading = client.fetch_http(asked, Window.ending(window.start, _USUAL), _USUAL_STEP)
    except RailwayError:
        return {}
    frame = build_frame(
        row for id_, http in reading.services.items() for row in http_rows(id_, http)
    )
    requests = frame[frame["measurement"].isin(STATUS_CLASSES)]
    by_step = requests.groupby(["service", "ts"])["value"].sum().groupby(level="service")
    medians = by_step.median()[by_step.size() >= _MIN_SAMPLES]
    return {str(id_): float(of) / _USUAL_STEP.total_seconds() for id_, of in medians.items()}
