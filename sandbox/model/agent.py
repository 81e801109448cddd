"""The rehearsal model as coding agent: a script that reads, tests, edits, tests and commits.

A script is a generator: it yields a tool call and is given the tool's result. The endpoint keeps
no state; for each request the script is played again over the results in the conversation, so a
turn that was cut goes on where it stopped.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import PurePosixPath

from sandbox.model.recipes import RECIPES, Recipe
from sandbox.model.repairs import Companion, Repair, Source
from sandbox.model.wire import ChatRequest, Reply, ToolCall

Script = Generator[Reply, str, Reply]
TOOLS = frozenset({"bash", "edit", "read", "todowrite"})
SIGNATURE = "This was the rehearsal model (scripted), not a language model."
UNKNOWN = f"I do not know this fault: the plan names no cause I have a script for. {SIGNATURE}"
_FILES_READ = 6
# What OpenCode puts in place of a result that an abort or a dead server cut; the call is repeated.
_CUT = ("[Tool execution was interrupted]", "Tool execution aborted")
_LINE = re.compile(r"^(\d+): ?(.*)$")
_STEP = re.compile(r"^\d+[.)]\s+(.+)$")


@dataclass(frozen=True)
class Task:
    """What a prompt asks for."""

    clone: str
    folders: tuple[str, ...]
    steps: tuple[str, ...]
    plan: str
    """The prompt without the evidence it ends with."""


def answer_agent(request: ChatRequest) -> Reply:
    """The next step of the newest task in the conversation."""
    tasks = [i for i, m in enumerate(request.messages) if m.role == "user" and "Clone:" in m.text]
    if not tasks:
        return Reply(f"There is no task with a clone and fix steps here. {SIGNATURE}")
    newest = tasks[-1]
    script = work(request.messages[newest].text)
    results = [m.text for m in request.messages[newest + 1 :] if m.role == "tool"]
    try:
        reply = next(script)
        for result in results:
            if not result.startswith(_CUT):
                reply = script.send(result)
    except StopIteration as end:
        return end.value if isinstance(end.value, Reply) else Reply(SIGNATURE)
    return reply


def work(prompt: str) -> Script:
    """The whole turn for one prompt."""
    task = parse_task(prompt)
    if task is None:
        return Reply(f"The task lacks a clone or fix steps, so I change nothing. {SIGNATURE}")
    recipes = [recipe for recipe in RECIPES if recipe.is_named_in(task.plan)]
    if not recipes:
        return Reply(UNKNOWN)
    yield _todo(task, "in_progress", "pending", "I begin with the plan's steps as a todo list.")
    red = yield from _look_around(task)
    found = yield from _find_repairs(task, recipes)
    if not found:
        names = " or ".join(recipe.shape for recipe in recipes)
        return Reply(f"I read the code and did not find {names}, so I changed nothing. {SIGNATURE}")
    for place, repair in found:
        problem = yield from _apply(place, repair)
        if problem:
            return Reply(f"I stop: {problem}. Nothing is committed. {SIGNATURE}")
    still_red = yield from _run_tests(task)
    if still_red:
        return Reply(f"The tests fail after my change, so I did not commit it. {SIGNATURE}")
    committed = yield from _commit(task, [repair for _, repair in found])
    if not committed:
        return Reply(f"The tests pass, but git did not take the commit. {SIGNATURE}")
    yield _todo(task, "completed", "completed", "All steps are done.")
    return Reply(_closing([repair for _, repair in found], red))


def parse_task(prompt: str) -> Task | None:
    """Clone, folders and steps of a prompt; None when one is missing."""
    clone = re.search(r"^Clone: *`?([^`\n]+?)`? *$", prompt, re.MULTILINE)
    head, _, rest = prompt.partition("## Fix steps")
    folders = re.findall(r"^Service folder: *`?([^`\n]+?)`? *$", head, re.MULTILINE)
    section = rest.partition("\n## ")[0]
    steps = [m[1].strip() for m in map(_STEP.match, section.splitlines()) if m]
    if clone is None or not steps:
        return None
    # Logs below the plan are material; only the plan names causes.
    plan = prompt.partition("\n## Evidence")[0]
    return Task(clone[1], tuple(dict.fromkeys(folders)) or (".",), tuple(steps), plan)


def _todo(task: Task, first: str, rest: str, words: str) -> Reply:
    todos = [
        {
            "content": step,
            "status": rest if n else first,
            "priority": "high" if n == 0 else "medium",
        }
        for n, step in enumerate(task.steps)
    ]
    return Reply(words, ToolCall("todowrite", {"todos": todos}))


def _bash(words: str, command: str) -> Reply:
    return Reply(words, ToolCall("bash", {"command": command}))


def _look_around(task: Task) -> Generator[Reply, str, bool]:
    clone = shlex.quote(task.clone)
    yield _bash("First I look at the repository.", f"cd {clone} && git log --oneline -3 && ls -p")
    return (yield from _run_tests(task, "The tests as they are, before any change."))


def _run_tests(task: Task, words: str = "The tests again.") -> Generator[Reply, str, bool]:
    """Run each folder's tests; True when some are red. The status is printed as it is not shown."""
    red = False
    for folder in task.folders:
        where = shlex.quote(str(PurePosixPath(task.clone, folder)))
        # -B keeps byte code out of the commit.
        command = f'cd {where} && python3 -B -m unittest; s=$?; echo "exit=$s"; (exit $s)'
        result = yield _bash(words, command)
        red = red or "exit=0" not in result
    return red


