"""A repository as a stranger has it: a monorepo of small services, with tests, CI and containers.

Patches are applied to one repository on disk, each on a branch of its own from the same base.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autofix.change.gate import GateOptions

Files = Mapping[str, str | bytes | None]
Step = Files | Callable[["Work"], None]

APP = '''\
"""Invoices."""

from db import fetch_customer, fetch_invoice

CACHE: dict[int, str] = {}


def total(lines: list[int]) -> int:
    return sum(lines)


def render(number: int) -> str:
    invoice = fetch_invoice(number)
    customer = fetch_customer(invoice["customer_id"])
    CACHE[number] = f"{customer['name']}: {total(invoice['lines'])}"
    return CACHE[number]


def unused_helper() -> None:
    raise NotImplementedError
'''
TEST_APP = """\
import unittest

import app


class RenderTest(unittest.TestCase):
    def test_total_of_lines(self):
        self.assertEqual(app.total([1, 2, 3]), 6)
        self.assertEqual(app.total([]), 0)

    def test_known_customer(self):
        self.assertEqual(app.render(1), "Ada: 6")

    def test_unknown_invoice(self):
        with self.assertRaises(KeyError):
            app.render(999)


if __name__ == "__main__":
    unittest.main()
"""
TEST_ROUTES = """\
import pytest

from routes import answer


@pytest.mark.parametrize("path", ["/", "/health", "/invoices/1"])
def test_answers(path):
    assert answer(path).status == 200


def test_not_found():
    response = answer("/nowhere")
    assert response.status == 404
    assert response.body == "not found"
"""
CART = """\
export function price(items) {
  return items.reduce((sum, item) => sum + item.price, 0);
}

export async function load(id, client) {
  const rows = [];
  for (const item of await client.items(id)) {
    rows.push(await client.product(item.product));
  }
  return rows;
}
"""
CART_TEST = """\
import { load, price } from "./cart.js";

describe("cart", () => {
  it("adds prices", () => {
    expect(price([{ price: 2 }, { price: 3 }])).toBe(5);
  });

  it("loads products", async () => {
    const rows = await load(1, client);
    expect(rows).toHaveLength(2);
    expect(rows[0].name).toEqual("tea");
  });
});
"""
QUEUE = """\
package queue

// Depth says how many jobs wait.
func Depth(jobs []Job) int { return len(jobs) }
"""
QUEUE_TEST = """\
package queue

import "testing"

func TestDepth(t *testing.T) {
	if got := Depth([]Job{{}, {}}); got != 2 {
		t.Fatalf("got %d", got)
	}
}

func TestEmpty(t *testing.T) {
	if Depth(nil) != 0 {
		t.Error("not empty")
	}
}
"""
CART_SPEC = """\
require "cart"

RSpec.describe Cart do
  it "adds prices" do
    expect(Cart.new([2, 3]).price).to eq(5)
  end
end
"""
MAIL_TEST = """\
package mail;

import static org.junit.jupiter.api.Assertions.assertEquals;
import org.junit.jupiter.api.Test;

