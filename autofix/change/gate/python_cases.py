"""Python test cases, read from the syntax tree: what pytest and unittest would collect and run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.change.gate.case import Case, Cases

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_SKIPS = {
    "skip", "skipif", "skipIf", "skipUnless", "xfail", "expectedFailure", "importorskip",
    "skipTest", "SkipTest", "exit",
}  # fmt: skip
_SKIP_OWNERS = {"mark", "pytest", "unittest", "self", "case", "nose"}
_CONDITIONAL = {"skipif", "skipIf", "skipUnless", "importorskip"}
_SELECTORS = {
    "collect_ignore", "collect_ignore_glob", "__test__", "load_tests",
    "pytest_collection_modifyitems", "pytest_ignore_collect", "pytest_pyfunc_call",
    "pytest_runtest_protocol", "pytest_runtest_call", "pytest_runtest_makereport",
    "pytest_collect_file", "pytest_pycollect_makeitem", "pytest_runtest_setup",
    "pytest_itemcollected", "pytest_deselected", "pytest_sessionfinish",
    "pytest_runtestloop", "pytest_report_teststatus", "pytest_assertrepr_compare",
    "pytest_cmdline_main", "pytest_load_initial_conftests", "pytest_collection",
}  # fmt: skip
_BROAD = {"Exception", "BaseException", "AssertionError"}
_WEAK_CALLS = {
    "assertTrue", "assertFalse", "assertIsNotNone", "assertIsInstance", "assertNotEqual",
    "assertNotEquals", "assertGreater", "assertGreaterEqual", "assertLess", "assertLessEqual",
    "assertNotIn", "assertIsNot", "assertNotIsInstance", "assertAlmostEqual", "assertLogs",
    "assertWarns", "assert_called", "assert_any_call", "assertNotAlmostEqual",
}  # fmt: skip
_EXACT = (ast.Eq, ast.Is, ast.In)


def read_python(text: str) -> Cases:
    """The test cases of a module, with what keeps them from being run."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Cases(problem=type(error).__name__)
    found = {case.name: case for case in _collect(tree.body, "", marked=0)}
    return Cases(
        cases=tuple(found.values()),
        skips=sum(_skip_marks(node) for node in ast.walk(tree)),
        truisms=sum(_is_truism(node) for node in ast.walk(tree)),
    )


def _collect(body: list[ast.stmt], prefix: str, marked: int) -> Iterator[Case]:
    """Later definitions of a name come later, as they replace earlier ones."""
    for node in body:
        if isinstance(node, _Function) and node.name.startswith("test"):
            yield _read_case(node, prefix, marked)
        elif isinstance(node, ast.ClassDef) and _is_collected(node):
            marks = marked + sum(map(_skip_marks, _decorators(node)))
            yield from _collect(node.body, f"{prefix}{node.name}.", marks)
        elif isinstance(node, ast.If) and not _is_false(node.test):
            yield from _collect([*node.body, *node.orelse], prefix, marked)
        elif isinstance(node, ast.With | ast.Try):
            yield from _collect(node.body, prefix, marked)


def _is_collected(node: ast.ClassDef) -> bool:
    return node.name.startswith("Test") or bool(node.bases)


def _read_case(node: _Function, prefix: str, marked: int) -> Case:
    strengths = [*_strengths(node.body, _called_names(node)), *[True] * _parameters(node)]
    inside = [child for child in ast.walk(node) if child is not node]
    marks = sum(_skip_marks(child) for child in inside)
    conditional = sum(_skip_marks(child, _CONDITIONAL) for child in inside)
    return Case(
        name=f"{prefix}{node.name}",
        body="\n".join(ast.unparse(statement) for statement in node.body),
        assertions=len(strengths),
        strong=sum(strengths),
        escapes=sum(isinstance(child, ast.Return) for child in inside),
        skips=(marks - conditional) * _HARD + conditional + marked * _HARD,
    )


def _parameters(node: _Function) -> int:
    """How many sets of parameters are written down; fewer of them check less."""
    calls = (d for d in node.decorator_list if isinstance(d, ast.Call))
    lists = (a for c in calls if _last_name(c.func) == "parametrize" for a in c.args[1:2])
    return sum(len(a.elts) for a in lists if isinstance(a, ast.List | ast.Tuple))


_HARD = 1_000
"""What an unconditional mark weighs, so that both kinds can be told from one number."""


def is_skipped_for_good(case: Case) -> bool:
    """Whether the case carries a mark that needs no condition."""
    return case.skips >= _HARD


def _strengths(body: list[ast.stmt], called: set[str]) -> Iterator[bool]:
    """For each assertion that can fail, whether it compares with something exact."""
    for statement in body:
        yield from _strengths_of(statement, called)
        if isinstance(statement, ast.Return | ast.Raise | ast.Continue | ast.Break):
            return


def _strengths_of(node: ast.stmt, called: set[str]) -> Iterator[bool]:
    if isinstance(node, ast.Assert):
        if not _is_truism(node):
            yield _is_exact(node.test)
    elif isinstance(node, ast.If | ast.While):
        if not _is_false(node.test):
            yield from _strengths(node.body, called)
        yield from _strengths(node.orelse, called)
    elif isinstance(node, ast.Try):
        yield from _tried(node, called)
    elif isinstance(node, ast.With | ast.AsyncWith):
        yield from _within(node, called)
    elif isinstance(node, ast.For | ast.AsyncFor | ast.Match):
        for body in _bodies(node):
            yield from _strengths(body, called)
    elif isinstance(node, _Function):
        yield from _strengths(node.body if node.name in called else [], called)
    else:
        yield from _calls(node)