def _find_repairs(
    task: Task, recipes: list[Recipe]
) -> Generator[Reply, str, list[tuple[PurePosixPath, Repair]]]:
    """Search each folder for the code shapes of the causes that the plan names."""
    found: list[tuple[PurePosixPath, Repair]] = []
    for folder in task.folders:
        root = PurePosixPath(task.clone, folder)
        for recipe in recipes:
            words = f"Where could {recipe.shape} be?"
            paths = yield from _search(root, "*.py", recipe.search, words)
            for path in paths:
                source = yield from _read(path)
                repair = recipe.repair(source, task.plan) if source else None
                if repair:
                    found.append((path, repair))
                    break
    return found


def _search(
    root: PurePosixPath, include: str, pattern: str, words: str
) -> Generator[Reply, str, list[PurePosixPath]]:
    """Files below a folder that hold a pattern, tests left out."""
    grep = f"grep -rlE --include={shlex.quote(include)} {shlex.quote(pattern)} ."
    result = yield _bash(words, f"cd {shlex.quote(str(root))} && {grep}")
    names = sorted(re.findall(r"^\./(\S+)$", result, re.MULTILINE))
    sources = [name for name in names if not PurePosixPath(name).name.startswith("test_")]
    return [root / name for name in sources[:_FILES_READ]]


def _read(path: PurePosixPath) -> Generator[Reply, str, Source | None]:
    """A file as the read tool shows it; None when it is absent or not shown whole."""
    result = yield Reply(f"I read {path.name}.", ToolCall("read", {"filePath": str(path)}))
    shown = result.partition("<content>")[2].partition("</content>")[0]
    if "(End of file" not in shown:
        return None
    lines = [match[2] for match in map(_LINE.match, shown.splitlines()) if match]
    return Source(path.stem, "\n".join(lines) + "\n")


def _apply(path: PurePosixPath, repair: Repair) -> Generator[Reply, str, str]:
    """Edit the source and add the regression test; the problem, or an empty string."""
    for old, new in repair.edits:
        problem = yield from _edit(path, old, new, f"I change {path.name}: {repair.summary}.")
        if problem:
            return problem
    for companion in repair.companions:
        problem = yield from _apply_companion(path.parent, companion)
        if problem:
            return problem
    test_path = path.with_name(f"test_{path.name}")
    tests = yield from _read(test_path)
    if tests is None:
        return f"I could not read {test_path.name}"
    edits = repair.extend_tests(tests)
    for old, new in edits:
        problem = yield from _edit(test_path, old, new, "A regression test for it.")
        if problem:
            return problem
    return "" if edits else f"I do not see how {test_path.name} could test it"


def _apply_companion(folder: PurePosixPath, companion: Companion) -> Generator[Reply, str, str]:
    words = f"{companion.summary}: is there a file for it?"
    paths = yield from _search(folder, companion.include, companion.search, words)
    for path in paths:
        source = yield from _read(path)
        edit = companion.extend(source.text) if source else None
        if edit:
            return (yield from _edit(path, *edit, f"{companion.summary} in {path.name}."))
    return ""


def _edit(path: PurePosixPath, old: str, new: str, words: str) -> Generator[Reply, str, str]:
    arguments = {"filePath": str(path), "oldString": old, "newString": new}
    result = yield Reply(words, ToolCall("edit", arguments))
    if "successfully" in result:
        return ""
    # A repeated edit is refused when the first one took effect before its result was cut.
    source = yield from _read(path)
    return "" if source and new in source.text else f"the edit of {path.name} was refused"


def _commit(task: Task, repairs: list[Repair]) -> Generator[Reply, str, bool]:
    clone = shlex.quote(task.clone)
    title = repairs[0].title if len(repairs) == 1 else "Repair the causes named in the plan"
    body = "\n".join(f"{repair.summary}." for repair in repairs)
    message = f"-m {shlex.quote(title)} -m {shlex.quote(body)}"
    # Nothing staged means that the commit was made before its result was cut.
    command = (
        f"cd {clone} && git add -A && (git diff --cached --quiet || git commit -q {message})"
        ' && git log --oneline -1; s=$?; echo "exit=$s"; (exit $s)'
    )
    result = yield _bash("The tests pass; I commit.", command)
    return "exit=0" in result


def _closing(repairs: list[Repair], red_before: bool) -> str:
    done = " ".join(f"{repair.summary}, with a regression test." for repair in repairs)
    before = "were already failing" if red_before else "passed"
    return f"{done} The tests {before} before the change and pass after it. {SIGNATURE}"
