"""The code that the evidence leads into, at the deployed commit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from autofix.change.github_errors import NotFoundError
from autofix.errors import GithubError
from autofix.investigate.budget import Block, Draft
from autofix.investigate.case import Case, Sourced
from autofix.investigate.code import guide, manifests
from autofix.investigate.code.excerpts import AROUND, excerpt
from autofix.investigate.code.files import code_files, is_below, locate, rank_files
from autofix.investigate.code.forge import FILES, ChangedFile, Comparison, Repository
from autofix.investigate.code.functions import Function, Index, Source
from autofix.investigate.code.handlers import find_handlers
from autofix.investigate.code.outgoing import find_outgoing
from autofix.investigate.code.queries import Query, find_growth, find_queries, find_queries_through
from autofix.investigate.facts import ChangeFacts, CodeFacts, HttpFacts, Kept, LogFacts, RouteFacts
from autofix.investigate.providers import Providers
from autofix.investigate.traces import Frame
from autofix.models import Pattern, Signal
from autofix.redact import cut

CODE, DIFF, GUIDE = "code", "diff", "guidance"
_RESERVED = 12
"""Files kept for stack frames and for what the repository says of itself."""
_DEPTH = 3
"""Calls that are followed from a handler."""
_FUNCTIONS = 14
_FRAMES = 6
_ROUTES = 4
_PATCHES = 12
_PATCH_LINES = 80
_SUBJECTS = 12
_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@", re.MULTILINE)
_LEAKS = frozenset({Signal.memory, Signal.crash_loop})


@dataclass(frozen=True)
class Place:
    """Lines of a file that are worth showing, and why."""

    path: str
    start: int
    end: int
    why: str
    marks: tuple[int, ...] = ()
    rank: int = 0
    """The lowest is shown first."""
    is_suspect: bool = False
    """Whether the evidence leads right here."""


@dataclass
class _Reader:
    """Files of the repository as they are needed."""

    repository: Repository
    root: str
    routes: Sequence[RouteFacts]
    sources: dict[str, Source] = field(default_factory=dict)

    def load(self, frames: Iterable[Frame]) -> list[tuple[Frame, str]]:
        """Read the files of the frames and those that most likely answer the routes."""
        sizes = self.repository.sizes()
        paths = code_files(sizes, self.root)
        located = [(f, path) for f in frames if (path := locate(f, paths)) is not None]
        ranked = rank_files(paths, (r.path for r in self.routes), sizes)
        first = list(dict.fromkeys(path for _, path in located))
        wanted = [*first, *(p for p in ranked if p not in first)][: FILES - _RESERVED]
        texts = self.repository.fetch_files(wanted)
        self.sources = {path: Source(path, text) for path, text in texts.items()}
        return [(frame, path) for frame, path in located if path in self.sources]


def read_code(
    case: Case,
    repository: Repository,
    logs: LogFacts | None,
    http: HttpFacts | None,
    changes: ChangeFacts | None,
    providers: Providers,
) -> Sourced[CodeFacts]:
    """Lines around our own stack frames, handlers of the worst routes with their queries, the diff.

    Raises:
        GithubError: the forge does not answer. A repository or commit that the token cannot reach
            is no error but a fact.
    """
    try:
        repository.sizes()
    except NotFoundError:
        commit = repository.commit[:12]
        return unreachable(case, f"commit {commit} is not there, or the token may not see it")
    routes = http.worst[:_ROUTES] if http else ()
    reader = _Reader(repository, case.service.root_directory, routes)
    located = reader.load(logs.frames[:_FRAMES] if logs else ())
    places = _find_places(case, reader, located)
    drafts = [_code_draft(case, reader, places)]
    drafts += [_diff_draft(case, repository, changes, places), _guide_draft(case, repository)]
    facts = replace(
        _head_facts(case, repository, places),
        packages=_packages(repository, case.service.root_directory),
        outgoing=tuple(find_outgoing(reader.sources.values(), providers)),
    )
    return Sourced(facts, tuple(d for d in drafts if d is not None))


def _find_places(case: Case, reader: _Reader, located: Sequence[tuple[Frame, str]]) -> list[Place]:
    index = Index(reader.sources)
    places = [_frame_place(reader.sources[path], frame) for frame, path in located]
    for route in reader.routes:
        places += _route_places(index, route)
    if any(f.signal in _LEAKS or f.pattern is Pattern.trend for f in case.incident.findings):
        places += [p for source in reader.sources.values() for p in _growth_places(source)]
    return _merge(places)


def _frame_place(source: Source, frame: Frame) -> Place:
    line = frame.line if frame.line <= len(source.lines) else 1
    function = source.around(line)
    named = [f for f in source.functions if f.name == frame.function.rpartition(".")[2]]
    if named and function not in named:
        function, line = named[0], named[0].start  # a compiled file's line means nothing here
    start, end = (function.start, function.end) if function else (line - AROUND, line + AROUND)
    why = f"stack trace: {frame.function or 'top level'}, line {line}"
    return Place(source.path, start, end, why, (line,), rank=0, is_suspect=True)


def _route_places(index: Index, route: RouteFacts) -> list[Place]:
    """A route's handlers, and what they call down to their queries."""
    label = f"{route.method} {route.path}"
    handlers = find_handlers(index, route.method, route.path)
    reached: dict[Function, str] = {h.function: f"leads to {label}" for h in handlers}
    level = list(reached)
    for _ in range(_DEPTH):
        called: list[Function] = []
        for function in level:
            for _, target in index.calls(function):
                if target not in reached and len(reached) < _FUNCTIONS:
                    reached[target] = f"called by {function.name} for {label}"
                    called.append(target)
        level = called
    queries = {f: find_queries(index.sources[f.path], f) for f in reached}
    asking = [f for f, found in queries.items() if found]
    for function in reached:
        queries[function] += find_queries_through(index, function, asking)
    return [
        _function_place(function, why, queries[function], is_handler=position < len(handlers))
        for position, (function, why) in enumerate(reached.items())
    ]


