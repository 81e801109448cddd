"""Which files of a repository are worth reading."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from autofix.investigate.code.forge import FILE_BYTES
from autofix.investigate.code.functions import CODE_ENDINGS, ending
from autofix.investigate.routes import ID
from autofix.investigate.traces import Frame

_NOT_OURS = re.compile(
    r"(?:^|/)(?:node_modules|vendor|third_party|dist|build|out|target|\.next|\.nuxt|coverage|site-packages"
    r"|\.venv|venv|__pycache__|\.git|\.github|migrations|static|public|assets|generated|gen)/"
    r"|\.min\.\w+$|\.d\.ts$|_pb2?\.(?:py|go)$|\.pb\.go$|\.generated\.",
    re.IGNORECASE,
)
_TEST = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__|__mocks__|e2e|fixtures|examples?)/|(?:^|/)(?:test_|conftest)"
    r"|[._-](?:test|spec|e2e)\.\w+$|_test\.\w+$|_spec\.rb$",
    re.IGNORECASE,
)
_ENTRY = re.compile(
    r"(?:^|/)(?:app|main|server|index|routes?|router|urls|views?|api|handlers?|controllers?|wsgi|asgi|web"
    r"|application|config/routes)\.\w+$",
    re.IGNORECASE,
)
_DATA = re.compile(
    r"(?:db|database|models?|repositor|quer|store|dao|service|client)", re.IGNORECASE
)
_BUILT = (("dist/", "src/"), ("build/", "src/"), ("dist/", ""), ("build/", ""), ("lib/", "src/"))
_SOURCE_ENDINGS = {"js": ("ts", "tsx", "jsx", "mts"), "mjs": ("mts", "ts"), "cjs": ("cts", "ts")}


def code_files(sizes: Mapping[str, int], root: str) -> list[str]:
    """Code of the service's own folder, without tests and what was generated."""
    return [
        path
        for path, size in sizes.items()
        if is_below(path, root)
        and ending(path) in CODE_ENDINGS
        and 0 < size <= FILE_BYTES
        and not _NOT_OURS.search(path)
        and not _TEST.search(path)
    ]


def is_below(path: str, root: str) -> bool:
    """Whether a file lies in the service's folder; the empty one stands for all of it."""
    return not root or path.startswith(f"{root}/")


def rank_files(paths: Iterable[str], routes: Iterable[str], sizes: Mapping[str, int]) -> list[str]:
    """The files in which the handlers of these routes most likely are come first."""
    words = {_stem(part) for route in routes for part in route.split("/") if part and part != ID}
    words = {word for word in words if len(word) > 2}  # noqa: PLR2004 - `v1`, `id`

    def score(path: str) -> float:
        name = path.lower()
        return (
            4.0 * sum(word in name for word in words)
            + 3.0 * bool(_ENTRY.search(path))
            + 1.0 * bool(_DATA.search(path.rpartition("/")[2]))
            - 0.3 * path.count("/")
            - sizes.get(path, 0) / FILE_BYTES
        )

    return sorted(paths, key=lambda path: (-score(path), path))


def locate(frame: Frame, paths: Iterable[str]) -> str | None:
    """The repository's file a frame of a stack trace is in; None when that is not certain."""
    wanted = _wanted(frame)
    best: dict[int, list[str]] = {}
    for path in paths:
        for parts in wanted:
            if (same := _same_tail(parts, path.split("/"))) > 0:
                best.setdefault(same, []).append(path)
    if not best:
        return None
    found = list(dict.fromkeys(best[max(best)]))
    return found[0] if len(found) == 1 else None


def _wanted(frame: Frame) -> list[list[str]]:
    """Paths the frame may mean, each in parts."""
    path = frame.path.removeprefix("webpack://").removeprefix("./").lstrip("/")
    if "/" not in path and ending(path) in {"java", "kt", "scala", "groovy"}:
        package = frame.function.replace("$", ".").split(".")[:-2]
        return [[*package, path], [path]]
    names = [path]
    for built, source in _BUILT:
        if built in path:
            names += [
                f"{path.replace(built, source, 1).rpartition('.')[0]}.{kind}"
                for kind in _SOURCE_ENDINGS.get(ending(path), ())
            ]
    return [name.split("/") for name in names]


def _same_tail(one: list[str], other: list[str]) -> int:
    """How many parts from the end are equal; zero when the file's name is not."""
    same = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        same += 1
    return same


def _stem(word: str) -> str:
    """A word without its plural's ending."""
    word = word.lower()
    return word[:-1] if word.endswith("s") and len(word) > 3 else word  # noqa: PLR2004
