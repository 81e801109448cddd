"""Log rows as the platform gives them: filtered, bounded, oldest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from sandbox.blueprint import ENVIRONMENT_ID, PROJECT_ID, REGION
from sandbox.railway.filters import Matches, Row, parse_filter
from sandbox.records import Deployment, Flow, LogLine, Lookup, Request

DEFAULT_LIMIT = 100
MAX_LIMIT = 5000

Json = dict[str, Any]
T = TypeVar("T", LogLine, Request, Lookup, Flow)
Owned = tuple[Deployment, T]


def render_time(at: datetime) -> str:
    """RFC 3339 with nanoseconds, as log rows carry it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def parse_time(text: str) -> datetime:
    """A time as clients send it, with up to nanoseconds; ValueError for anything else."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def log_row(owned: Owned[LogLine]) -> Json:
    """A line of a deployment's log."""
    deployment, line = owned
    return {
        "timestamp": render_time(line.at),
        "message": line.message,
        "severity": line.severity,
        "attributes": [
            {"key": "level", "value": f'"{line.severity}"'},
            *({"key": key, "value": value} for key, value in line.attributes.items()),
        ],
        "tags": {
            "deploymentId": deployment.id,
            "deploymentInstanceId": deployment.instance_id,
            "environmentId": ENVIRONMENT_ID,
            "projectId": PROJECT_ID,
            "serviceId": deployment.spec.id,
        },
    }


def http_row(owned: Owned[Request]) -> Json:
    """A request."""
    deployment, request = owned
    return {
        "clientUa": request.user_agent,
        "deploymentId": deployment.id,
        "deploymentInstanceId": request.instance_id,
        "downstreamProto": "HTTP/1.1",
        "edgeRegion": REGION,
        "host": request.host,
        "httpStatus": request.status,
        "method": request.method,
        "path": request.path,
        "requestId": request.id,
        "responseDetails": request.details,
        "rxBytes": request.received,
        "srcIp": request.source_ip,
        "timestamp": render_time(request.at),
        "totalDuration": request.total_ms,
        "txBytes": request.sent,
        "upstreamAddress": request.upstream_address,
        "upstreamErrors": request.upstream_errors,
        "upstreamProto": "HTTP/1.1",
        "upstreamRqDuration": request.upstream_ms,
    }


def dns_row(owned: Owned[Lookup]) -> Json:
    """A look-up of a name."""
    deployment, lookup = owned
    return {
        "answers": list(lookup.answers),
        "cnameChain": [],
        "deploymentId": deployment.id,
        "deploymentInstanceId": deployment.instance_id,
        "qname": lookup.name,
        "qtype": "A",
        "queriedAt": render_time(lookup.at),
        "queryZone": "external",
        "rcode": lookup.code,
        "serviceId": deployment.spec.id,
    }


