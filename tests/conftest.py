"""How the tests are spread over workers: by file, as the tests of a file often share one lab."""

from __future__ import annotations

import pytest

SCATTERED = frozenset({"test_scenarios.py", "test_sandbox.py"})
"""Files whose tests bring up a lab each: any worker takes the next one."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name not in SCATTERED:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
