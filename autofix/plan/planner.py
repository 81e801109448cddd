"""Evidence to an answer: the LangChain planner behind a small protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import ValidationError

from autofix.errors import ConfigError, ModelError
from autofix.models import FixPlan
from autofix.plan.prompt import SYSTEM
from autofix.redact import cut
from autofix.settings import Settings

TIMEOUT = 180.0
"""Seconds for one model call."""
_PACKAGES = {
    "google_genai": "langchain-google-genai",
    "google_vertexai": "langchain-google-vertexai",
    "azure_openai": "langchain-openai",
    "bedrock": "langchain-aws",
    "bedrock_converse": "langchain-aws",
    "mistralai": "langchain-mistralai",
}
"""Where a provider's package is not called like the provider."""
_ANSWER = 12_000
"""Characters of an answer that are shown to the model again."""


@dataclass(frozen=True)
class Answer:
    """What a model said to one call."""

    plan: FixPlan | None
    text: str
    """As it is shown to the model again, when it is sent back."""
    model: str
    """As the endpoint names itself."""
    input_tokens: int
    output_tokens: int
    problem: str = ""
    """Why there is no plan in it."""


class Planner(Protocol):
    """Asks a model for a plan."""

    def ask(self, prompt: str, previous: Sequence[str] = (), again: str = "") -> Answer:
        """The answer; ModelError when the model cannot be asked."""


class LangChainPlanner:
    """A chat model through LangChain's `init_chat_model`, with structured output."""

    def __init__(self, settings: Settings, *, output_tokens: int | None = None) -> None:
        """Build the model from `AUTOFIX_MODEL`; ConfigError when it cannot be.

        Args:
            settings: the model, its key and address.
            output_tokens: most tokens of one answer; the provider's own limit when None.
        """
        settings.require("autofix_model")
        self._model_name = settings.autofix_model
        provider = settings.autofix_model.partition(":")[0]
        options: dict[str, Any] = {"timeout": TIMEOUT, "max_retries": 2}
        if output_tokens is not None:
            options["max_tokens"] = output_tokens
        if provider == "openai":
            settings.require("openai_api_key")
            options["api_key"] = settings.openai_api_key
            options["base_url"] = settings.openai_base_url
        self._chat = _build_chat(settings.autofix_model, options)

    def say(self, text: str) -> str:
        """The model's plain answer to a few words; ModelError as `ask`."""
        try:
            return str(self._chat.invoke([("user", text)]).text)
        except Exception as error:
            raise _translate(error, self._model_name) from error

    def ask(self, prompt: str, previous: Sequence[str] = (), again: str = "") -> Answer:
        """One model call; ModelError says what went wrong and whether to try again."""
        structured = self._chat.with_structured_output(
            FixPlan, method="function_calling", include_raw=True
        )
        messages = [("system", SYSTEM), ("user", prompt)]
        if previous:
            messages += [("assistant", previous[-1]), ("user", again)]
        try:
            answer = structured.invoke(messages)
        except Exception as error:
            raise _translate(error, self._model_name) from error
        return self._read(answer)

    def _read(self, answer: dict[str, Any]) -> Answer:
        plan, raw = answer["parsed"], answer["raw"]
        usage = raw.usage_metadata or {}
        is_plan = isinstance(plan, FixPlan)
        problem = _first_problem(answer.get("parsing_error"))
        return Answer(
            plan=plan if is_plan else None,
            text=plan.model_dump_json() if is_plan else str(raw.content or "(no plan)")[:_ANSWER],
            model=str(raw.response_metadata.get("model_name", self._model_name)),
            input_tokens=int(usage.get("input_tokens", 0)),
            output_tokens=int(usage.get("output_tokens", 0)),
            problem="" if is_plan else f"the answer is not a plan: {problem}",
        )


def _build_chat(model: str, options: dict[str, Any]) -> Any:
    from langchain.chat_models import init_chat_model  # noqa: PLC0415 - two seconds to import

    try:
        return init_chat_model(model, **options)
    except ImportError as error:
        provider = model.partition(":")[0]
        package = _PACKAGES.get(provider, f"langchain-{provider.replace('_', '-')}")
        raise ConfigError(
            f"AUTOFIX_MODEL={model} needs another package: pip install {package}"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"AUTOFIX_MODEL={model} is not understood: write it as provider:model, "
            "for example openai:gpt-5"
        ) from error


def _translate(error: Exception, model: str) -> ModelError:
    """A provider's exception as one line: status and sentence, without the request."""
    status = getattr(error, "status_code", None)
    if status == 401:  # noqa: PLR2004
        return ModelError(f"{model}: the API key was refused (401); check OPENAI_API_KEY")
    retryable = status is None or status == 429 or status >= 500  # noqa: PLR2004
    detail = cut((str(error).splitlines() or [type(error).__name__])[0], 300)
    return ModelError(f"{model}: {type(error).__name__}: {detail}", retryable=retryable)


def _first_problem(error: object) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}"
    return cut(str(error).splitlines()[0], 200) if error else "no tool call in it"
