"""The nodes of the graph, as the schema names their fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.blueprint import (
    ENVIRONMENT_ID,
    ENVIRONMENT_NAME,
    PROJECT_ID,
    PROJECT_NAME,
    REGION,
    Role,
    ServiceSpec,
    stable_id,
)
from sandbox.deploys import UP_SECONDS
from sandbox.keeper import folder_bytes
from sandbox.records import Deployment, Execution, Step
from sandbox.world import DEPLOY_BRANCH, World

Json = dict[str, Any]


def connection(nodes: Sequence[Json], first: int | None = None, after: str | None = None) -> Json:
    """A page of nodes; cursors are positions."""
    begin = int(after) + 1 if after and after.isdigit() else 0
    end = len(nodes) if first is None else min(len(nodes), begin + max(0, first))
    edges = [{"cursor": str(i), "node": nodes[i]} for i in range(begin, end)]
    return {
        "edges": edges,
        "pageInfo": {
            "hasNextPage": end < len(nodes),
            "hasPreviousPage": begin > 0,
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
        },
    }


class Nodes:
    """Builds nodes from the world as it is now."""

    def __init__(self, world: World) -> None:
        self._world = world

    def project(self) -> Json:
        """The only project."""
        created = self._world.started
        return {
            "id": PROJECT_ID,
            "name": PROJECT_NAME,
            "createdAt": created,
            "updatedAt": created,
            "environments": lambda _info, first=None, after=None, isEphemeral=None: connection(  # noqa: N803
                [] if isEphemeral else [self.environment()], first, after
            ),
            "services": lambda _info, first=None, after=None: connection(
                [self.service(spec) for spec in self._world.specs], first, after
            ),
        }

    def environment(self) -> Json:
        """The only environment."""
        created = self._world.started
        pages = {
            "serviceInstances": self.service_instances,
            "volumeInstances": self.volume_instances,
            "deployments": self.deployments,
            "deploymentTriggers": self.triggers,
            "variables": self.variables,
        }
        node: Json = {
            "id": ENVIRONMENT_ID,
            "name": ENVIRONMENT_NAME,
            "projectId": PROJECT_ID,
            "isEphemeral": False,
            "createdAt": created,
            "updatedAt": created,
        }
        for name, nodes in pages.items():
            node[name] = lambda _info, first=None, after=None, nodes=nodes: connection(
                nodes(), first, after
            )
        return node

    def service(self, spec: ServiceSpec) -> Json:
        """A service, apart from any environment."""
        return {
            "id": spec.id,
            "name": spec.name,
            "projectId": PROJECT_ID,
            "createdAt": self._world.started,
        }

    def service_instances(self) -> list[Json]:
        """Every service as it stands in the environment."""
        return [self.service_instance(spec) for spec in self._world.specs]

    def service_instance(self, spec: ServiceSpec) -> Json:
        """A service as it stands in the environment."""
        every = self._world.registry.of(spec.id)
        active = self._world.registry.active(spec.name)
        return {
            "id": stable_id("instance", spec.name),
            "serviceId": spec.id,
            "serviceName": spec.name,
            "environmentId": ENVIRONMENT_ID,
            "service": self.service(spec),
            "createdAt": self._world.started,
            "updatedAt": every[-1].status_changed if every else self._world.started,
            "builder": "RAILPACK",
            "startCommand": None if spec.image else "python3 app.py",
            "numReplicas": 1,
            "region": REGION,
            "sleepApplication": False,
            "cronSchedule": spec.cron_schedule,
            "nextCronRunAt": active.next_execution if active else None,
            "healthcheckPath": spec.health_path,
            "healthcheckTimeout": int(UP_SECONDS) if spec.health_path else None,
            "restartPolicyType": "NEVER" if spec.role is Role.cron else "ALWAYS",
            "restartPolicyMaxRetries": 0,
            "watchPatterns": [],
            "source": {"image": spec.image, "repo": spec.repository},
            "domains": {"serviceDomains": self._domains(spec, active), "customDomains": []},
            "latestDeployment": self.deployment(every[-1]) if every else None,
            "activeDeployments": [self.deployment(active)] if active else [],
        }

    def _domains(self, spec: ServiceSpec, active: Deployment | None) -> list[Json]:
        if spec.domain is None:
            return []
        domain = {
            "id": stable_id("domain", spec.domain),
            "domain": spec.domain,
            "environmentId": ENVIRONMENT_ID,
            "projectId": PROJECT_ID,
            "serviceId": spec.id,
            "createdAt": self._world.started,
            "targetPort": active.port if active else None,
        }
        return [domain]

    def deployments(self) -> list[Json]:
        """Every deployment, newest first."""
        return [self.deployment(d) for d in reversed(self._world.registry.all())]

    def deployment(self, deployment: Deployment) -> Json:
        """One deployment."""
        spec = deployment.spec
        return {
            "id": deployment.id,
            "status": deployment.status,
            "createdAt": deployment.created,
            "updatedAt": deployment.status_changed,
            "statusUpdatedAt": deployment.status_changed,
            "meta": deployment.meta,
            "canRedeploy": deployment.status in {"SUCCESS", "REMOVED"},
            "canRollback": deployment.status == "REMOVED" and spec.image is None,
            "deploymentStopped": not deployment.is_running and spec.role is not Role.cron,
            "environmentId": ENVIRONMENT_ID,
            "projectId": PROJECT_ID,
            "serviceId": spec.id,
            "service": self.service(spec),
            "staticUrl": spec.domain,
            "url": spec.domain,
            "instances": [{"id": deployment.instance_id, "status": instance_status(deployment)}],
        }

    def triggers(self) -> list[Json]:
        """Which branch of which repository is deployed to which service."""
        return [
            {
                "id": stable_id("trigger", spec.name),
                "branch": DEPLOY_BRANCH,
                "checkSuites": False,
                "environmentId": ENVIRONMENT_ID,
                "projectId": PROJECT_ID,
                "provider": "github",
                "repository": spec.repository,
                "serviceId": spec.id,
                "validCheckSuites": 0,
            }
            for spec in self._world.specs
            if spec.repository
        ]

    def variables(self) -> list[Json]:
        """Names of variables and what they refer to; never a value."""
        return [
            {
                "id": stable_id("variable", spec.name, name),
                "name": name,
                "isSealed": False,
                "environmentId": ENVIRONMENT_ID,
                "serviceId": spec.id,
                "references": references,
                "createdAt": self._world.started,
                "updatedAt": self._world.started,
            }
            for spec in self._world.specs
            for name, references in _variables(spec).items()
        ]

    def volume_instances(self) -> list[Json]:
        """Every volume and how full it is."""
        found = []
        for spec in self._world.specs:
            folder = self._world.starter.volume(spec)
            if folder is None:
                continue
            volume_id = stable_id("volume", spec.name)
            name = f"{spec.name}-volume"
            volume = {"id": volume_id, "name": name, "projectId": PROJECT_ID}
            found.append(
                {
                    "id": stable_id("volume-instance", spec.name),
                    "createdAt": self._world.started,
                    "currentSizeMB": folder_bytes(folder) / 1e6,
                    "sizeMB": spec.volume_mb,
                    "environmentId": ENVIRONMENT_ID,
                    "isPendingDeletion": False,
                    "mountPath": spec.mount_path,
                    "region": REGION,
                    "service": self.service(spec),
                    "serviceId": spec.id,
                    "state": "READY",
                    "volume": volume | {"createdAt": self._world.started},
                    "volumeId": volume_id,
                }
            )
        return found


def _variables(spec: ServiceSpec) -> dict[str, list[str]]:
    """Names of a service's variables, each with what its value is made of."""
    private = {name: [f"{other}.RAILWAY_PRIVATE_DOMAIN"] for name, other in spec.references.items()}
    return private | {name: [] for name in spec.upstreams}


def instance_status(deployment: Deployment) -> str:
    """How a deployment's process does."""
    if deployment.status in {"REMOVED", "CRASHED"}:
        return deployment.status
    if deployment.spec.role is Role.cron:
        return "EXITED" if deployment.executions else "CREATED"
    if deployment.is_running:
        return "RUNNING" if deployment.status == "SUCCESS" else "INITIALIZING"
    return "RESTARTING" if deployment.status == "SUCCESS" else "STOPPED"


def execution_node(deployment: Deployment, execution: Execution) -> Json:
    """One run of a cron service."""
    status = "RUNNING"
    if execution.exit_status is not None:
        status = "CRASHED" if execution.exit_status else "EXITED"
    return {
        "id": execution.id,
        "createdAt": execution.started,
        "completedAt": execution.completed,
        "updatedAt": execution.completed or execution.started,
        "status": status,
        "deploymentId": deployment.id,
        "deploymentMeta": deployment.meta,
    }


def event_node(deployment: Deployment, position: int, step: Step) -> Json:
    """One step of a deploy."""
    return {
        "id": stable_id("event", deployment.id, str(position)),
        "step": step.name,
        "createdAt": step.started,
        "completedAt": step.completed,
        "payload": {"error": step.error},
    }
