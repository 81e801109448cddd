"""A query inside a loop over the rows of another query."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from sandbox.model.repairs.source import Companion, Repair, Source

_SQL = r'"(?:[^"\n]*)"(?:\s*"[^"\n]*")*'
_SHAPE = re.compile(
    rf"""
    ^(?P<indent>[ ]+)(?P<rows>\w+)[ ]=[ ](?P<db>\w+)\.(?P<call>\w+)\(
        \s*(?P<outer>{_SQL}),\s*(?P<given>\[[^\[\]]*\]),?\s*\)\n
    (?P<loop>(?P=indent)for[ ](?P<row>\w+)[ ]in[ ](?P=rows):\n
    \s+(?P=row)\["(?P<field>\w+)"\][ ]=[ ](?P=db)\.(?P=call)\(
        \s*(?P<inner>{_SQL}),\s*\[(?P=row)\["(?P<key>\w+)"\]\],?\s*\)\n)
    """,
    re.VERBOSE | re.MULTILINE,
)
_OUTER = re.compile(r"SELECT .+? FROM (?P<table>\w+) WHERE (?P<column>\w+) = \?(?: ORDER BY .+)?")
_INNER = re.compile(
    r"SELECT (?P<columns>.+?) FROM (?P<table>\w+) WHERE (?P<link>\w+) = \?(?P<order> ORDER BY .+)?"
)


@dataclass(frozen=True)
class _Queries:
    """The two queries of the shape, taken apart."""

    match: re.Match[str]
    outer: re.Match[str]
    inner: re.Match[str]


def join_queries(source: Source, _plan: str) -> Repair | None:
    """Read the inner rows of all outer ones with one query; None when no code has the shape."""
    for name, text in source.functions():
        found = _find(text)
        head = re.match(r"def \w+\((\w+)((?:, *\w+)*)\):", text)
        if found and head and head[1] == found.match["db"]:
            others = head[2].count(",")
            return _repair(source, name, others, found)
    return None


def _find(function: str) -> _Queries | None:
    match = _SHAPE.search(function)
    if match is None:
        return None
    outer = _OUTER.fullmatch(_joined(match["outer"]))
    inner = _INNER.fullmatch(_joined(match["inner"]))
    return _Queries(match, outer, inner) if outer and inner else None


def _joined(literals: str) -> str:
    return "".join(re.findall(r'"([^"\n]*)"', literals))


def _repair(source: Source, name: str, others: int, found: _Queries) -> Repair:
    outer, inner = found.outer, found.inner
    indexes = ((outer["table"], outer["column"]), (inner["table"], inner["link"]))
    return Repair(
        title="Read the rows of a page with a fixed number of queries",
        summary=(
            f"`{name}` now reads all `{found.match['field']}` with one query instead of one for "
            "each row"
        ),
        edits=((found.match["loop"], _grouped(found)),),
        test=lambda tests: _test(source.module, tests, name, others, found),
        companions=tuple(_index(table, column) for table, column in indexes),
    )


def _grouped(found: _Queries) -> str:
    part, inner, outer = found.match, found.inner, found.outer
    link, field, row = inner["link"], part["field"], part["row"]
    selected = inner["columns"].split(", ")
    known = link in selected
    columns = inner["columns"] if known else f"{link}, {inner['columns']}"
    each = field.removesuffix("s") if field.removesuffix("s") not in (field, row) else "entry"
    group = f'{each}["{link}"]' if known else f'{each}.pop("{link}")'
    wanted = f"SELECT {part['key']} FROM {outer['table']} WHERE {outer['column']} = ?"  # noqa: S608
    text = f"""\
        {field}_of = {{}}
        found = {part["db"]}.{part["call"]}(
            "SELECT {columns} FROM {inner["table"]}"
            " WHERE {link} IN ({wanted}){inner["order"] or ""}",
            {part["given"]},
        )
        for {each} in found:
            {field}_of.setdefault({group}, []).append({each})
        for {row} in {part["rows"]}:
            {row}["{field}"] = {field}_of.get({row}["{part["key"]}"], [])
    """  # noqa: S608 - text for a source file; nothing is asked here
    return textwrap.indent(textwrap.dedent(text), part["indent"])


def _index(table: str, column: str) -> Companion:
    """An index in the schema for a column that a query compares, when the schema is there."""
    statement = f"\nCREATE INDEX IF NOT EXISTS {table}_{column} ON {table} ({column});"

    def extend(schema: str) -> tuple[str, str] | None:
        created = rf"(?s)CREATE TABLE (?:IF NOT EXISTS )?{table} \(.*?\n\);"
        match = re.search(created, schema)
        indexed = re.search(rf"CREATE [\w ]*INDEX [^;]*\bON {table} ?\({column}\)", schema)
        if match is None or indexed:
            return None
        return match[0], f"{match[0]}\n{statement}"

    return Companion("*.sql", f"CREATE TABLE .*{table}", f"Index `{table}.{column}`", extend)


def _test(module: str, tests: Source, name: str, others: int, found: _Queries) -> str | None:
    if not tests.imports(module):
        return None
    arguments = "".join([", 1"] * others)
    part = found.match
    return f'''
        class QueryCountTest(unittest.TestCase):
            """How often the database is asked does not follow from what is in it."""

            def count_queries(self, rows):
                class Recorder:
                    asked = 0

                    def {part["call"]}(self, sql, params=()):
                        self.asked += 1
                        first = self.asked == 1
                        return [{{"{part["key"]}": n}} for n in range(rows)] if first else []

                recorder = Recorder()
                {module}.{name}(recorder{arguments})
                return recorder.asked

            def test_more_rows_take_no_more_queries(self):
                self.assertEqual(self.count_queries(rows=50), self.count_queries(rows=1))
    '''
