"""The test cases of a file: what each is called, how much it asserts, whether it is skipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from autofix.change.gate.case import Case, Cases, merge
from autofix.change.gate.python_cases import read_python

_FOLDERS = {"test", "tests", "__tests__", "spec", "specs", "e2e", "testing", "androidtest", "it"}
_NAMES = re.compile(
    r"(?i)(?:^(?:test|tests|spec)[_.-].*|^tests?\.\w+$|.*[_.-](?:test|tests|spec|specs|e2e|cy)\.\w+$"
    r"|.*(?:Test|Tests|TestCase|Spec|IT)\.(?:java|kt|kts|groovy|scala|cs|php|swift|m|mm)$"
    r"|^conftest\.py$)"
)
_CODE = {
    ".py", ".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte", ".go",
    ".rb", ".java", ".kt", ".kts", ".groovy", ".scala", ".cs", ".fs", ".vb", ".rs", ".php", ".ex",
    ".exs", ".swift", ".dart", ".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".m", ".mm", ".clj",
    ".sh", ".bats", ".pl", ".t", ".lua", ".erl", ".hs", ".feature", ".robot", ".r", ".jl", ".zig",
}  # fmt: skip


class _Language(NamedTuple):
    """How tests look. Every pattern is matched on text without comments."""

    start: str
    """Begins a test case; its group `name` is what the case is called."""
    assertion: str
    weak: str
    """Assertions that hold for nearly any value."""
    skip: str
    """Whatever keeps a case, or all others, from being run."""


_JAVASCRIPT = _Language(
    start=r"(?m)(?<![\w.$])(?:x|f)?(?:it|test|specify)(?:\.\w+)*(?:\([^\n()]*\)|`[^`]*`)?"
    r"\s*\(\s*(?P<quote>['\"`])(?P<name>(?:\\.|(?!(?P=quote))[^\\\n])*)(?P=quote)",
    assertion=r"\bexpect(?:\.\w+)*\s*\(|\bassert(?:\.\w+)*\s*\(|\.should\b|(?<![\w.])t\.(?:is|not|true"
    r"|false|truthy|falsy|deepEqual|throws\w*|like|regex|equal|same|ok|notOk|snapshot)\s*\(|\bcy\.\w+[^\n]*\.should\(",
    weak=r"\.(?:toBeDefined|toBeTruthy|toBeFalsy|toBeUndefined|toBeNull|toBeInstanceOf|toHaveBeenCalled|exist|ok)"
    r"\b(?!With)|\bnot\.(?:toBe\w*|toEqual|toThrow\w*|toHave\w+)|\bassert(?:\.ok)?\s*\(\s*[\w.]+\s*[,)]"
    r"|\.toBe(?:Greater|Less)\w+|expect\.(?:any|anything)\(|\.toMatch\(\s*/\.[*+]",
    skip=r"\b(?:it|test|describe|specify|context|suite|bench)(?:\.\w+)*\.(?:skip|only|todo|failing|fails|skipIf|runIf|fixme)\b"
    r"|(?<![\w.$])(?:xit|xtest|xdescribe|xspecify|xcontext|fit|fdescribe|ftest)\s*[.(]"
    r"|\bthis\.skip\s*\(|\bpending\s*\(|(?<![\w.])t\.skip\s*\(|\bctx?\.skip\s*\(|\b(?:skip|only|todo)\s*:\s*(?:true|['\"])",
)
_GO = _Language(
    start=r"(?m)^func\s+(?:\([^)\n]*\)\s*)?(?P<name>(?:Test|Fuzz|Example)\w*)\s*\(",
    assertion=r"\b\w+\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow)\s*\(|\b(?:assert|require|is|qt)\.\w+\s*\(",
    weak=r"\b(?:assert|require)\.(?:NotNil|NotEmpty|True|NoError|NotPanics|NotEqual|Greater\w*|Less\w*|IsType)\w*\s*\(",
    skip=r"\b\w+\.(?:Skip|Skipf|SkipNow)\s*\(|//\s*\+build\b|//go:build\b|\bos\.Exit\s*\(",
)
_RUBY = _Language(
    start=r"(?m)^\s*(?:x|f)?(?:it|specify|scenario|example|test|should)\s*\(?\s*(?P<quote>['\"])"
    r"(?P<name>(?:\\.|(?!(?P=quote))[^\\\n])*)(?P=quote)|^\s*def\s+(?P<name2>test_\w+[?!]?)",
    assertion=r"\bexpect\s*[({]|\bassert\w*|\brefute\w*|\.should(?:_not)?\b|\b(?:must|wont)_\w+|\bis_expected\b",
    weak=r"\bassert_(?:not_nil|instance_of|kind_of|respond_to)\b|\brefute\w*|\.not_to\b|\bbe_(?:truthy|present|a|an)\b"
    r"|\bassert\s+\w+\s*$",
    skip=r"(?m)^\s*(?:skip|pending)\b|(?<![\w.])(?:xit|xdescribe|xcontext|xspecify|xscenario|fit|fdescribe|fcontext|fspecify)\b"
    r"|\b(?:skip|pending|focus|focused):?\s*(?:=>|:)?\s*(?:true|['\"])|,\s*:(?:skip|focus|pending)\b",
)
_JVM = _Language(
    start=r"@(?:\w+\.)*(?:Test|ParameterizedTest|RepeatedTest|TestFactory|Property|Theory)\b[^;{]{0,600}?"
    r"\b(?:void|fun|def)\s+(?:<[^>]*>\s*)?(?P<quote>`?)(?P<name>[^`(\n]+)(?P=quote)\s*\(",
    assertion=r"\bassert\w*\s*[({]|\bverify\w*\s*\(|\bexpect\w*\s*\(|\bfail\s*\(|\.should\w*\b|\.andExpect\w*\s*\(|\bshould\w+\b",
    weak=r"\bassert(?:NotNull|True|NotEquals|DoesNotThrow|InstanceOf|NotSame)\w*\s*\(|\.isNot(?:Null|Empty|Blank|EqualTo)\s*\("
    r"|\.is(?:InstanceOf|GreaterThan|LessThan)\w*\s*\(",
    skip=r"@(?:\w+\.)*(?:Disabled|Ignore|Ignored|DisabledIf\w*|EnabledIf\w*|DisabledOn\w*|EnabledOn\w*|IgnoreRest|PendingFeature)\b"
    r"|\bassum\w+\s*[({]|\benabled\s*=\s*false",
)
_DOTNET = _Language(
    start=r"\[(?:\w+\.)*(?:Fact|Theory|Test|TestMethod|TestCase|DataTestMethod)\b[^;{]{0,600}?\b(?:void|Task(?:<[^>]*>)?|ValueTask)"
    r"\s+(?P<name>\w+)\s*\(",
    assertion=r"\bAssert\w*\.\w+|\.Should\w*\s*\(|\bVerify\w*\s*\(",
    weak=r"\bAssert\w*\.(?:NotNull|IsNotNull|True|IsTrue|NotEqual|AreNotEqual|IsType|IsInstanceOf\w*|NotEmpty)\b|\.NotBe\w*\s*\(",
    skip=r"\bSkip\s*=|\[(?:\w+\.)*(?:Ignore|Explicit|Skip\w*)\b|\bAssert\.(?:Ignore|Inconclusive|Pass)\b|\bSkip\.(?:If|IfNot)\b",
)
_RUST = _Language(
    start=r"#\[(?:\w+::)*(?:test|rstest|test_case|proptest|wasm_bindgen_test)\b[^\]\n]{0,200}\]"
    r"(?:\s*#\[[^\]\n]{0,200}\]){0,6}\s*(?:pub\s+)?(?:async\s+)?fn\s+(?P<name>\w+)",
    assertion=r"\b(?:debug_)?assert\w*!|\bprop_assert\w*!|\bpanic!|#\[should_panic|\.expect_err\(|\.unwrap_err\(",
    weak=r"\bassert_ne!|\bassert!\s*\(\s*[\w.]+\.(?:is_ok|is_some|is_err)\(\)\s*\)|\bpanic!",
    skip=r"#\[ignore\b|#\[cfg_attr\([^\n]*ignore|#!?\[cfg\((?:any\(\)|FALSE|false|not\(test\))",
)
_PHP = _Language(
    start=r"\bfunction\s+(?P<name>test\w*)\s*\(|(?:^|\s)(?:it|test)\s*\(\s*(?P<quote>['\"])(?P<name2>(?:\\.|(?!(?P=quote))[^\\\n])*)(?P=quote)"
    r"|#\[Test\b[^;{]{0,300}?\bfunction\s+(?P<name3>\w+)",
    assertion=r"\bassert\w+\s*\(|\bexpect\w*\s*\(|->should\w*",
    weak=r"\bassert(?:NotNull|True|NotEmpty|NotEquals|NotSame|InstanceOf|IsArray)\s*\(|->not->|->toBeTruthy\(",
    skip=r"\bmark(?:TestSkipped|TestIncomplete|AsSkipped)\w*\s*\(|->(?:skip|only|todo)\s*\(|@(?:requires|doesNotPerformAssertions)\b|#\[Requires",
)
_OTHER = _Language(
    start=r"(?m)^\s*(?:(?:@test|test|feature|property|it|describe|deftest|TEST|TEST_F|TEST_P|TEST_CASE|Scenario|Scenario Outline|testWidgets)"
    r"\s*[( :]\s*(?P<quote>['\"]?)(?P<name>[^'\"\n{]+)(?P=quote)|(?:override\s+)?func\s+(?P<name2>test\w*)\s*\()",
    assertion=r"(?i)\b(?:x?ct)?(?:assert|expect|should|require|check|refute|then|verify)\w*",
    weak=r"(?i)\b\w*(?:not_?nil|not_?null|assert_?true|isTrue|isNotNull)\b",
    skip=r"(?i)\b(?:skip|ignore|disabled|pending|xct_?skip\w*|solo|wip)\b\s*[:(=!]|@(?:skip|ignore|wip|pending|disabled)\b|@tag\s+:?skip",
)
_LANGUAGES = {
    **dict.fromkeys((".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte"), _JAVASCRIPT),
    ".go": _GO, ".rb": _RUBY, ".rs": _RUST, ".php": _PHP,
    **dict.fromkeys((".java", ".kt", ".kts", ".groovy", ".scala"), _JVM),
    **dict.fromkeys((".cs", ".fs", ".vb"), _DOTNET),
}  # fmt: skip
_HASH_COMMENTS = {
    ".py",
    ".rb",
    ".ex",
    ".exs",
    ".sh",
    ".bats",
    ".pl",
    ".t",
    ".feature",
    ".robot",
    ".r",
    ".jl",
}
_STRINGS = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`"
_SLASHED = re.compile(rf"({_STRINGS})|/\*.*?\*/|//(?!\s*\+build|go:build)[^\n]*", re.DOTALL)
_HASHED = re.compile(
    rf"({_STRINGS})|#(?![!\[])[^\n]*|^=begin\b.*?^=end\b", re.DOTALL | re.MULTILINE
)
_TRUISM = re.compile(
    r"(?x)expect\(\s*(?P<a>true|false|null|undefined|\d+|'[^']*'|\"[^\"]*\")\s*\)\s*\.\s*(?:to|is|be)[\w.\s]{0,60}"
    r"(?:\(\s*(?:(?P=a))?\s*\))?"
    r"|(?:assert\w*|Assert\w*\.(?!Fail)\w+|t\.(?:is|true|truthy|ok|assert|equal|deepEqual|same)|(?:assert|require)\.(?![fF]ail)\w+)!?\s*\(\s*(?:t\s*,\s*)?(?P<b>true|True|\d+|'[^']*'|\"[^\"]*\")\s*"
    r"(?:,\s*(?P=b)\s*)?(?:,\s*['\"][^'\"\n]*['\"]\s*)?\)"
    r"|\bassert\s+true\b|(?:assert_eq!|assertEquals|Assert\.AreEqual|Assert\.Equal)\s*\(\s*(?P<c>[\w.]+)\s*,\s*(?P=c)\s*\)"
)
_ESCAPES = re.compile(
    r"(?m)^\s*return\s*;?\s*$|\bcatch\b|\brescue\b|\bif\s*\(?\s*(?:false|0)\b|\brecover\s*\("
)


def is_test_file(path: str) -> bool:
    """Whether a path is a test by its name, or code in a folder of tests."""
    is_code = PurePosixPath(path).suffix.lower() in _CODE
    return is_code and (is_named_as_test(path) or lies_in_tests(path))


def is_named_as_test(path: str) -> bool:
    """Whether the file's own name says that it holds tests."""
    return bool(_NAMES.fullmatch(PurePosixPath(path).name))


