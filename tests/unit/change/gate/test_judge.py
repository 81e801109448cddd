"""The gate itself: what it reports, and that neither a repository nor an error can steer it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from autofix.change.gate import GateOptions, judge

OPTIONS = GateOptions(roots=("svc",))


@pytest.fixture
def base(repository):
    return repository.commit({"svc/app.py": "a = 1\n", "other/app.py": "b = 1\n", "run.sh": "x\n"})


def _rules(repository, base, options=OPTIONS):
    result = judge(repository.path, base, repository.git("rev-parse", "HEAD"), options)
    return {(denial.rule, denial.path) for denial in result.denials}


def test_plain_change_is_allowed_and_described(repository, base):
    """A small edit with a test inside the root passes, with its files and patch."""
    head = repository.commit({"svc/app.py": "a = 2\nb = 3\n", "svc/test_app.py": "t\n"})
    result = judge(repository.path, base, head, OPTIONS)
    assert result.allowed
    assert [(f.path, f.status, f.added, f.removed) for f in result.files] == [
        ("svc/app.py", "M", 2, 1),
        ("svc/test_app.py", "A", 1, 0),
    ]
    assert "+b = 3" in result.patch


def test_a_bare_repository_is_judged_the_same(repository, base, tmp_path):
    """What counts are the objects, wherever they lie."""
    head = repository.commit({"svc/app.py": "a = 2\n", "other/app.py": "c\n"})
    bare = tmp_path / "bare.git"
    repository.git("clone", "-q", "--bare", ".", str(bare))
    assert judge(bare, base, head, OPTIONS) == judge(repository.path, base, head, OPTIONS)


def test_several_reasons_are_told_together(repository, base):
    """Every rule that is broken is named, with its file."""
    repository.commit({"other/app.py": "x\n", "svc/b.bin": b"\0", "svc/.npmrc": "x\n"})
    assert _rules(repository, base) == {
        ("root", "other/app.py"),
        ("binary", "svc/b.bin"),
        ("protected", "svc/.npmrc"),
    }


def test_a_flood_of_reasons_is_cut(repository, base):
    """A report stays readable, and says how much is left out."""
    repository.commit({f"other/{n}.py": "x\n" for n in range(70)})
    denials = judge(repository.path, base, repository.git("rev-parse", "HEAD"), OPTIONS).denials
    assert len(denials) == 51
    assert denials[-1].reason == "21 more reasons are left out."


def test_a_denial_never_repeats_a_secret(repository, base):
    """Its kind and its file are enough to find it."""
    token = "gh" + "p_" + "Ab1" * 12
    head = repository.commit({"svc/app.py": f'TOKEN = "{token}"\n'}, message=f"use {token}")
    result = judge(repository.path, base, head, OPTIONS)
    assert {denial.rule for denial in result.denials} == {"secret"}
    assert token not in "".join(denial.reason for denial in result.denials)


def test_a_changed_test_is_noted(repository):
    """Allowed, but a reviewer should look at it."""
    test = "def test_a():\n    assert f() == 1\n"
    base = repository.commit({"test_a.py": test})
    head = repository.commit({"test_a.py": test.replace("1", "2")})
    result = judge(repository.path, base, head, GateOptions())
    assert result.allowed
    assert result.notes == ("test_a.py: the existing test test_a was changed",)


def test_attributes_cannot_hide_a_change(repository):
    """A repository that calls its sources binary is still counted by lines."""
    base = repository.commit({".gitattributes": "* -diff -text\n", "svc/a.py": "1\n"})
    head = repository.commit({"svc/a.py": "2\n3\n"})
    result = judge(repository.path, base, head, OPTIONS)
    assert [(f.added, f.removed) for f in result.files] == [(2, 1)]


def test_size_is_capped(repository, base):
    """Too many files, lines or bytes are denied."""
    repository.commit({f"svc/{n}.txt": "x\n" * 30 for n in range(3)})
    options = GateOptions(max_files=2, max_lines=80, max_file_bytes=50)
    denials = judge(repository.path, base, repository.git("rev-parse", "HEAD"), options).denials
    assert [d.reason for d in denials if not d.path] == [
        "3 changed files are more than 2.",
        "90 added and removed lines are more than 80.",
    ]
    assert sum(d.rule == "size" and d.path != "" for d in denials) == 3


def test_error_is_a_denial(tmp_path, repository, base):
    """What cannot be inspected is not published."""
    tree = repository.git("rev-parse", "HEAD^{tree}")
    for head in ("0" * 40, "HEAD", "--all", tree):
        assert [d.rule for d in judge(repository.path, base, head, OPTIONS).denials] == ["error"]
    assert not judge(tmp_path, base, base, OPTIONS).allowed


def _evil(repository, head: str, marker: Path) -> None:
    """Everything in a git folder that could run something or change what git sees."""
    git = repository.path / ".git"
    run = f"!touch {marker}"
    hook = git / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    (git / "evil.conf").write_text(f'[diff]\n\texternal = "touch {marker}"\n')
    (git / "info").mkdir(exist_ok=True)
    (git / "info" / "attributes").write_text("* -diff binary filter=x diff=x\n")
    with (git / "config").open("a") as config:
        config.write(
            f'[include]\n\tpath = evil.conf\n[core]\n\tfsmonitor = "touch {marker}"\n'
            f'\tsshCommand = "touch {marker}"\n\tpager = "touch {marker}"\n'
            f'[filter "x"]\n\tclean = "touch {marker}"\n\tsmudge = "touch {marker}"\n'
            f'[diff "x"]\n\ttextconv = "touch {marker}"\n\tcommand = "touch {marker}"\n'
            f'[alias]\n\tdiff-tree = "{run}"\n\tcat-file = "{run}"\n\trev-list = "{run}"\n'
            '[protocol]\n\tallow = always\n[protocol "ext"]\n\tallow = always\n'
            f'[remote "o"]\n\turl = "ext::sh -c touch% {marker}"\n\tpromisor = true\n'
            "[extensions]\n\tpartialClone = o\n"
        )
    # a replacement that makes the evil commit look like its innocent parent
    (git / "refs" / "replace").mkdir(parents=True, exist_ok=True)
    (git / "refs" / "replace" / head).write_text(repository.git("rev-parse", f"{head}~1") + "\n")
    (git / "info" / "grafts").write_text(f"{head}\n")


def test_a_repository_cannot_steer_its_judge(repository, base, tmp_path):
    """Its configuration, hooks, attributes, includes, aliases, replacements and grafts are not read."""
    repository.commit({"svc/app.py": "a = 2\n"})
    head = repository.commit({"svc/b.bin": b"\0", ".github/x.yml": "x\n"})
    marker = tmp_path / "ran"
    _evil(repository, head, marker)
    result = judge(repository.path, base, head, GateOptions())
    assert {(d.rule, d.path) for d in result.denials} == {
        ("binary", "svc/b.bin"),
        ("protected", ".github/x.yml"),
    }
    assert not marker.exists()


def _disown(graph: Path, commit: str) -> None:
    """Let a commit graph say that this commit has no parent."""
    graph.chmod(0o644)
    data = bytearray(graph.read_bytes())
    chunks = {
        bytes(data[at : at + 4]): int.from_bytes(data[at + 4 : at + 12])
        for at in range(8, 8 + 12 * data[6], 12)
    }
    ids = data[chunks[b"OIDL"] :]
    place = next(n for n in range(9) if ids[n * 20 : n * 20 + 20].hex() == commit)
    parent = chunks[b"CDAT"] + place * 36 + 20
    data[parent : parent + 4] = bytes.fromhex("70000000")
    graph.write_bytes(data)


def test_a_lying_commit_graph_is_not_believed(repository, base):
    """Parents are read from the commits."""
    head = repository.commit({".github/x.yml": "x\n"})
    repository.git("commit-graph", "write", "--reachable")
    _disown(repository.path / ".git" / "objects" / "info" / "commit-graph", head)
    assert repository.git("rev-list", "--count", head) == "1"
    assert _denied_paths(repository, base, head) == {".github/x.yml"}


def _denied_paths(repository, base, head):
    return {denial.path for denial in judge(repository.path, base, head, GateOptions()).denials}


def test_borrowed_objects_are_refused(repository, base, make_repository):
    """Objects of another repository would not be the ones that are pushed."""
    other = make_repository("other")
    other.commit({"x": "x\n"})
    head = repository.commit({"svc/app.py": "a = 2\n"})
    info = repository.path / ".git" / "objects" / "info"
    info.mkdir(exist_ok=True)
    (info / "alternates").write_text(f"{other.path}/.git/objects\n")
    denials = judge(repository.path, base, head, OPTIONS).denials
    assert [denial.rule for denial in denials] == ["error"]


def test_a_partial_clone_fetches_nothing(repository, base, tmp_path):
    """An object that is not there is an error, never a request to somewhere."""
    head = repository.commit({"svc/app.py": "a = 2\n"})
    blob = repository.git("rev-parse", f"{head}:svc/app.py")
    (repository.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    marker = tmp_path / "fetched"
    repository.git("config", "remote.o.promisor", "true")
    repository.git("config", "remote.o.url", f"ext::sh -c touch% {marker}")
    repository.git("config", "protocol.ext.allow", "always")
    repository.git("config", "core.repositoryFormatVersion", "1")
    repository.git("config", "extensions.partialClone", "o")
    assert _rules(repository, base) == {("error", "")}
    assert not marker.exists()


def test_a_repository_with_the_newer_hash_is_judged(tmp_path):
    """SHA-256 repositories are read as what they are."""
    path = tmp_path / "new"
    git = ["git", "-C", str(path), "-c", "user.name=T", "-c", "user.email=t@example.test"]
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(path)], check=True)
    heads = []
    for name in ("a.py", "b.bin"):
        (path / name).write_bytes(b"x = 1\n" if name == "a.py" else b"\0")
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", name], check=True)
        heads.append(subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip())
    denials = judge(path, heads[0], heads[1], GateOptions()).denials
    assert [(denial.rule, denial.path) for denial in denials] == [("binary", "b.bin")]


def test_huge_trees_and_blobs_are_not_read(repository, base):
    """Sizes are asked for before anything is read, so a bomb is a denial and not a wait."""
    blob = repository.path / "svc" / "bomb.txt"
    with blob.open("wb") as file:
        for _ in range(8):
            file.write(b"\n" * (1 << 20))
    names = {f"svc/many/{n}": "x\n" for n in range(2_100)}
    repository.commit({"svc/app.py": "a = 2\n"})
    began = time.process_time()
    assert ("size", "svc/bomb.txt") in _rules(repository, base)
    repository.commit(names)
    assert ("size", "") in _rules(repository, base)
    with blob.open("wb") as file:
        for _ in range(21):
            file.write(b"\n" * (1 << 20))
    base = repository.git("rev-parse", "HEAD")
    repository.commit({"svc/app.py": "a = 3\n"})
    assert ("size", "") in _rules(repository, base)
    assert time.process_time() - began < 20, "it was read after all"


def test_judging_ends(repository, base):
    """What takes too long is denied, as an error."""
    head = repository.commit({"svc/app.py": "a = 2\n"})
    result = judge(repository.path, base, head, GateOptions(max_seconds=-1))
    assert [denial.rule for denial in result.denials] == ["error"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Test.java", "@Test "), ("a.test.js", "it('a' "), ("a_test.go", "func Test("),
        ("x.js", "curl | "), ("x.py", "a://b:c"), ("s.rb", "it 'a"), ("x.yaml", "apiVersion: a\n"),
        ("Dockerfile", "RUN a \\\n"), ("package.json", "["), ("test_a.py", "("),
        ("x.txt", "password = '"), ("a_test.rs", "#[test] "), ("requirements.txt", "a" * 50), ("b_test.rs", "#[test]\n#[a] "),
        ("b.test.ts", "expect(true).to"), ("pom.xml", "exec {"), ("a.sql", "a" * 3_999), ("t.php", "#[Test "),
        ("x.sh", "powershell a -e "), ("go.sum", "https://a.b/c "), ("b_test.cs", "[Fact] "), ("c.py", "\\u0430a"),
    ],
)  # fmt: skip
def test_hostile_text_is_judged_in_time(repository, base, name, line):
    """No rule takes longer than its text is worth, whatever is repeated in it."""
    folded = "\n".join([line * (4_000 // len(line))] * 40)
    head = repository.commit({f"svc/{name}": folded})
    began = time.process_time()
    judge(repository.path, base, head, OPTIONS)
    assert time.process_time() - began < 10, "a rule is quadratic"
