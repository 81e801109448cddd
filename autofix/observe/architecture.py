"""Wire shapes to the architecture: what each service is, and where its code comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable

from autofix.models import Architecture, Deployment, PlatformStatus, Service, ServiceKind, Volume
from autofix.observe.wire import (
    WireArchitecture,
    WireDeployment,
    WirePlatform,
    WireServiceInstance,
    WireTrigger,
)

_DATABASE_IMAGE = re.compile(
    r"postgres|postgis|timescale|pgvector|redis|valkey|keydb|mongo|mysql|mariadb|memcached"
    r"|clickhouse|cockroach|elasticsearch|opensearch|cassandra|influxdb",
    re.IGNORECASE,
)


def build_architecture(wire: WireArchitecture) -> Architecture:
    """What runs in one environment, services by name, deployments newest first.

    Recent deployments include each service's latest when it is not the one that serves: where
    deploys are many, the one that failed to build may be older than the recent ones.
    """
    environment = wire.environment
    with_volume = {v.service_id for v in environment.volumes.nodes if v.service_id}
    triggers = {t.service_id: t for t in environment.triggers.nodes if t.service_id}
    services = (
        build_service(s, triggers.get(s.service_id), has_volume=s.service_id in with_volume)
        for s in environment.services.nodes
    )
    return Architecture(
        project_id=wire.project.id,
        project_name=wire.project.name,
        environment_id=environment.id,
        environment_name=environment.name,
        services=tuple(sorted(services, key=lambda s: (s.name, s.id))),
        volumes=tuple(
            Volume(
                name=(v.volume.name if v.volume else "") or v.mount_path,
                service_id=v.service_id,
                mount_path=v.mount_path,
                used_mb=v.used_mb,
                size_mb=v.size_mb,
            )
            for v in environment.volumes.nodes
        ),
        deployments=build_deployments(
            [*environment.deployments.nodes, *_waiting(environment.services.nodes)]
        ),
        platform=_platform(wire.platform),
    )


def build_service(
    wire: WireServiceInstance, trigger: WireTrigger | None, *, has_volume: bool
) -> Service:
    """One service. Its repository is its source's, else its deployment's, else its trigger's."""
    serving = _serving(wire)
    source_repo = wire.source.repo if wire.source else None
    image = wire.source.image if wire.source else None
    domains = _domains(wire)
    meta = serving.meta if serving else None
    repository = source_repo or (meta.repo if meta and not image else None)
    if repository is None and trigger and not image:
        repository = trigger.repository
    branch = (trigger.branch if trigger else None) or (meta.branch if meta else None)
    return Service(
        id=wire.service_id,
        name=wire.service_name,
        kind=judge_kind(
            cron=wire.cron_schedule,
            image=image,
            repository=repository,
            has_volume=has_volume,
            has_domain=bool(domains),
        ),
        repository=repository,
        branch=branch if repository else None,
        image=image or (meta.image if meta and repository is None else None),
        root_directory=(wire.root_directory or "").strip("/"),
        watch_patterns=tuple(wire.watch_patterns),
        domains=domains,
        replicas=wire.replicas or 1,
        region=wire.region,
        cron_schedule=wire.cron_schedule or None,
        sleeping=bool(serving and serving.status == "SLEEPING"),
        deployment=build_deployment(serving) if serving else None,
    )


def judge_kind(
    *,
    cron: str | None,
    image: str | None,
    repository: str | None,
    has_volume: bool,
    has_domain: bool,
) -> ServiceKind:
    """What a service is for. A volume alone makes no database: web applications have them too."""
    if cron:
        return ServiceKind.cron
    if image and _DATABASE_IMAGE.search(image):
        return ServiceKind.database
    if image and repository is None and has_volume and not has_domain:
        return ServiceKind.database
    return ServiceKind.web if has_domain else ServiceKind.worker


def build_deployment(wire: WireDeployment) -> Deployment:
    """One deployment."""
    return Deployment(
        id=wire.id,
        service_id=wire.service_id,
        status=wire.status,
        created_at=wire.created_at,
        status_at=wire.status_at,
        commit=wire.meta.commit,
        commit_message=wire.meta.commit_message,
        repository=wire.meta.repo,
        branch=wire.meta.branch,
    )


def build_deployments(wires: Iterable[WireDeployment]) -> tuple[Deployment, ...]:
    """Deployments, newest first; the API does not promise an order."""
    built = {wire.id: build_deployment(wire) for wire in wires}
    return tuple(sorted(built.values(), key=lambda d: (d.created_at, d.id), reverse=True))


def _waiting(instances: Iterable[WireServiceInstance]) -> list[WireDeployment]:
    """The latest deployments that do not serve: they are being built, or failed."""
    return [
        wire.latest
        for wire in instances
        if wire.latest and wire.active and wire.latest.id not in {d.id for d in wire.active}
    ]


def _serving(wire: WireServiceInstance) -> WireDeployment | None:
    """The deployment that serves now: the latest may still build, or may have failed."""
    if wire.active:
        return max(wire.active, key=lambda d: d.created_at)
    return wire.latest


def _domains(wire: WireServiceInstance) -> tuple[str, ...]:
    if wire.domains is None:
        return ()
    found = (*wire.domains.custom_domains, *wire.domains.service_domains)
    return tuple(dict.fromkeys(d.domain for d in found))


def _platform(wire: WirePlatform | None) -> PlatformStatus | None:
    if wire is None:
        return None
    incident = wire.incident
    text = f"{incident.status.lower()}: {incident.message}".strip(": ") if incident else None
    return PlatformStatus(stable=wire.is_stable, incident=text or None)
