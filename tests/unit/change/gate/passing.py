"""Patches that an ordinary good fix consists of: every one has to pass."""

from __future__ import annotations

import json

from autofix.change.gate import GateOptions
from tests.unit.change.gate.world import (
    APP,
    CART,
    CART_TEST,
    DOCKERFILE,
    LOCK,
    PACKAGE,
    PYPROJECT,
    QUEUE_TEST,
    RAILWAY,
    TEST_APP,
    Patch,
    Step,
    Work,
)


def _pass(name: str, *steps: Step, **options: object) -> Patch:
    return Patch(name, steps, options=GateOptions(**options))  # type: ignore[arg-type]


def _edit(path: str, old: str, new: str) -> Step:
    def step(work: Work) -> None:
        work.change(path, old, new)
        work.commit()

    return step


def _move(old: str, new: str) -> Step:
    def step(work: Work) -> None:
        (work.path / new).parent.mkdir(parents=True, exist_ok=True)
        work.git("mv", old, new)
        work.commit("Move it")

    return step


FIXED = APP.replace("customer['name']", "(customer or {}).get('name', 'unknown')")
MORE_TESTS = TEST_APP.replace(
    "    def test_unknown_invoice",
    """    def test_invoice_without_a_customer(self):
        self.assertEqual(app.render(2), "unknown: 4")

    def test_unknown_invoice""",
)
LOCK_WITH_PACKAGE = {
    **LOCK,
    "packages": {
        **LOCK["packages"],  # type: ignore[dict-item]
        "node_modules/lru-cache": {
            "version": "10.4.3",
            "resolved": "https://registry.npmjs.org/lru-cache/-/lru-cache-10.4.3.tgz",
            "integrity": "sha512-" + "B" * 86 + "==",
            "funding": {"url": "https://github.com/sponsors/somebody"},
        },
    },
}
PACKAGE_WITH_PACKAGE = {
    **PACKAGE,
    "dependencies": {"express": "^4.19.2", "lru-cache": "^10.4.3"},
}