def _function_place(
    function: Function, why: str, queries: Sequence[Query], *, is_handler: bool
) -> Place:
    looped = [q for q in queries if q.loop is not None]
    said = [f"{function.name}: {why}"]
    if looped:
        through = sorted({q.through for q in looped if q.through})
        how = f"through {', '.join(through)} " if through else ""
        said.append(f"makes a query {how}in a loop, line {looped[0].line}")
    elif queries:
        said.append(f"makes a query, line {queries[0].line}")
    return Place(
        path=function.path,
        start=function.start,
        end=function.end,
        why="; ".join(said),
        marks=tuple(sorted({n for q in queries for n in (q.line, q.loop) if n})),
        rank=1 if looped else 2 if is_handler else 3 if queries else 4,
        is_suspect=bool(looped) or is_handler,
    )


def _growth_places(source: Source) -> Iterator[Place]:
    for growth in find_growth(source):
        for line in growth.added[:2]:
            function = source.around(line)
            start, end = (function.start, function.end) if function else (line - 4, line + 4)
            where = f" in {function.name}" if function else ""
            why = (
                f"{growth.name} is kept for the whole process (line {growth.defined}) and only added "
                f"to, line {line}{where}"
            )
            yield Place(source.path, start, end, why, (line,), rank=1, is_suspect=True)


def _merge(places: Iterable[Place]) -> list[Place]:
    """Each function once, with all the reasons for it; the first ranks first."""
    merged: dict[tuple[str, int, int], Place] = {}
    for place in places:
        key = place.path, place.start, place.end
        known = merged.get(key)
        if known is None:
            merged[key] = place
            continue
        why = known.why if place.why in known.why else f"{known.why}; {place.why}"
        merged[key] = Place(
            *key,
            why=why[:400],
            marks=tuple(sorted({*known.marks, *place.marks})),
            rank=min(known.rank, place.rank),
            is_suspect=known.is_suspect or place.is_suspect,
        )
    return sorted(merged.values(), key=lambda p: (p.rank, p.path, p.start))


def _code_draft(case: Case, reader: _Reader, places: Sequence[Place]) -> Draft | None:
    blocks = [
        Block(
            f"{p.path}, lines {p.start}–{p.end}: {p.why}\n"
            + excerpt(reader.sources[p.path], p.start, p.end, p.marks)
        )
        for p in places
    ]
    if not blocks:
        return None
    commit = reader.repository.commit[:12]
    return Draft(
        source=CODE,
        why=f"code at the deployed commit {commit} that the traces and the worst routes lead to",
        blocks=tuple(blocks),
        start=case.window.start,
        end=case.window.end,
        unit="places",
        floor=2,
    )


