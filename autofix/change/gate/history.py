"""The line of commits from base to head: whole objects, one parent each, readable messages.

Who is named as author and what a message says decides nothing, because what is published is one
commit of ours with the judged tree. It has to be plain all the same: people read it on denial.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from autofix.change.gate.edits import denial
from autofix.change.gate.objects import Objects
from autofix.change.gate.unicode import find_hidden
from autofix.models import Denial

_MODES = {b"40000", b"100644", b"100755", b"120000", b"160000"}
_HEADERS = {"tree", "parent", "author", "committer", "encoding", "gpgsig", "gpgsig-sha256"}
_IDENTITY = re.compile(r"[^<>\n\0]*<[^<>\n\0]*> \d{1,12} [+-]\d{4}")
_MOST_OBJECTS = 20_000
_BYTES = {"commit": 100_000, "tree": 8_000_000, "blob": 20_000_000}
_DOTS = {b"", b".", b".."}


class Commit(NamedTuple):
    """A commit as it is stored."""

    id: str
    tree: str
    parents: tuple[str, ...]
    message: str
    """Headers that hold a person's words, and the message itself."""
    oddities: tuple[str, ...]


def judge_objects(objects: Objects, ids: Sequence[str]) -> Iterator[Denial]:
    """Trees and commits have to be stored as git itself would write them."""
    if len(ids) > _MOST_OBJECTS:
        yield denial("size", "", f"The commits bring {len(ids)} objects, too many to inspect.")
        return
    stored = objects.describe(ids)
    for item in stored:
        if item.size > _BYTES.get(item.kind, 0):
            reason = f"A {item.kind} of {item.size} bytes is too big to inspect."
            yield denial("size", "", reason)
            return
    trees = [item.id for item in stored if item.kind == "tree"]
    for id_, content in objects.read(trees).items():
        problem = _tree_problem(content, len(id_) // 2)
        if problem:
            yield denial("error", "", f"Tree {id_[:12]} is malformed: {problem}.")


def _tree_problem(content: bytes, hash_bytes: int) -> str | None:
    position, names, order = 0, set(), b""
    while position < len(content):
        space = content.find(b" ", position)
        end = content.find(b"\0", space)
        if space < 0 or end < 0:
            return "it is cut"
        mode, name = content[position:space], content[space + 1 : end]
        position = end + 1 + hash_bytes
        key = name + b"/" if mode == b"40000" else name
        if mode not in _MODES:
            return "an entry has a mode that git does not write"
        if name in _DOTS or b"/" in name:
            return "an entry's name is a path"
        if name in names:
            return "two entries have the same name"
        if key <= order:
            return "its entries are not sorted"
        names.add(name)
        order = key
    return None if position == len(content) else "it is cut"


def read_commits(objects: Objects, ids: Sequence[str]) -> list[Commit]:
    """The commits with these ids, in this order."""
    contents = objects.read(ids)
    return [_parse(id_, contents[id_]) for id_ in ids]


def _parse(id_: str, content: bytes) -> Commit:
    head, _, body = content.partition(b"\n\n")
    oddities, fields = [], list[tuple[str, str]]()
    try:
        text, message = head.decode(), body.decode()
    except UnicodeDecodeError:
        text, message = head.decode(errors="replace"), body.decode(errors="replace")
        oddities.append("is not UTF-8")
    for line in text.split("\n"):
        if not line.startswith(" "):  # else it continues a signature
            name, _, value = line.partition(" ")
            fields.append((name, value))
    names = [name for name, _ in fields]
    if not set(names) <= _HEADERS or any(names.count(n) != 1 for n in ("tree", "author")):
        oddities.append("has headers that git does not write")
    values = dict(fields)
    if values.get("encoding", "utf-8").lower() != "utf-8":
        oddities.append("names an encoding other than UTF-8")
    people = [value for name, value in fields if name in {"author", "committer"}]
    if not all(_IDENTITY.fullmatch(person) for person in people):
        oddities.append("names its author in a malformed way")
    said = "\n".join([*people, message.replace("\r\n", "\n")])
    if (hidden := find_hidden(said)) or "\0" in said:
        oddities.append(f"holds characters that hide or mislead ({hidden or 'NUL'})")
    parents = tuple(value for name, value in fields if name == "parent")
    return Commit(id_, values.get("tree", ""), parents, said, tuple(oddities))


def judge_history(commits: Sequence[Commit], base: str) -> Iterator[Denial]:
    """One line of commits from base, each of which changes something and can be read."""
    expected = base
    for commit in commits:
        if len(commit.parents) != 1:
            reason = f"Commit {commit.id[:12]} has {len(commit.parents)} parents, not one."
            yield denial("history", "", reason)
        elif commit.parents[0] != expected:
            yield denial("history", "", f"Commit {commit.id[:12]} does not follow the one before.")
        for oddity in commit.oddities:
            yield denial("message", "", f"Commit {commit.id[:12]} {oddity}.")
        expected = commit.id
