"""Settings from the environment and `.env`, read once at the edge and handed down.

What a person tunes per project (window, thresholds, services, autonomy, caps) are flow
parameters and stand in `parameters.py`; here is only who we talk to and with which secret.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from autofix.errors import ConfigError

Price = Annotated[
    Annotated[float, Field(ge=0)] | None, BeforeValidator(lambda v: None if v == "" else v)
]
"""US dollars; left empty in `.env` it is not set."""


class Settings(BaseSettings):
    """The environment. Every field is read under its own upper-case name."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    railway_token: SecretStr | None = Field(
        default=None, description="Railway project token (one environment of one project)"
    )
    railway_api_token: SecretStr | None = Field(
        default=None, description="Railway account or workspace token"
    )
    railway_project_id: str = Field(default="", description="Railway sets this by itself")
    railway_environment_id: str = Field(default="", description="Railway sets this by itself")
    autofix_project_id: str = Field(
        default="", description="The watched project, when the tool runs in another one on Railway"
    )
    autofix_environment_id: str = Field(
        default="", description="The watched environment, when the tool runs in another project"
    )
    railway_service_id: str = Field(
        default="", description="The tool's own service; Railway sets this by itself"
    )
    railway_git_repo_owner: str = Field(
        default="", description="Whose repository the tool is deployed from; set by Railway"
    )
    railway_git_repo_name: str = Field(
        default="", description="The repository the tool is deployed from; set by Railway"
    )
    railway_api_url: str = "https://backboard.railway.com/graphql/v2"

    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    autofix_model: str = Field(
        default="openai:gpt-5", description="The planner's model, LangChain's provider:model"
    )

    autofix_price_input: Price = Field(
        default=None, description="The planner's, US dollars per million tokens"
    )
    autofix_price_output: Price = Field(
        default=None, description="The planner's, US dollars per million tokens"
    )

    opencode_url: str = Field(default="", description="The OpenCode server, e.g. http://agent:4096")
    opencode_server_password: SecretStr | None = None
    opencode_server_username: str = "opencode"
    opencode_workspace: str = Field(
        default="/home/agent/work",
        description="Folder on the OpenCode server under which each fix gets its own",
    )

    autofix_providers: str = Field(
        default="",
        description="TOML file with further upstream providers, or other status pages of known ones",
    )
    autofix_cache_dir: str = Field(
        default="",
        description="Folder in which answers of status pages are kept for some minutes; one of its "
        "own in the temporary folder when empty",
    )

    github_token: SecretStr | None = None
    github_api_url: str = "https://api.github.com"
    github_url: str = Field(
        default="https://github.com", description="Where clones come from and pushes go"
    )

    autofix_publisher: Literal["gate", "agent"] = Field(
        default="gate",
        description="Who pushes: the flow, after the gate, or the agent with a token of its own "
        "(docs/safety.md says why that is the weaker one)",
    )

    autofix_redaction_key: SecretStr | None = Field(
        default=None,
        description="What the tags of redacted values are keyed with; any long random text. "
        "Without it they change when one of the other secrets does",
    )

    @model_validator(mode="before")
    @classmethod
    def _watch_another(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Railway names the project the tool runs in; the watched one may be another."""
        for name in ("project_id", "environment_id"):
            if values.get(f"autofix_{name}"):
                values[f"railway_{name}"] = values[f"autofix_{name}"]
        return values

    def is_own(self, service_id: str, repository: str | None) -> bool:
        """Whether this is one of the tool's own services: reported, never repaired."""
        own = f"{self.railway_git_repo_owner}/{self.railway_git_repo_name}"
        return service_id == self.railway_service_id or (own != "/" and repository == own)

    def railway_auth(self) -> tuple[Literal["Project-Access-Token", "Authorization"], str]:
        """Header name and value; the project token wins when both are set."""
        if self.railway_token is not None:
            return "Project-Access-Token", self.railway_token.get_secret_value()
        if self.railway_api_token is not None:
            return "Authorization", f"Bearer {self.railway_api_token.get_secret_value()}"
        msg = (
            "RAILWAY_TOKEN is not set: create a project token in the project's settings "
            "(or set RAILWAY_API_TOKEN to an account token) and put it into .env"
        )
        raise ConfigError(msg)

    def require(self, *names: str) -> None:
        """Raise ConfigError naming the first of these fields that is empty."""
        for name in names:
            if not getattr(self, name):
                raise ConfigError(f"{name.upper()} is not set: {_HINTS[name]}")

    def secret_values(self) -> tuple[str, ...]:
        """Every secret value in clear, for redaction only."""
        fields = (getattr(self, name) for name in type(self).model_fields)
        return tuple(f.get_secret_value() for f in fields if isinstance(f, SecretStr))

    def redaction_key(self) -> tuple[str, ...]:
        """What the tags of redacted values are derived from, the same in every process."""
        if self.autofix_redaction_key is not None:
            return (self.autofix_redaction_key.get_secret_value(),)
        ids = (self.railway_project_id, self.railway_environment_id)
        return (*ids, *sorted(self.secret_values()))


def _of_profile(profile: str) -> dict[str, Any]:
    if not profile:
        return {}
    known = {**{k: v for k, v in dotenv_values(".env").items() if v}, **os.environ}
    names = {name: f"{profile.upper()}_{name.upper()}" for name in Settings.model_fields}
    return {name: known[variable] for name, variable in names.items() if known.get(variable)}


_HINTS = {
    "railway_project_id": "copy it from the project's settings on Railway into .env",
    "railway_environment_id": "copy it from the environment's URL on Railway into .env",
    "openai_api_key": "put the planner's API key into .env",
    "opencode_url": "put the address of the OpenCode server (see opencode/README.md) into .env",
    "opencode_server_password": "put the password the OpenCode server was started with into .env",
    "github_token": "create a token with contents and pull requests: write, and put it into .env",
}


def load_settings() -> Settings:
    """Settings from the environment and `.env`; ConfigError names what is malformed.

    With AUTOFIX_PROFILE=NAME a variable NAME_RAILWAY_TOKEN counts before RAILWAY_TOKEN, and so on for
    every setting: several projects and environments in one installation.
    """
    try:
        return Settings(**_of_profile(os.environ.get("AUTOFIX_PROFILE", "")))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "settings"
        raise ConfigError(f"{name}: {first['msg']}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(".env is not UTF-8: write it anew as plain text") from error
