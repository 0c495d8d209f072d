"""apt's status lines."""

from __future__ import annotations

import pytest

from lab.setup.apt import progress_in


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("dlstatus:3:42.0000:Retrieving file 3 of 18\n", (21.0, "Retrieving file 3 of 18")),
        ("pmstatus:frr:50.0:Unpacking frr (amd64)\n", (75.0, "Unpacking frr (amd64)")),
        (
            "pmstatus:dpkg-exec:100:Running: dpkg --configure\n",
            (100.0, "Running: dpkg --configure"),
        ),
        ("pmerror:frr:50.0:it broke\n", None),
        ("pmstatus:frr:no number:words\n", None),
        ("nonsense\n", None),
    ],
)
def test_status_lines(line: str, wanted: tuple[float, str] | None) -> None:
    assert progress_in(line) == wanted
