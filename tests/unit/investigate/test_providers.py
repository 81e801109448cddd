from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from autofix.errors import ConfigError
from autofix.investigate.code.functions import Source
from autofix.investigate.code.manifests import find_packages, manifest_files
from autofix.investigate.code.outgoing import find_outgoing
from autofix.investigate.providers import Provider, load_providers

TABLE = load_providers()


@pytest.mark.parametrize("provider", TABLE.every, ids=lambda p: p.id)
def test_an_entry_of_the_table_is_well_formed(provider: Provider) -> None:
    """Names as registries and hosts write them, and addresses that can be asked."""
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", provider.id)
    assert provider.name.strip() == provider.name != ""
    for package in provider.packages:
        kind, _, name = package.partition(":")
        assert kind in {"npm", "pypi", "go", "gem"}
        assert re.fullmatch(r"@?[\w.-]+(?:/[\w.-]+)*", name)
        assert kind != "pypi" or name == re.sub(r"[-_.]+", "-", name).lower()
    for variable in provider.variables:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+(?:_\*)?", variable)
    for host in provider.hosts:
        assert re.fullmatch(r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+", host)
    for address in filter(None, (provider.page, provider.status)):
        assert urlsplit(address).scheme == "https"
        assert urlsplit(address).hostname


def test_most_of_the_table_can_be_asked() -> None:
    """The forms that are read here cover it; the rest is known and said to be unknown."""
    readable = [p for p in TABLE.every if p.format]
    assert len(TABLE.every) >= 90
    assert len(readable) >= 70
    assert {p.format for p in readable} == {"statuspage", "betterstack", "google", "railway"}


def test_no_sign_belongs_to_two_providers() -> None:
    """Else which one is meant would hang on the order of the table."""
    for name in ("packages", "variables", "hosts"):
        every = [sign for provider in TABLE.every for sign in getattr(provider, name)]
        assert sorted(set(every)) == sorted(every)


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.stripe.com", "stripe"),
        ("API.Stripe.com.", "stripe"),
        ("db.abc.supabase.co", "supabase"),
        ("firestore.googleapis.com", "firebase"),
        ("storage.googleapis.com", "gcp"),
        ("stripe.com.evil.test", None),
        ("notstripe.com", None),
        ("supabase.co", None),
    ],
)
def test_a_host_leads_to_its_provider(host: str, provider: str | None) -> None:
    """The longest pattern decides; a name that only looks like it leads nowhere."""
    found = TABLE.of_host(host)
    assert (found and found.id) == provider


@pytest.mark.parametrize(
    ("sign", "provider"),
    [
        ("npm:stripe", "stripe"),
        ("npm:@aws-sdk/client-s3", "aws"),
        ("pypi:sentry-sdk", "sentry"),
        ("go:github.com/stripe/stripe-go/v76", "stripe"),
        ("gem:twilio-ruby", "twilio"),
        ("npm:redis", None),
        ("pypi:pymongo", None),
        ("npm:pg", None),
    ],
)
def test_a_package_leads_to_its_provider(sign: str, provider: str | None) -> None:
    """A client that also talks to one's own server is no sign of a provider."""
    found = TABLE.of_package(sign)
    assert (found and found.id) == provider


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("STRIPE_SECRET_KEY", "stripe"),
        ("OPENAI_API_KEY", "openai"),
        ("DATABASE_URL", None),
        ("STRIPES", None),
    ],
)
def test_a_variable_leads_to_its_provider(name: str, provider: str | None) -> None:
    """By the beginning of its name."""
    found = TABLE.of_variable(name)
    assert (found and found.id) == provider