def flow_row(owned: Owned[Flow]) -> Json:
    """A connection to a peer."""
    deployment, flow = owned
    return {
        "byteCount": flow.sent,
        "captureEnd": render_time(flow.ended),
        "captureStart": render_time(flow.at),
        "deploymentId": deployment.id,
        "deploymentInstanceId": deployment.instance_id,
        "direction": "egress",
        "dropCause": flow.drop_cause,
        "dstAddr": flow.address,
        "dstPort": flow.port,
        "flowId": f"{deployment.instance_id}:{flow.source_port}:{flow.at.timestamp():.6f}",
        "flowState": "complete",
        "l4LatencyMs": flow.latency_ms,
        "l4Protocol": "tcp",
        "packetCount": max(1, flow.sent // 1_400),
        "peerKind": "service" if flow.peer else "internet",
        "peerServiceId": flow.peer.id if flow.peer else None,
        "serviceId": deployment.spec.id,
        "srcAddr": "127.0.0.1",
        "srcPort": flow.source_port,
    }


def _dns_attributes(owned: Owned[Lookup]) -> Row:
    row = dns_row(owned)
    status = "ok" if row["rcode"] == "NOERROR" else "failed"
    found = {key.lower(): str(value) for key, value in row.items()}
    return {**found, "": row["qname"], "zone": row["queryZone"], "status": status}


def _flow_attributes(owned: Owned[Flow]) -> Row:
    row = flow_row(owned)
    dropped = row["dropCause"] is not None
    found = {key.lower(): str(value) for key, value in row.items()}
    return {
        **found,
        "": row["dstAddr"],
        "peer_kind": row["peerKind"],
        "status": "dropped" if dropped else "ok",
        "dropped": str(dropped).lower(),
    }


def _log_attributes(owned: Owned[LogLine]) -> Row:
    deployment, line = owned
    return {
        **{key.lower(): value for key, value in line.attributes.items()},
        "": line.message,
        "level": line.severity,
        "service": deployment.spec.id,
        "deployment": deployment.id,
    }


def _http_attributes(owned: Owned[Request]) -> Row:
    row = http_row(owned)
    found = {key.lower(): str(value) for key, value in row.items()}
    return {**found, "": f"{row['method']} {row['path']} {row['httpStatus']}"}


def select_between(
    lines: Iterable[Owned[LogLine]],
    text: str | None,
    limit: int | None,
    start: datetime | None,
    end: datetime | None,
) -> list[Json]:
    """The newest lines of a span that a filter accepts."""
    matches = parse_filter(text)
    found = [
        owned
        for owned in lines
        if (start is None or owned[1].at >= start)
        and (end is None or owned[1].at < end)
        and matches(_log_attributes(owned))
    ]
    found.sort(key=lambda owned: owned[1].at)
    return [log_row(owned) for owned in found[-_bounded(limit) :]]


def select_around(
    rows: Iterable[Owned[T]], arguments: Json, attributes: Callable[[Owned[T]], Row]
) -> list[Owned[T]]:
    """The newest rows before an anchor and the oldest after it, as far as was asked."""
    matches: Matches = parse_filter(arguments.get("filter"))
    anchor = _time(arguments, "anchorDate")
    before, after = _time(arguments, "beforeDate"), _time(arguments, "afterDate")
    found = sorted((o for o in rows if matches(attributes(o))), key=lambda o: o[1].at)
    older = [
        o
        for o in found
        if (anchor is None or o[1].at <= anchor) and (before is None or o[1].at >= before)
    ]
    limit = _bounded(arguments.get("beforeLimit") or arguments.get("limit"))
    newer: list[Owned[T]] = []
    if anchor is not None and (after_limit := arguments.get("afterLimit")):
        newer = [o for o in found if o[1].at > anchor and (after is None or o[1].at <= after)]
        newer = newer[: _bounded(after_limit)]
    return older[-limit:] + newer


def environment_log(lines: Iterable[Owned[LogLine]], arguments: Json) -> list[Json]:
    """Lines of all deployments around an anchor."""
    return [log_row(owned) for owned in select_around(lines, arguments, _log_attributes)]


def http_log(requests: Iterable[Owned[Request]], arguments: Json) -> list[Json]:
    """Requests of a deployment around an anchor."""
    return [http_row(owned) for owned in select_around(requests, arguments, _http_attributes)]


def dns_log(lookups: Iterable[Owned[Lookup]], arguments: Json) -> list[Json]:
    """Look-ups around an anchor."""
    return [dns_row(owned) for owned in select_around(lookups, arguments, _dns_attributes)]


def flow_log(flows: Iterable[Owned[Flow]], arguments: Json) -> list[Json]:
    """Connections around an anchor."""
    return [flow_row(owned) for owned in select_around(flows, arguments, _flow_attributes)]


def _bounded(limit: int | None) -> int:
    return max(1, min(MAX_LIMIT, DEFAULT_LIMIT if limit is None else limit))


def _time(arguments: Json, name: str) -> datetime | None:
    text = arguments.get(name)
    return parse_time(text) if text else None