class MailTest {
    @Test
    void sendsOnce() {
        assertEquals(1, new Mail().send("a"));
    }
}
"""
PACKAGE = {
    "name": "web",
    "version": "1.4.0",
    "scripts": {"start": "node server.js", "test": "jest --ci", "build": "tsc -p ."},
    "dependencies": {"express": "^4.19.2"},
    "devDependencies": {"jest": "^29.7.0"},
    "jest": {"testEnvironment": "node"},
}
LOCK = {
    "name": "web",
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "web", "dependencies": {"express": "^4.19.2"}},
        "node_modules/express": {
            "version": "4.19.2",
            "resolved": "https://registry.npmjs.org/express/-/express-4.19.2.tgz",
            "integrity": "sha512-" + "A" * 86 + "==",
            "funding": {"url": "https://opencollective.com/express"},
        },
    },
}
DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG VERSION=3.11
FROM python:${VERSION}-slim AS build
WORKDIR /srv
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt

FROM python:3.11-slim
COPY --from=build /usr/local /usr/local
COPY . /srv
USER 10001
CMD ["gunicorn", "-w", "1", "app:app"]
"""
PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "billing"
version = "1.0"
dependencies = ["flask>=3", "psycopg[binary]>=3.1"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"""
COMPOSE = """\
services:
  web:
    image: node:22
    ports: ["3000:3000"]
"""
RAILWAY = """\
[build]
builder = "NIXPACKS"

[deploy]
startCommand = "gunicorn app:app"
healthcheckPath = "/health"
"""
BASE: dict[str, str | bytes | None] = {
    "README.md": "# Shop\n\nThree services.\n",
    ".gitignore": "node_modules/\n",
    ".gitattributes": "*.generated.py -diff\n*.sql text\n",
    ".github/workflows/ci.yml": "on: push\njobs: {}\n",
    ".github/CODEOWNERS": "* @acme/owners\n",
    "billing/app.py": APP,
    "billing/db.py": "def fetch_invoice(number):\n    return ROWS[number]\n",
    "billing/test_app.py": TEST_APP,
    "billing/tests/test_routes.py": TEST_ROUTES,
    "billing/tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef client():\n    return 1\n",
    "billing/big.generated.py": "ROWS = [\n" + "    1,\n" * 30 + "]\n",
    "billing/pytest.ini": "[pytest]\ntestpaths = tests\n",
    "billing/requirements.txt": "flask==3.0.3\npsycopg==3.2.1\n",
    "billing/pyproject.toml": PYPROJECT,
    "billing/Dockerfile": DOCKERFILE,
    "billing/railway.toml": RAILWAY,
    "billing/setup.py": "from setuptools import setup\n\nsetup(name='billing')\n",
    "billing/migrations/0001_init.sql": "CREATE TABLE invoices (id bigint PRIMARY KEY);\n",
    "billing/config.json": '{"pool": 5, "timeout": 30}\n',
    "billing/windows.txt": b"one\r\ntwo\r\nthree\r\n",
    "billing/texts/de.json": '{"greeting": "Grüße"}\n',
    "billing/settings.py": 'DATABASE_URL = "postgres://app:app@localhost:5432/app"\n',
    "billing/run.sh": "#!/bin/sh\nexec gunicorn app:app\n",
    "billing/Makefile": "test:\n\tpytest\n",
    "web/package.json": json.dumps(PACKAGE, indent=2) + "\n",
    "web/package-lock.json": json.dumps(LOCK, indent=2) + "\n",
    "web/src/cart.js": CART,
    "web/src/cart.test.js": CART_TEST,
    "web/jest.config.js": "module.exports = { testMatch: ['**/*.test.js'] };\n",
    "web/docker-compose.yml": COMPOSE,
    "worker/queue.go": QUEUE,
    "worker/queue_test.go": QUEUE_TEST,
    "worker/go.mod": "module acme/worker\n\ngo 1.22\n\nrequire github.com/lib/pq v1.10.9\n",
    "worker/go.sum": "github.com/lib/pq v1.10.9 h1:aaaa=\n",
    "shop/spec/cart_spec.rb": CART_SPEC,
    "shop/Gemfile": 'source "https://rubygems.org"\n\ngem "rails", "~> 7.1"\n',
    "mail/src/test/java/mail/MailTest.java": MAIL_TEST,
    "packages/shared/log.py": "def log(text):\n    print(text)\n",
    "deploy/main.tf": 'resource "x" "y" {}\n',
    "k8s/web.yaml": "apiVersion: apps/v1\nkind: Deployment\n",
}


class Work:
    """A work tree with helpers to make commits that no porcelain would make."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *args: str, stdin: bytes = b"", **environment: str) -> str:
        identity = {
            "GIT_AUTHOR_NAME": "Agent",
            "GIT_AUTHOR_EMAIL": "agent@example.test",
            "GIT_COMMITTER_NAME": "Agent",
            "GIT_COMMITTER_EMAIL": "agent@example.test",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        done = subprocess.run(
            ["git", "-c", "core.autocrlf=false", *args], cwd=self.path, check=True, input=stdin,
            capture_output=True, env={**os.environ, **identity, **environment},
        )  # fmt: skip
        return done.stdout.decode().strip()

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def read(self, path: str) -> str:
        return (self.path / path).read_text()

    def write(self, files: Files) -> None:
        for name, content in files.items():
            file = self.path / name
            if content is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, message: str = "Repair it", **environment: str) -> str:
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "--allow-empty", "--no-verify", "-m", message, **environment)
        return self.head

    def change(self, path: str, old: str, new: str) -> None:
        text = self.read(path)
        assert old in text, f"{path} does not hold {old!r}"
        self.write({path: text.replace(old, new, 1)})

    def store(self, content: bytes, kind: str = "blob") -> str:
        """An object as it is, even one that git itself would not write."""
        return self.git("hash-object", "-w", "-t", kind, "--literally", "--stdin", stdin=content)

    def commit_raw(self, content: bytes) -> None:
        """Make this commit object the branch's newest."""
        self.git("update-ref", "HEAD", self.store(content, "commit"))

    def commit_tree(self, tree: str) -> None:
        """A commit of a tree that need not match the work tree."""
        commit = self.git("commit-tree", "-p", "HEAD", "-m", "Repair it", tree)
        self.git("update-ref", "HEAD", commit)

    def raw_tree(self, *entries: tuple[str, bytes, str]) -> str:
        """A root tree of mode, name and id, in this order."""
        return self.store(
            b"".join(
                mode.encode() + b" " + name + b"\0" + bytes.fromhex(id_)
                for mode, name, id_ in entries
            ),
            "tree",
        )


_DEFAULTS = GateOptions()


@dataclass(frozen=True)
class Patch:
    """One patch: commits on the base, and what the gate is to say."""

    name: str
    steps: Sequence[Step]
    denied: frozenset[tuple[str, str]] = frozenset()
    """Rule and path of every reason; empty when it has to pass."""
    options: GateOptions = _DEFAULTS

    def apply(self, work: Work) -> None:
        for step in self.steps:
            if callable(step):
                step(work)
            else:
                work.write(step)
                work.commit()