def test_a_file_of_ones_own_adds_providers_and_changes_addresses(tmp_path: Path) -> None:
    """What it does not say of a known one stays."""
    file = tmp_path / "more.toml"
    file.write_text(
        '[paywell]\nname = "Paywell"\nhosts = ["api.paywell.test"]\n'
        '[stripe]\nstatus = "http://127.0.0.1:9/summary.json"\n'
    )
    table = load_providers(str(file))
    assert (found := table.of_host("api.paywell.test"))
    assert found.name == "Paywell"
    assert (stripe := table.of_package("npm:stripe"))
    assert (stripe.status, stripe.format) == ("http://127.0.0.1:9/summary.json", "statuspage")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[a\n", "cannot be read"),
        ('name = "x"\n', "name is no table"),
        ('[a]\nname = "A"\n', r"\[a\] hosts"),
        ('[a]\nname = "A"\nhosts = ["a.test"]\nformat = "nope"\n', r"\[a\] format"),
        ('[a]\nname = "A"\nhosts = ["a.test"]\nstatus = "http://x"\n', "both format and status"),
        ('[a]\nname = "A"\nhosts = ["a.test"]\nhost = "b"\n', r"\[a\] host: Extra"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    """One line with its name and the entry."""
    file = tmp_path / "more.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load_providers(str(file))


MANIFESTS = {
    "package.json": '{"dependencies": {"stripe": "^14", "@sentry/node": "1"}, "devDependencies": {"jest": "29"}}',
    "requirements.txt": "# web\nFlask>=3\nsentry_sdk[flask]==2.1 ; python_version > '3.8'\n-r base.txt\n",
    "requirements/prod.txt": "twilio\n",
    "pyproject.toml": '[project]\ndependencies = ["openai>=1", "httpx"]\n'
    '[project.optional-dependencies]\nx = ["boto3"]\n[tool.poetry.dependencies]\npython = "^3.11"\nresend = "*"\n',
    "go.mod": "module acme\n\nrequire (\n\tgithub.com/stripe/stripe-go/v76 v76.1.0\n\tgolang.org/x/net v0.1.0 // indirect\n)\n",
    "Gemfile": "source 'https://rubygems.org'\ngem 'rails', '~> 7'\n  gem \"postmark-rails\"\n# gem 'no'\n",
    "Pipfile": '[packages]\nanthropic = "*"\n',
}  # fmt: skip


def test_manifests_of_every_kind_name_their_packages() -> None:
    """As their registries write the names; what is only for development is not asked."""
    found = find_packages(MANIFESTS)
    assert {
        "npm:stripe", "npm:@sentry/node", "pypi:flask", "pypi:sentry-sdk", "pypi:twilio", "pypi:openai",
        "pypi:boto3", "pypi:resend", "go:github.com/stripe/stripe-go/v76", "gem:rails",
        "gem:postmark-rails", "pypi:anthropic",
    } <= set(found)  # fmt: skip
    assert found["npm:stripe"] == "package.json"
    assert "npm:jest" not in found
    assert "gem:no" not in found


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"dependencies": 3}', "\0", "[project]\ndependencies = 4"]
)
@pytest.mark.parametrize("name", sorted(MANIFESTS))
def test_a_broken_manifest_names_nothing(name: str, text: str) -> None:
    """And is no error."""
    assert all(len(package) < 40 for package in find_packages({name: text}))


def test_the_services_own_manifests_come_first() -> None:
    """In a repository of many services the whole repository's come after them."""
    sizes = dict.fromkeys(
        ["package.json", "svc/requirements.txt", "svc/a/go.mod", "other/go.mod"], 9
    )
    assert manifest_files(sizes, "svc") == ["svc/requirements.txt", "package.json"]


@pytest.mark.parametrize(
    ("path", "text", "guarded"),
    [
        ("pay.py", 'import stripe\nstripe.api_key = "x"\n', False),
        ("pay.py", 'requests.post("https://api.stripe.com/v1/charges", timeout=3)\n', True),
        (
            "pay.ts",
            "import Stripe from 'stripe';\nnew Stripe(key, { maxNetworkRetries: 2 });\n",
            True,
        ),
        ("pay.js", "const s = require('stripe')(key);\n", False),
        ("pay.go", 'import (\n\t"github.com/stripe/stripe-go/v76"\n)\n', False),
    ],
)
def test_code_that_calls_a_provider_is_found_with_its_guard(
    path: str, text: str, guarded: bool
) -> None:
    """By its host or its library; a file that names a timeout is taken to bound the call."""
    (found,) = find_outgoing([Source(path, text)], TABLE)
    assert (found.provider, found.is_guarded) == ("stripe", guarded)
