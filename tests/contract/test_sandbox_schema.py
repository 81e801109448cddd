"""The sandbox's schema is a true part of the platform's, and of what the product asks."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    parse,
    validate,
)

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "sandbox" / "railway" / "schema.graphql"
REAL = ROOT.parent / "shared" / "railway-api" / "schema.graphql"
QUERIES = sorted((ROOT / "autofix" / "observe" / "queries").glob("*.graphql"))


@pytest.fixture(scope="module")
def ours() -> GraphQLSchema:
    return build_schema(OURS.read_text())


def _differences(ours: GraphQLNamedType, real: GraphQLNamedType | None) -> list[str]:
    """What our type says and the real one does not."""
    if real is None or type(ours) is not type(real):
        return [f"{ours.name} is not such a type"]
    if isinstance(ours, GraphQLEnumType) and isinstance(real, GraphQLEnumType):
        return [f"{ours.name}.{value}" for value in ours.values if value not in real.values]
    found = []
    if isinstance(ours, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        for name, field in ours.fields.items():
            theirs = real.fields.get(name)  # type: ignore[union-attr]
            if theirs is None or str(theirs.type) != str(field.type):
                found.append(f"{ours.name}.{name}: {field.type}")
            for argument, value in getattr(field, "args", {}).items():
                real_argument = getattr(theirs, "args", {}).get(argument)
                if real_argument is None or str(real_argument.type) != str(value.type):
                    found.append(f"{ours.name}.{name}({argument}: {value.type})")
    return found


def test_every_type_field_and_argument_exists_in_the_real_schema(ours: GraphQLSchema) -> None:
    if not REAL.exists():
        pytest.skip("the real schema is not here")
    real = build_schema(REAL.read_text(), assume_valid=True)
    names = [name for name in ours.type_map if not name.startswith("__")]
    wrong = [line for n in names for line in _differences(ours.type_map[n], real.get_type(n))]
    assert wrong == []
    required = [
        f"{name}({argument})"
        for name, field in ours.query_type.fields.items()  # type: ignore[union-attr]
        for argument, value in real.query_type.fields[name].args.items()  # type: ignore[union-attr]
        if str(value.type).endswith("!") and argument not in field.args
    ]
    assert required == [], "arguments that the real API demands"


def test_the_contract_sees_a_field_that_is_made_up(ours: GraphQLSchema) -> None:
    """The comparison above can fail."""
    invented = build_schema("type PageInfo { total: Int! } type Query { pageInfo: PageInfo }")
    wrong = _differences(invented.type_map["PageInfo"], ours.type_map["PageInfo"])
    assert wrong == ["PageInfo.total: Int!"]


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: path.stem)
def test_the_products_queries_are_valid_in_the_sandbox(query: Path, ours: GraphQLSchema) -> None:
    assert validate(ours, parse(query.read_text())) == []
