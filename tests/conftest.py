"""Options of our own, and how the tests are spread over workers: by file, as the tests of a file
often share one lab.
"""

from __future__ import annotations

from pathlib import Path

import pytest

SCATTERED = frozenset({"test_scenarios.py", "test_sandbox.py"})
"""Files whose tests bring up a lab each: any worker takes the next one."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--packets", type=int, default=18_000, help="random packets through the eBPF programs"
    )
    parser.addoption("--noise-seed", type=int, default=20211031, help="where their chance begins")


def pytest_configure(config: pytest.Config) -> None:
    """Workers collect, and the one who asked them would not hear that a path is not there."""
    paths = [Path(word.partition("::")[0]) for word in config.args]
    missing = [str(path) for path in paths if not (config.invocation_params.dir / path).exists()]
    if missing:
        pytest.exit(f"there is no {', no '.join(missing)}", returncode=2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name not in SCATTERED:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
