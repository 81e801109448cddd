import pytest

from autofix.change.checks import Kind, is_test, read_tests
from autofix.models import CommandRun


@pytest.mark.parametrize(
    "command",
    [
        "pytest", "cd api && python3 -m pytest -q tests/", "python -m unittest discover",
        ".venv/bin/pytest -x", "npm test", "npm run test:unit", "yarn test", "pnpm -r test", "bun test",
        "npx jest --ci", "npx vitest run", "node --test", "node --import tsx --test test/*.js",
        "go test ./...", "cargo test --all", "cargo nextest run", "mvn -q verify", "./gradlew :api:test",
        "bundle exec rspec", "bin/rails test", "make -C api test", "python manage.py test app",
        "sh -c 'cd x && pytest'", "dotnet test", "tox -e py311", "cd x; phpunit",
    ],
)  # fmt: skip
def test_commands_that_run_tests_are_known(command):
    """By the runner, wherever it stands."""
    assert is_test(command)


@pytest.mark.parametrize(
    "command",
    [
        "cat tests/test_app.py", "ls tests", "git commit -m 'Run pytest in CI'", "pip install pytest",
        "grep -rn unittest .", "git add test_app.py", "which pytest", "echo 'npm test'", "test -f app.py",
        "npm run build", "make build", "python3 app.py", "npm install", "sed -n 1,40p test/latest.js",
    ],
)  # fmt: skip
def test_commands_that_only_name_tests_are_none(command):
    """Reading, installing and talking about tests runs none."""
    assert not is_test(command)


@pytest.mark.parametrize(
    ("runs", "kind"),
    [
        ([], Kind.none),
        ([("ls", 0)], Kind.none),
        ([("pytest", 127), ("python3 -m pytest", 126)], Kind.impossible),
        ([("pytest", 1), ("pytest", 0)], Kind.passed),
        ([("pytest", 0), ("pytest -x", 1)], Kind.failed),
        ([("pytest", 0), ("pytest | tail -5", 0)], Kind.passed),
        ([("pytest | tail -5", 0)], Kind.untold),
        ([("pytest || true", 0)], Kind.untold),
        ([("pytest; echo $?", 0)], Kind.untold),
        ([("pytest", None)], Kind.untold),
        ([("pytest 2>&1", 1)], Kind.failed),
        ([("pytest && git commit -qm 'a; b'", 0)], Kind.passed),
        ([("go test ./...", 127), ("make test", 2)], Kind.failed),
    ],
)
def test_what_the_exit_status_tells(runs, kind):
    """A pipe, a list or no status at all says nothing; the last run that tells decides."""
    commands = [CommandRun(command=command, exit_status=status) for command, status in runs]
    assert read_tests(commands).kind is kind
