"""``python -m tests.bench [NAME …]``: run the benchmarks, each in a process of its own.

A benchmark is a module of this package with a `main()` that prints its own table.
"""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import tests.bench


def main(chosen: list[str]) -> int:
    """Run the chosen benchmarks, or all of them; 1 when one failed, 2 for an unknown name."""
    names = [m.name for m in pkgutil.iter_modules(tests.bench.__path__) if m.name != "__main__"]
    unknown = sorted(set(chosen) - set(names))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(names)}", file=sys.stderr)  # noqa: T201
        return 2
    status = 0
    for name in chosen or names:
        print(f"\n{name}", flush=True)  # noqa: T201
        code = f"from tests.bench.{name} import main; main()"
        status |= subprocess.run([sys.executable, "-c", code], check=False).returncode
    return min(status, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
