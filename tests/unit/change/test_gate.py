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


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("other/app.py", "root"),
        ("svc2/app.py", "root"),
        ("svc/.github/workflows/ci.yml", "protected"),
        ("svc/CODEOWNERS", "protected"),
        ("svc/.gitattributes", "protected"),
        ("svc/.GitModules", "protected"),
        ("svc/.husky/pre-commit", "protected"),
        ("svc/.npmrc", "protected"),
        ("svc/AGENTS.md", "protected"),
        ("svc/.opencode/plugin/x.js", "protected"),
        ("svc/evil\u202etxt.py", "path"),
    ],
)
def test_path_is_denied(repository, base, path, rule):
    """Paths outside the root and what a fix never touches are denied, and nothing else."""
    repository.commit({path: "x\n"})
    assert _rules(repository, base) == {(rule, path)}


def test_kinds_and_modes_are_denied(repository, base):
    """Symbolic links, new executables, mode changes, submodules and binaries are denied."""
    (repository.path / "svc/link").symlink_to("/etc/passwd")
    (repository.path / "svc/new.sh").write_text("x\n")
    (repository.path / "svc/new.sh").chmod(0o755)
    (repository.path / "svc/app.py").chmod(0o755)
    (repository.path / "svc/b.bin").write_bytes(b"\0\1")
    (repository.path / "svc/latin.txt").write_bytes(b"\xe9\n")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{base},svc/sub")
    repository.git("add", "svc/link", "svc/new.sh", "svc/app.py", "svc/b.bin", "svc/latin.txt")
    repository.git("commit", "-q", "-m", "x")
    assert _rules(repository, base) == {
        ("mode", "svc/link"), ("mode", "svc/new.sh"), ("mode", "svc/app.py"),
        ("mode", "svc/sub"), ("binary", "svc/b.bin"), ("binary", "svc/latin.txt"),
    }  # fmt: skip


def test_commit_in_between_is_judged_too(repository, base):
    """What a later commit takes back was still published."""
    repository.commit({".github/x.yml": "x\n", "svc/app.py": "a = 2\n"})
    repository.commit({".github/x.yml": None})
    assert ("protected", ".github/x.yml") in _rules(repository, base)


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


def test_history_has_to_be_a_line_from_base(repository, base):
    """A head beside base, a merge, and no commit at all are denied."""
    assert ("history", "") in _rules(repository, base)
    repository.git("checkout", "-q", "--orphan", "alone")
    repository.commit({"svc/app.py": "z\n"})
    assert _rules(repository, base) == {("error", "")}
    repository.git("checkout", "-q", "-f", "-b", "left", base)
    left = repository.commit({"svc/l.py": "l\n"})
    repository.git("checkout", "-q", "-b", "right", base)
    repository.commit({"svc/r.py": "r\n"})
    assert _rules(repository, left) == {("history", "")}
    repository.git("merge", "-q", "--no-ff", "-m", "m", "left")
    assert ("history", "") in _rules(repository, base)


def test_error_is_a_denial(tmp_path, repository, base):
    """What cannot be inspected is not published."""
    for head in ("0" * 40, "HEAD", "--all"):
        assert [d.rule for d in judge(repository.path, base, head, OPTIONS).denials] == ["error"]
    assert not judge(tmp_path, base, base, OPTIONS).allowed
