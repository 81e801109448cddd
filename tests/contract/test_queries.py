"""Every query file against the schema it is written for."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from autofix.observe.graphql import load_query
from autofix.observe.railway import HTTP_BATCH, build_http_query

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


@pytest.mark.parametrize("count", [1, 3, HTTP_BATCH])
def test_batched_query_is_valid(schema: GraphQLSchema, count: int) -> None:
    """The query that is built for several services is as valid as the file it comes from."""
    text = build_http_query(count)
    assert validate(schema, parse(text)) == []
    assert text.count("httpMetricsGroupedByStatus") == count


def test_a_field_that_is_gone_is_noticed(schema: GraphQLSchema) -> None:
    """The check can fail: `startDate` left the HTTP log and is refused."""
    old = 'query { httpLogs(deploymentId: "d", startDate: "2026-01-01") { path } }'
    assert validate(schema, parse(old))