def _bodies(node: ast.For | ast.AsyncFor | ast.Match) -> list[list[ast.stmt]]:
    if isinstance(node, ast.Match):
        return [branch.body for branch in node.cases]
    return [node.body, node.orelse]


def _tried(node: ast.Try, called: set[str]) -> Iterator[bool]:
    if not any(map(_swallows, node.handlers)):
        yield from _strengths([*node.body, *node.orelse], called)
    for handler in node.handlers:
        yield from _strengths(handler.body, called)
    yield from _strengths(node.finalbody, called)


def _within(node: ast.With | ast.AsyncWith, called: set[str]) -> Iterator[bool]:
    contexts = [item.context_expr for item in node.items]
    for context in contexts:
        yield from _calls(context)
    if not any(_suppresses(context) for context in contexts):
        yield from _strengths(node.body, called)


def _swallows(handler: ast.ExceptHandler) -> bool:
    broad = handler.type is None or any(name in _BROAD for name in _names(handler.type))
    return broad and not any(isinstance(n, ast.Raise) for n in ast.walk(handler))


def _suppresses(context: ast.expr) -> bool:
    if not isinstance(context, ast.Call):
        return False
    name = _last_name(context.func)
    caught = {found for argument in context.args for found in _names(argument)}
    return name in {"suppress", "raises", "assertRaises"} and bool(caught & _BROAD)


def _calls(node: ast.AST) -> Iterator[bool]:
    """Assertions that are calls: unittest's, mocks', pytest.raises and the like."""
    for call in (child for child in ast.walk(node) if isinstance(child, ast.Call)):
        name = _last_name(call.func)
        if name in {"raises", "assertRaises", "assertRaisesRegex", "warns"}:
            yield not any(found in _BROAD for arg in call.args[:1] for found in _names(arg))
        elif name.startswith(("assert", "expect")) and not _is_truism(call):
            if name in {"assertTrue", "assertFalse"} and call.args:
                yield _is_exact(call.args[0])
            else:
                yield name not in _WEAK_CALLS
        elif name == "fail":
            yield False


def _is_exact(test: ast.expr) -> bool:
    if isinstance(test, ast.BoolOp):
        parts = [_is_exact(value) for value in test.values]
        return any(parts) if isinstance(test.op, ast.And) else all(parts)
    return isinstance(test, ast.Compare) and all(isinstance(op, _EXACT) for op in test.ops)


def _is_truism(node: ast.AST) -> bool:
    """An assertion that holds whatever the code does."""
    if isinstance(node, ast.Assert):
        return _always_true(node.test)
    if isinstance(node, ast.Call) and _last_name(node.func).startswith("assert"):
        name, args = _last_name(node.func), node.args
        if name in {"assertTrue", "assert_"}:
            return bool(args) and _always_true(args[0])
        if name in {"assertEqual", "assertEquals", "assertIs"}:
            return len(args) > 1 and _same(args[0], args[1])
        if name == "assertIsNotNone":
            return bool(args) and isinstance(args[0], ast.Constant)
    return False


def _always_true(test: ast.expr) -> bool:
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.Tuple | ast.List | ast.Dict | ast.Set):
        return bool(getattr(test, "elts", None) or getattr(test, "keys", None))
    if isinstance(test, ast.BoolOp):
        found = [_always_true(value) for value in test.values]
        return any(found) if isinstance(test.op, ast.Or) else all(found)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _is_false(test.operand)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return isinstance(test.ops[0], _EXACT[:2]) and _same(test.left, test.comparators[0])
    return isinstance(test, ast.Lambda)


def _same(one: ast.expr, other: ast.expr) -> bool:
    """The same expression twice, and no call that may give something else each time."""
    if any(isinstance(node, ast.Call | ast.Await) for node in ast.walk(one)):
        return False
    return ast.dump(one) == ast.dump(other)


def _is_false(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and not test.value


def _skip_marks(node: ast.AST, wanted: set[str] = _SKIPS) -> int:
    """Whether this node keeps something from being run; names only, not what they stand for."""
    if isinstance(node, ast.Attribute) and node.attr in wanted:
        owner = _last_name(node.value)
        return int(owner in _SKIP_OWNERS or node.attr in {"skipTest", "SkipTest"})
    if isinstance(node, ast.Name) and node.id in wanted - {"skip", "exit"}:
        return 1
    if wanted is not _SKIPS:
        return 0
    if isinstance(node, _Function | ast.ClassDef):
        plain = (d.func if isinstance(d, ast.Call) else d for d in node.decorator_list)
        selects = isinstance(node, _Function) and node.name in _SELECTORS
        return selects + sum(isinstance(d, ast.Name) and d.id == "skip" for d in plain)
    if isinstance(node, ast.alias):
        return int(node.name in _SKIPS - {"exit"})
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in _SELECTORS:
        return 1
    if isinstance(node, ast.Attribute) and node.attr == "__test__":
        return 1
    return int(isinstance(node, ast.Call) and _last_name(node.func) in {"_exit", "abort"})


def _decorators(node: ast.ClassDef) -> Iterator[ast.AST]:
    for decorator in node.decorator_list:
        yield from ast.walk(decorator)


def _called_names(node: ast.AST) -> set[str]:
    return {
        child.id
        for child in ast.walk(node)
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load)
    }


def _names(node: ast.expr) -> Iterator[str]:
    elements = node.elts if isinstance(node, ast.Tuple) else [node]
    for element in elements:
        yield _last_name(element)


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    return node.id if isinstance(node, ast.Name) else ""
