"""Status pages of providers: what they say is going on, asked at most once in a few minutes.

Answers are kept in files, so that tasks and processes of one machine share them; a lock that the
kernel gives back when its holder dies makes sure that two never ask at the same time. A page that
fails is unknown, never down, and is not asked again before its time either.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import AwareDatetime, ValidationError

from autofix.http import build_client
from autofix.investigate.providers import Format, Provider
from autofix.models import Model

KEPT = timedelta(minutes=5)
"""How long an answer is taken for the page's present state."""
_TIMEOUT, _DEADLINE, _BYTES = 6.0, 10.0, 4_000_000
_TITLE = 160
_INCIDENTS = 20
_OVER = frozenset({"resolved", "postmortem", "completed", "falsepositive", "canceled", "cancelled"})


class PageIncident(Model):
    """Something that a status page says is not over."""

    title: str
    started: AwareDatetime
    url: str = ""


class PageState(Model):
    """What a status page said."""

    asked: AwareDatetime
    unknown: str = ""
    """Why nothing is known; empty when it could be read."""
    incidents: tuple[PageIncident, ...] = ()
    """Unresolved ones, the newest first."""


class StatusReader:
    """Reads status pages. Safe to share between threads.

    Args:
        folder: where answers are kept; made when it is not there.
        now: the present, and with it what is still fresh.
        kept: how long an answer is good.
        transport: what carries requests; tests pass `httpx.MockTransport`.
    """

    def __init__(
        self,
        folder: Path,
        now: datetime,
        *,
        kept: timedelta = KEPT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._folder = folder
        self._now = now
        self._kept = kept
        self._transport = transport

    def read(self, provider: Provider) -> PageState:
        """What the provider's page says, from memory where that is fresh. Never raises."""
        if provider.format is None:
            return PageState(
                asked=self._now, unknown="its status page has no form that is read here"
            )
        try:
            with self._held(provider.id) as file:
                known = _load(file, provider)
                if known is not None and abs(self._now - known.asked) < self._kept:
                    return known
                state = self._ask(provider)
                _store(file, provider, state)
                return state
        except OSError as error:
            # without a place to remember, not asking keeps the promise to the page
            return PageState(asked=self._now, unknown=f"answers cannot be kept: {error.strerror}")

    def _ask(self, provider: Provider) -> PageState:
        try:
            body = _fetch(provider.status, self._transport)
            incidents = parse_page(provider.format or "statuspage", json.loads(_decoded(body)))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return self._unknown(f"no answer ({type(error).__name__})")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            return self._unknown(f"an answer that cannot be read ({type(error).__name__})")
        return PageState(asked=self._now, incidents=tuple(incidents[:_INCIDENTS]))

    def _unknown(self, reason: str) -> PageState:
        return PageState(asked=self._now, unknown=reason)

    @contextmanager
    def _held(self, name: str) -> Iterator[Path]:
        """The file of one page, with nobody else at it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_own(self._folder)
        file = self._folder / f"{name}.json"
        with (self._folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield file


def status_folder(cache_dir: str) -> Path:
    """Where answers are kept: below this folder, else in one that belongs to this user alone."""
    if cache_dir:
        return Path(cache_dir) / "status"
    return Path(tempfile.gettempdir()) / f"railway-autofix-status-{os.getuid()}"


def parse_page(format_: Format, body: Any) -> list[PageIncident]:
    """Unresolved incidents, the newest first; ValueError and the like for another shape."""
    found = list(_PARSERS[format_](body))
    return sorted(found, key=lambda incident: incident.started, reverse=True)


def _statuspage(body: Any) -> Iterator[PageIncident]:
    """Statuspage v2 and what answers like it. Maintenance is announced and no incident."""
    if "incidents" not in body:
        raise ValueError("no incidents in it")
    for item in body["incidents"]:
        if str(item.get("status", "")).lower() not in _OVER and not item.get("resolved_at"):
            at = item.get("started_at") or item["created_at"]
            yield _incident(item.get("name"), at, item.get("shortlink"))


def _betterstack(body: Any) -> Iterator[PageIncident]:
    body["data"]["attributes"]["aggregate_state"]  # a page of another kind has none
    for item in body.get("included") or ():
        if item.get("type") != "status_report":
            continue
        report = item["attributes"]
        over = report.get("ends_at") or str(report.get("aggregate_state", "")).lower() in _OVER
        if not over and report.get("report_type") != "maintenance":
            yield _incident(report.get("title"), report["starts_at"], report.get("url"))


def _google(body: Any) -> Iterator[PageIncident]:
    """Newest first, with all that are over."""
    if not isinstance(body, list):
        raise TypeError("no list")
    for item in body:
        if not item.get("end"):
            yield _incident(item.get("external_desc"), item["begin"], item.get("uri"))


def _railway(body: Any) -> Iterator[PageIncident]:
    for item in body["incidents"]:
        if not item.get("resolvedAt") and str(item.get("status", "")).lower() not in _OVER:
            slug = item.get("slug")
            url = f"https://status.railway.com/incident/{slug}" if slug else ""
            yield _incident(item.get("title"), item["createdAt"], url)


_PARSERS: dict[Format, Callable[[Any], Iterator[PageIncident]]] = {
    "statuspage": _statuspage,
    "betterstack": _betterstack,
    "google": _google,
    "railway": _railway,
}


def _incident(title: Any, started: Any, url: Any) -> PageIncident:
    at = datetime.fromisoformat(str(started))
    line = " ".join(str(title or "an incident without a title").split())
    link = str(url or "")
    return PageIncident(
        title=line[:_TITLE],
        started=at if at.tzinfo else at.replace(tzinfo=UTC),
        url=link if link.startswith("https://") and len(link) <= 300 else "",  # noqa: PLR2004
    )


def _fetch(url: str, transport: httpx.BaseTransport | None) -> bytes:
    """The body; no redirect is followed, and neither a drip nor a flood is waited for."""
    parts, size, end = [], 0, time.monotonic() + _DEADLINE
    with (
        build_client(timeout=_TIMEOUT, transport=transport) as client,
        client.stream("GET", url) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise httpx.HTTPStatusError(
                f"status {response.status_code}", request=response.request, response=response
            )
        for part in response.iter_bytes():
            size += len(part)
            parts.append(part)
            if size > _BYTES or time.monotonic() > end:
                raise httpx.ReadError("too large or too slow")
    return b"".join(parts)


def _decoded(body: bytes) -> str:
    return body.decode("utf-8-sig")


def _load(file: Path, provider: Provider) -> PageState | None:
    """What was answered last at the same address; None for nothing, and for a broken file."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return PageState.model_validate(kept["state"]) if kept["of"] == provider.status else None
    except (FileNotFoundError, ValueError, KeyError, TypeError, ValidationError):
        return None


def _store(file: Path, provider: Provider, state: PageState) -> None:
    new = file.with_suffix(".new")
    text = json.dumps({"of": provider.status, "state": state.model_dump(mode="json")})
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def _require_own(folder: Path) -> None:
    """Another user's folder of this name is not written to and not believed."""
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(13, f"{folder} belongs to another user")
