"""Evidence to a plan: the LangChain planner behind a small protocol."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import ValidationError

from autofix.errors import ConfigError, ModelError
from autofix.models import FixPlan, PlanResult
from autofix.plan.prompt import PROMPT_VERSION, SYSTEM
from autofix.redact import cut
from autofix.settings import Settings

TIMEOUT = 180.0
"""Seconds for one model call."""


class Planner(Protocol):
    """Writes a plan from a rendered prompt."""

    def plan(self, prompt: str) -> PlanResult:
        """The plan; ModelError when the model cannot be asked or answers nonsense."""


class LangChainPlanner:
    """A chat model through LangChain's `init_chat_model`, with structured output."""

    def __init__(self, settings: Settings) -> None:
        """Build the model from `AUTOFIX_MODEL`; ConfigError when it cannot be."""
        settings.require("autofix_model")
        self._model_name = settings.autofix_model
        provider = settings.autofix_model.partition(":")[0]
        options: dict[str, Any] = {"timeout": TIMEOUT, "max_retries": 2}
        if provider == "openai":
            settings.require("openai_api_key")
            options["api_key"] = settings.openai_api_key
            options["base_url"] = settings.openai_base_url
        self._chat = _build_chat(settings.autofix_model, options)

    def plan(self, prompt: str) -> PlanResult:
        """One model call; ModelError says what went wrong and whether to try again."""
        structured = self._chat.with_structured_output(
            FixPlan, method="function_calling", include_raw=True
        )
        try:
            answer = structured.invoke([("system", SYSTEM), ("user", prompt)])
        except Exception as error:
            raise _translate(error, self._model_name) from error
        plan = answer["parsed"]
        if not isinstance(plan, FixPlan):
            reason = _first_problem(answer.get("parsing_error"))
            raise ModelError(f"the answer is not a plan: {reason}", retryable=True)
        raw = answer["raw"]
        usage = raw.usage_metadata or {}
        return PlanResult(
            plan=plan,
            model=str(raw.response_metadata.get("model_name", self._model_name)),
            prompt_version=PROMPT_VERSION,
            input_tokens=int(usage.get("input_tokens", 0)),
            output_tokens=int(usage.get("output_tokens", 0)),
        )


def _build_chat(model: str, options: dict[str, Any]) -> Any:
    from langchain.chat_models import init_chat_model  # noqa: PLC0415 - two seconds to import

    try:
        return init_chat_model(model, **options)
    except ImportError as error:
        provider = model.partition(":")[0]
        raise ConfigError(
            f"AUTOFIX_MODEL={model} needs another package: pip install langchain-{provider}"
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
