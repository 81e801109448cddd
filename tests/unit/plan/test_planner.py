"""The planner asks a real endpoint over loopback; the model behind it is the scripted rehearsal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from autofix.errors import ConfigError, ModelError
from autofix.models import EvidenceItem
from autofix.plan.planner import LangChainPlanner
from autofix.plan.prompt import render_prompt
from autofix.settings import Settings
from sandbox.faults import Faults
from sandbox.model.app import build_app
from tests.sandbox.serving import serve

TRACEBACK = """Traceback (most recent call last):
  File "app.py", line 52, in render_invoice
    rate = customer["discount"]["rate"]
KeyError: 'discount'
"""


@pytest.fixture
def endpoint() -> Iterator[str]:
    with serve(Faults(build_app(), "model")) as url:
        yield url


def _settings(endpoint: str, **fields: Any) -> Settings:
    given = {"openai_base_url": f"{endpoint}/v1", "openai_api_key": SecretStr("test-key-1")}
    return Settings(autofix_model="openai:rehearsal-scripted", **(given | fields))


def _prompt(context: Any) -> str:
    return render_prompt(
        "acme/billing-api", "What runs.", [context], nonce="f00d", max_tokens=12_000
    )


def _with_traceback(context: Any) -> Any:
    first = context.evidence[0]
    item = EvidenceItem(**first.model_dump() | {"text": TRACEBACK})
    return context.model_copy(update={"evidence": (item, *context.evidence[1:])})


def test_a_plan_names_the_evidence_that_shows_its_cause(endpoint: str, make_context: Any) -> None:
    """Structured output over the wire: a plan, the model's own name, the tokens it took."""
    result = LangChainPlanner(_settings(endpoint)).ask(_prompt(_with_traceback(make_context())))
    assert result.plan
    assert result.plan.answer == "fix"
    assert [cause.evidence for cause in result.plan.root_causes] == [["E1"]]
    assert result.plan.root_causes[0].service == "billing-api"
    assert result.model == "rehearsal-scripted"
    assert result.input_tokens > 0


def test_without_the_evidence_the_answer_is_that_it_does_not_know(
    endpoint: str, make_context: Any
) -> None:
    """The same service, findings and summary, but no decisive line: no cause is claimed."""
    result = LangChainPlanner(_settings(endpoint)).ask(_prompt(make_context()))
    assert result.plan
    assert result.plan.answer == "insufficient_evidence"
    assert result.plan.root_causes == []
    assert result.plan.missing


def test_a_refused_key_says_which_setting_to_check(endpoint: str, make_context: Any) -> None:
    """401 is final and names OPENAI_API_KEY; the key itself is not in the message."""
    httpx.post(f"{endpoint}/_sandbox/faults", json={"mode": "401", "times": 1})
    with pytest.raises(ModelError, match="OPENAI_API_KEY") as caught:
        LangChainPlanner(_settings(endpoint)).ask(_prompt(make_context()))
    assert not caught.value.retryable
    assert "test-key-1" not in str(caught.value)


def test_an_endpoint_that_fails_may_be_asked_again(endpoint: str, make_context: Any) -> None:
    """500 past the client's own retries is an error that a later run may get past."""
    httpx.post(f"{endpoint}/_sandbox/faults", json={"mode": "500", "times": 9})
    with pytest.raises(ModelError) as caught:
        LangChainPlanner(_settings(endpoint)).ask(_prompt(make_context()))
    assert caught.value.retryable


def test_a_model_that_cannot_be_reached_is_an_error_in_one_line(make_context: Any) -> None:
    """Nothing listens: ModelError, retryable, no traceback text in it."""
    planner = LangChainPlanner(_settings("http://127.0.0.1:9"))
    with pytest.raises(ModelError) as caught:
        planner.ask(_prompt(make_context()))
    assert caught.value.retryable
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("anthropic:some-model", "pip install langchain-anthropic"),
        ("google_genai:some-model", "pip install langchain-google-genai"),
        ("nonsense", "provider:model"),
    ],
)
def test_a_model_setting_that_cannot_work_says_what_to_do(model: str, says: str) -> None:
    """A missing provider package and a malformed name are one line each."""
    settings = Settings(autofix_model=model, openai_api_key=SecretStr("test-key-1"))
    with pytest.raises(ConfigError, match=says):
        LangChainPlanner(settings)


def test_a_missing_key_names_the_setting() -> None:
    """No key: the setting and where to put it."""
    with pytest.raises(ConfigError, match=r"OPENAI_API_KEY is not set: put .* into \.env"):
        LangChainPlanner(Settings(autofix_model="openai:gpt-5"))
