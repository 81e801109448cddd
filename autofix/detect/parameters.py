"""What a detector run by hand takes of the monitor's parameters, and where it finds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from autofix.errors import ConfigError
from autofix.parameters import (
    Mute,
    Parameters,
    Rules,
    ServiceOverride,
    ServiceSelection,
    Thresholds,
    WindowParameters,
)

_DEPLOYMENTS = Path("prefect.yaml")
_MONITOR = "monitor_project_health"
_OF_FLOW_ONLY = frozenset({"autonomy", "caps", "force", "now"})


class CheckParameters(Parameters):
    """The window, the levels, and which services and signals they are for."""

    window: WindowParameters = Field(default_factory=WindowParameters)
    thresholds: Thresholds = Field(default_factory=Thresholds)
    services: ServiceSelection = Field(default_factory=ServiceSelection)
    overrides: tuple[ServiceOverride, ...] = ()
    mutes: tuple[Mute, ...] = ()

    @property
    def rules(self) -> Rules:
        """What the detector goes by."""
        return Rules(thresholds=self.thresholds, overrides=self.overrides, mutes=self.mutes)

    @model_validator(mode="after")
    def _consistent(self) -> CheckParameters:
        _ = self.rules
        return self


def load_parameters(path: Path | None) -> CheckParameters:
    """From this file, else from the monitor deployment in prefect.yaml, else the defaults."""
    if path is not None:
        return _parse_parameters(_load_mapping(path), str(path))
    if not _DEPLOYMENTS.is_file():
        return CheckParameters()
    for deployment in _load_mapping(_DEPLOYMENTS).get("deployments") or []:
        if isinstance(deployment, dict) and _is_monitor(deployment):
            return _parse_parameters(deployment.get("parameters") or {}, str(_DEPLOYMENTS))
    return CheckParameters()


def _is_monitor(deployment: dict[str, Any]) -> bool:
    return str(deployment.get("entrypoint", "")).endswith(f":{_MONITOR}")


def _parse_parameters(values: dict[str, Any], origin: str) -> CheckParameters:
    own = {name: value for name, value in values.items() if name not in _OF_FLOW_ONLY}
    try:
        return CheckParameters.model_validate(own)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{origin}: {place}: {first['msg']}") from error


def _load_mapping(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected names with values")
    return values
