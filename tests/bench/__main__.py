"""``python -m tests.bench [NAME …]``: run the benchmarks, each in a process of its own.

A benchmark is a module of this package with a `main()` that prints its own lines.
"""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("agent", "logs", "observe", "replay", "text", "tick", "window")
BY_NAME = ("days",)
"""Only when asked for: it takes some twenty minutes."""


def main(chosen: list[str]) -> int:
    """Run the chosen benchmarks, or all of them; 1 when one failed, 2 for an unknown name."""
    unknown = sorted(set(chosen) - {*BENCHMARKS, *BY_NAME})
    if unknown:
        print(
            f"no benchmark {', '.join(unknown)}; there are: {', '.join([*BENCHMARKS, *BY_NAME])}",
            file=sys.stderr,
        )
        return 2
    status = 0
    for name in chosen or BENCHMARKS:
        print(f"\n{name}", flush=True)
        code = f"from tests.bench.{name} import main; main()"
        status |= subprocess.run([sys.executable, "-c", code], check=False).returncode
    return min(status, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