PASSING = (
    _pass("a bug and its regression test", {"billing/app.py": FIXED, "billing/test_app.py": MORE_TESTS}),
    _pass("two commits, test first", {"billing/test_app.py": MORE_TESTS}, {"billing/app.py": FIXED}),
    _pass("a new test file", {"billing/tests/test_cache.py": "def test_bound():\n    assert len({1: 2}) == 1\n"}),
    _pass(
        "text in other alphabets",
        {
            "billing/texts/ru.json": '{"greeting": "Привет, мир", "sum": "Сумма"}\n',
            "billing/texts/el.json": '{"greeting": "Καλημέρα κόσμε"}\n',
            "billing/texts/ja.json": '{"title": "第１章　ＡＰＩの使い方"}\n',
            "billing/texts/hi.json": '{"a": "क्‍ष"}\n',
            "billing/texts/fa.json": '{"a": "می‌خواهم"}\n',
            "billing/texts/de.json": '{"greeting": "Grüße", "price": "5 €", "ok": "👍🏽 👨‍👩‍👧 ❤️"}\n',
        },
    ),
    _pass(
        "comments in other alphabets",
        {"billing/app.py": APP.replace('"""Invoices."""', '"""Счета. Кэш растёт без предела: см. тест."""\nΔt = 0.5\nµs = 1e-6')},
    ),
    _pass("a path in another alphabet", {"billing/texts/größe-日本.json": "{}\n"}),
    _pass("a function moves to another file", {
        "billing/app.py": APP.replace("def total(lines: list[int]) -> int:\n    return sum(lines)\n\n\n", "from sums import total\n\n"),
        "billing/sums.py": "def total(lines: list[int]) -> int:\n    return sum(lines)\n",
    }),
    _pass("dead code goes", {"billing/app.py": APP.partition("def unused_helper")[0].rstrip() + "\n"}),
    _pass("a dead file goes", {"packages/shared/log.py": None}),
    _pass("an ordinary file moves", _move("billing/db.py", "billing/store/db.py")),
    _pass("a file moves and changes", _move("billing/db.py", "billing/rows.py"), _edit("billing/rows.py", "ROWS[number]", "ROWS.get(number)")),
    _pass("a test file moves among tests", _move("billing/tests/test_routes.py", "billing/tests/http/test_routes.py")),
    _pass("a test gets a better name", _edit("billing/tests/test_routes.py", "def test_not_found", "def test_an_unknown_path_is_not_found")),
    _pass("an expected value is corrected", _edit("billing/tests/test_routes.py", '"not found"', '"nothing here"')),
    _pass("an assertion is added", _edit("billing/tests/test_routes.py", "== 404", "== 404\n    assert response.headers")),
    _pass("a file with CRLF", {"billing/windows.txt": b"one\r\n2\r\nthree\r\nfour\r\n"}),
    _pass("CRLF becomes LF", {"billing/windows.txt": b"one\ntwo\nthree\n"}),
    _pass("no line end at the end", {"billing/config.json": '{"pool": 10, "timeout": 30}'}),
    _pass("a byte order mark at the start", {"billing/report.csv": "\ufeffname,total\nAda,6\n"}),
    _pass("documentation with a shell line", {"README.md": "# Shop\n\n```sh\ncurl -fsSL https://get.example.com | sh\n```\n"}),
    _pass("a migration adds an index", {"billing/migrations/0002_index.sql": "CREATE INDEX CONCURRENTLY invoices_customer ON invoices (customer_id);\n"}),
    _pass("JSON configuration", {"billing/config.json": '{"pool": 20, "timeout": 10}\n'}),
    _pass("YAML configuration", {"billing/config.yaml": "pool: 20\nkind: none\nretries: [1, 2]\n"}),
    _pass("big but allowed", {f"billing/part{n}.py": "".join(f"X{i} = {i}\n" for i in range(75)) for n in range(10)}),
    _pass("a file whose attributes call it binary", {"billing/big.generated.py": "ROWS = [\n" + "    2,\n" * 30 + "]\n"}),
    _pass("a query for all rows at once", _edit(
        "web/src/cart.js",
        "  const rows = [];\n  for (const item of await client.items(id)) {\n    rows.push(await client.product(item.product));\n  }\n  return rows;\n",
        "  const items = await client.items(id);\n  return client.products(items.map((item) => item.product));\n",
    )),
    _pass("tests in JavaScript", {"web/src/cart.js": CART, "web/src/cart.test.js": CART_TEST.replace(
        '  it("loads products"',
        '  it("is empty at first", () => {\n    expect(price([])).toBe(0);\n  });\n\n  it("loads products"',
    )}),
    _pass("tests in Go", {"worker/queue_test.go": QUEUE_TEST + '\nfunc TestOne(t *testing.T) {\n\tif Depth([]Job{{}}) != 1 {\n\t\tt.Error("no")\n\t}\n}\n'}),
    _pass("a conditional skip in a new test", {"billing/tests/test_os.py": "import sys\n\nimport pytest\n\n\n@pytest.mark.skipif(sys.platform == 'win32', reason='posix')\ndef test_pipe():\n    assert sys.maxsize == 2**63 - 1\n"}),
    _pass("more sets of parameters", _edit("billing/tests/test_routes.py", '"/health", ', '"/health", "/ready", ')),
    _pass("a fixture is added", _edit("billing/tests/conftest.py", "    return 1\n", "    return 1\n\n\n@pytest.fixture\ndef other():\n    return 2\n")),
    _pass("settings by name", {"billing/settings.py": 'import os\n\nDATABASE_URL = os.environ["DATABASE_URL"]\npassword = os.environ.get("DB_PASSWORD", "")\ntoken = request.headers["Authorization"]\nAPI_KEY = settings.api_key\n'}),
    _pass("a local address changes", {"billing/settings.py": 'DATABASE_URL = "postgres://app:app@localhost:5432/app?pool_size=20"\n'}),
    _pass("test credentials that are none", {"billing/tests/test_login.py": 'def test_login(client):\n    assert client.post("/login", password="correct-horse-battery", token="test-token-12345").status == 200\n'}),
    _pass("a key from the documentation", {"README.md": "# Shop\n\nSet `AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE`.\n"}),
    _pass("hashes and ids", {"billing/fixtures.py": 'ETAG = "' + "0123456789abcdef" * 4 + '"\nID = "123e4567-e89b-12d3-a456-426614174000"\nIMAGE = "sha256:' + "ab" * 32 + '"\n'}),
    _pass("the number of workers", {"billing/Dockerfile": DOCKERFILE.replace('"-w", "1"', '"-w", "4", "--max-requests", "1000"')}),
    _pass("a plain variable in the image", {"billing/Dockerfile": DOCKERFILE.replace("USER 10001", "ENV PYTHONUNBUFFERED=1\nUSER 10001")}),
    _pass("a health check on the platform", {"billing/railway.toml": RAILWAY.replace('"/health"', '"/ready"\nhealthcheckTimeout = 30')}),
    _pass("memory for node", {"web/package.json": json.dumps(PACKAGE, indent=2).replace("node server.js", "node --max-old-space-size=384 server.js") + "\n"}),
    _pass("a version of its own", {"web/package.json": json.dumps({**PACKAGE, "version": "1.4.1"}, indent=2) + "\n"}),
    _pass(
        "a package that the plan names",
        {
            "web/package.json": json.dumps(PACKAGE_WITH_PACKAGE, indent=2) + "\n",
            "web/package-lock.json": json.dumps(LOCK_WITH_PACKAGE, indent=2) + "\n",
        },
        dependencies=("lru-cache",),
    ),
    _pass("a Python package that the plan names", {
        "billing/requirements.txt": "cachetools==5.5.0\nflask==3.0.3\npsycopg==3.2.1\n",
        "billing/pyproject.toml": PYPROJECT.replace('["flask>=3"', '["cachetools>=5", "flask>=3"'),
    }, dependencies=("cachetools",)),
    _pass("a Go module that the plan names", {
        "worker/go.mod": "module acme/worker\n\ngo 1.22\n\nrequire (\n\tgithub.com/lib/pq v1.10.9\n\tgolang.org/x/sync v0.8.0\n\tgolang.org/x/sys v0.1.0 // indirect\n)\n",
        "worker/go.sum": "github.com/lib/pq v1.10.9 h1:aaaa=\ngolang.org/x/sync v0.8.0 h1:bbbb=\n",
    }, dependencies=("golang.org/x/sync",)),
    _pass("a Makefile that the plan names", {"billing/Makefile": "test:\n\tpytest\n\nbench:\n\tpython bench.py\n"}, planned_files=("billing/Makefile",)),
    _pass("an image step that the plan names", {"billing/Dockerfile": DOCKERFILE.replace("RUN pip", "RUN apt-get update && apt-get install -y libpq5\nRUN pip")}, planned_files=("billing/Dockerfile",)),
    _pass("a newer image of the same name", {"billing/Dockerfile": DOCKERFILE.replace("FROM python:3.11-slim\n", "FROM python:3.11.9-slim\n")}, planned_files=("billing/Dockerfile",)),
    _pass("a shared package by its watch pattern", {"packages/shared/log.py": "def log(text):\n    print(text, flush=True)\n"}, roots=("billing",), patterns=("/packages/shared/**",)),
    _pass("a placeholder for an empty folder", {"billing/uploads/.gitkeep": ""}),
    _pass("names of a framework's routes", {"web/src/[id]/(shop)/@modal/page.jsx": "export default () => null;\n"}),
    _pass("a file of translations called auth", {"web/src/locales/en/auth.json": '{"password": "Password", "token": "Your token"}\n'}),
    _pass("helpers for tests", {"web/src/__tests__/helpers.js": "export const tea = { price: 2 };\n", "billing/tests/factories.py": "def invoice():\n    return {}\n", "worker/testing.go": "package queue\n"}),
    _pass("an empty file", {"billing/store/__init__.py": ""}),
    _pass("an example of the environment", {"billing/.env.example": "DATABASE_URL=\nPOOL=5\n"}),
)  # fmt: skip
