from autofix.change.gate.paths import is_allowed
from autofix.change.scope import build_options
from autofix.parameters import Caps
from tests.unit.change.plans import make_plan


def test_bounds_come_from_services_plan_and_caps(make_context, make_service):
    """Folders and watch patterns of every service, files and packages of the plan, live secrets."""
    services = [
        make_service("a", root_directory="/services/a/", watch_patterns=("/packages/shared/**",)),
        make_service("b", root_directory="services/b"),
    ]
    contexts = [make_context(service.name, service=service) for service in services]
    plan = make_plan(files=["services/a/app.py"], dependencies=["cachetools"])
    options = build_options(plan, contexts, Caps(patch_files=3, patch_lines=9), ["secret-value"])
    assert options.roots == ("services/a", "services/b")
    assert options.patterns == ("/packages/shared/**",)
    assert options.planned_files == ("services/a/app.py", "app.py")
    assert options.dependencies == ("cachetools",)
    assert (options.max_files, options.max_lines) == (3, 9)
    assert [secret.get_secret_value() for secret in options.secrets] == ["secret-value"]
    assert "secret-value" not in repr(options)


def test_what_a_person_allowed_stands_in_place_of_the_services_own(make_context, make_service):
    """Files, folders and patterns of the repository; a dot is all of it."""
    context = make_context(service=make_service(root_directory="services/a"))

    def bounds(*allowed):
        options = build_options(make_plan(), [context], Caps(), (), allowed)
        return [
            path
            for path in ("services/a/app.py", "services/a/db.py", "packages/x/y.py", "z.py")
            if is_allowed(path, options)
        ]

    assert bounds() == ["services/a/app.py", "services/a/db.py"]
    assert bounds("services/a/app.py", "packages/x/") == ["services/a/app.py", "packages/x/y.py"]
    assert bounds("/packages/**") == ["packages/x/y.py"]
    assert len(bounds(".")) == 4