def lies_in_tests(path: str) -> bool:
    """Whether a folder above it is one of tests."""
    return any(folder.lower() in _FOLDERS for folder in PurePosixPath(path).parts[:-1])


def read_cases(path: str, text: str) -> Cases:
    """The test cases of a file. Code that holds none, or is not known, has none."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".py":
        return read_python(text)
    if suffix not in _CODE or not text:
        return Cases()
    return _read(text, suffix)


def _read(text: str, suffix: str) -> Cases:
    language = _LANGUAGES.get(suffix, _OTHER)
    plain = _without_comments(text, suffix)
    truisms = len(_TRUISM.findall(plain))
    skips = len(re.findall(language.skip, plain))
    if suffix == ".rs" and "#[" not in plain:
        return Cases()
    return Cases(cases=merge(_slices(plain, language)), skips=skips, truisms=truisms)


def _slices(plain: str, language: _Language) -> Iterator[Case]:
    starts = list(re.finditer(language.start, plain))
    ends = [*(match.start() for match in starts[1:]), len(plain)]
    for match, end in zip(starts, ends, strict=False):
        body = plain[match.start() : end]
        names = match.groupdict()
        name = next((names[n] for n in ("name", "name2", "name3") if names.get(n)), "")
        counted = _TRUISM.sub(" ", body)
        total = len(re.findall(language.assertion, counted))
        weak = min(total, len(re.findall(language.weak, counted)))
        yield Case(
            name=" ".join(name.split()),
            body=body,
            assertions=total,
            strong=total - weak,
            escapes=len(_ESCAPES.findall(body)),
        )


def _without_comments(text: str, suffix: str) -> str:
    pattern = _HASHED if suffix in _HASH_COMMENTS else _SLASHED
    return pattern.sub(lambda match: match[1] or " ", text)
