"""Every query file against the schema it is written for."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from autofix.observe.graphql import load_query, repeat_query, without_field

ACCOUNT = "account/me"
"""Asked of account tokens only; the sandbox has none."""
ROOT = Path(__file__).parents[2]
SCHEMAS = {
    "sandbox": ROOT / "sandbox" / "railway" / "schema.graphql",
    "full": ROOT.parent / "shared" / "railway-api" / "schema.graphql",
}
NAMES = sorted(
    path.name.removesuffix(".graphql")
    for path in files("autofix.observe").joinpath("queries").iterdir()
    if path.name.endswith(".graphql")
)


@pytest.fixture(scope="module", params=sorted(SCHEMAS))
def schema(request: pytest.FixtureRequest) -> GraphQLSchema:
    path = SCHEMAS[request.param]
    if not path.is_file():
        pytest.skip(f"the {request.param} schema is not here")
    return build_schema(path.read_text(encoding="utf-8"), assume_valid_sdl=True)


@pytest.mark.parametrize("name", NAMES)
def test_query_is_valid(schema: GraphQLSchema, name: str) -> None:
    """Fields, arguments and types of a query file exist as they are used."""
    assert validate(schema, parse(load_query(name))) == []


@pytest.mark.parametrize("count", [1, 3, 20])
@pytest.mark.parametrize("name", ["cron_runs", "http", "http_sample"])
def test_repeated_query_is_valid(schema: GraphQLSchema, name: str, count: int) -> None:
    """The query that is built for several services is as valid as the file it comes from."""
    text = repeat_query(name, count)
    assert validate(schema, parse(text)) == []
    aliases = len(parse(load_query(name)).definitions[0].selection_set.selections)
    assert len(parse(text).definitions[0].selection_set.selections) == count * aliases


def test_the_architecture_is_valid_without_a_field_that_older_schemas_lack(
    schema: GraphQLSchema,
) -> None:
    """What is left after the field was taken out is a query."""
    text = without_field(load_query("architecture"), "activeDeployments")
    assert validate(schema, parse(text)) == []
    assert "activeDeployments" not in text


def test_account_query_is_valid() -> None:
    """It stands in the full schema alone."""
    if not SCHEMAS["full"].is_file():
        pytest.skip("the full schema is not here")
    full = build_schema(SCHEMAS["full"].read_text(encoding="utf-8"), assume_valid_sdl=True)
    assert validate(full, parse(load_query(ACCOUNT))) == []


def test_a_field_that_is_gone_is_noticed(schema: GraphQLSchema) -> None:
    """The check can fail: `startDate` left the HTTP log and is refused."""
    old = 'query { httpLogs(deploymentId: "d", startDate: "2026-01-01") { path } }'
    assert validate(schema, parse(old))