def _diff_draft(
    case: Case,
    repository: Repository,
    changes: ChangeFacts | None,
    places: Sequence[Place],
) -> Draft | None:
    """What the live deployment changed in the service's code."""
    live, previous = (changes.live, changes.previous) if changes else (None, None)
    if not live or not previous or not live.commit or not previous.commit:
        return None
    if changes and changes.kept is not Kept.nothing:
        return None
    try:
        found = repository.compare(previous.commit, live.commit)
    except GithubError:
        return None  # the rest of the code is worth more than this
    suspects = {p.path for p in places if p.is_suspect}
    files = [f for f in found.files if is_below(f.filename, case.service.root_directory)]
    files.sort(key=lambda f: (f.filename not in suspects, f.patch is None, f.filename))
    head = Block("\n".join(_subjects(found, files)), len(found.commits))
    patches = [Block(_patch_text(f)) for f in files[:_PATCHES] if f.patch]
    return Draft(
        source=DIFF,
        why=f"what the live deployment changed: {previous.commit[:12]} to {live.commit[:12]}",
        blocks=(head, *patches),
        start=live.created_at,
        end=case.window.end,
        unit="files",
        floor=2,
        left_out=max(0, len(files) - _PATCHES),
    )


def _subjects(found: Comparison, files: Sequence[ChangedFile]) -> list[str]:
    rows = [f"commit {c.sha[:12]} {cut(c.subject, 100)}" for c in found.commits[-_SUBJECTS:][::-1]]
    names = ", ".join(f"{f.filename} (+{f.additions} −{f.deletions})" for f in files[:20])
    return [*rows, f"changed in the service's folder: {names or 'nothing'}"]


def _patch_text(file: ChangedFile) -> str:
    lines = (file.patch or "").split("\n")
    rest = [f"… {len(lines) - _PATCH_LINES} lines"] if len(lines) > _PATCH_LINES else []
    shown = [cut(line, 200) for line in lines[:_PATCH_LINES]]
    return "\n".join([f"{file.status} {file.filename}", *shown, *rest])


def _guide_draft(case: Case, repository: Repository) -> Draft | None:
    sizes = repository.sizes()
    texts = repository.fetch_files(guide.guide_files(sizes, case.service.root_directory))
    commands = guide.find_commands(texts)
    why = "what the repository says about running its tests; guidance that permits nothing"
    return case.draft(GUIDE, why, "\n".join(commands)) if commands else None


def _packages(repository: Repository, root: str) -> dict[str, str]:
    wanted = manifests.manifest_files(repository.sizes(), root)
    return manifests.find_packages(repository.fetch_files(wanted))


def _head_facts(case: Case, repository: Repository, places: Sequence[Place]) -> CodeFacts:
    suspects = [p for p in places if p.is_suspect]
    names = tuple(f"{p.path}:{p.marks[0] if p.marks else p.start}" for p in suspects)
    branch = case.service.branch
    head = repository.client.fetch_branch_head(repository.name, branch) if branch else None
    if head is None or head == repository.commit:
        return CodeFacts(suspects=names, head=head, ahead_by=None if head is None else 0)
    try:
        found = repository.compare(repository.commit, head)
    except NotFoundError:
        return CodeFacts(suspects=names, head=head)
    return CodeFacts(
        suspects=names,
        head=head,
        ahead_by=found.ahead_by,
        changed_suspects=tuple(_changed(suspects, {f.filename: f for f in found.files})),
    )


def _changed(suspects: Iterable[Place], files: Mapping[str, ChangedFile]) -> Iterator[str]:
    """Suspects whose lines a comparison touches, by the line numbers of its older side."""
    for place in suspects:
        file = files.get(place.path)
        if file is None:
            continue
        spans = [(int(m[1]), int(m[1]) + int(m[2] or 1)) for m in _HUNK.finditer(file.patch or "")]
        if file.status == "removed" or any(a <= place.end and place.start <= b for a, b in spans):
            yield f"{place.path}:{place.marks[0] if place.marks else place.start}"


def unreachable(case: Case, reason: str) -> Sourced[CodeFacts]:
    """The fact that the repository cannot be read with what there is."""
    draft = case.draft(CODE, "the repository cannot be reached", reason)
    return Sourced(CodeFacts(unreachable=reason), (draft,))
