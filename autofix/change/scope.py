"""What the change of a plan may touch, for the gate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import SecretStr

from autofix.change.gate import GateOptions
from autofix.models import FixPlan, ServiceContext
from autofix.parameters import Caps


def build_options(
    plan: FixPlan,
    contexts: Sequence[ServiceContext],
    caps: Caps,
    secrets: Iterable[str] = (),
    allowed: Sequence[str] = (),
) -> GateOptions:
    """The bounds of a change.

    Args:
        plan: names the files and packages that may change beyond code.
        contexts: the affected services; their root folders and watch patterns are allowed.
        caps: how big a patch may be.
        secrets: live values that must not be in it.
        allowed: folders, files and patterns that a person chose in place of the services' own.
    """
    services = [context.incident.service for context in contexts]
    causes = (cause.file for cause in plan.root_causes)
    roots = sorted({service.root_directory.strip("/") for service in services})
    patterns = [pattern for service in services for pattern in service.watch_patterns]
    if allowed:
        roots = [""] if "." in allowed else []
        patterns = [f"/{place.strip('/')}" for place in allowed]
    return GateOptions(
        roots=tuple(roots),
        patterns=tuple(patterns),
        max_files=caps.patch_files,
        max_lines=caps.patch_lines,
        planned_files=tuple(dict.fromkeys([*plan.files, *(file for file in causes if file)])),
        dependencies=tuple(plan.dependencies),
        secrets=tuple(SecretStr(value) for value in secrets),
    )
