"""Words that are handed on to the tools."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab import shell
from lab.cli.tools import with_hosts_file
from lab.errors import InputError

HAND_ON = """
import sys
from lab.cli.tools import with_hosts_file
print(" ".join(with_hosts_file(sys.argv[1:])))
print(sys.stdin.read())
"""


@pytest.mark.parametrize("joined", [False, True])
def test_a_file_of_flows_is_the_hosts(tmp_path: Path, joined: bool) -> None:
    """It becomes the input of the program that this process turns into."""
    file = tmp_path / "flows.json"
    file.write_text("flows")
    named = [f"--input-file={file}"] if joined else ["--input-file", str(file)]
    words = ["observe", *named, "--last", "3"]
    handed = shell.run([sys.executable, "-c", HAND_ON, *words], input="a terminal").out
    assert handed.splitlines() == ["observe --input-file - --last 3", "flows"]


@pytest.mark.parametrize(
    "words",
    [["observe", "--last", "3"], ["observe", "--input-file", "-"], ["observe", "--input-file"]],
)
def test_other_words_stay_as_they_are(words: list[str]) -> None:
    assert with_hosts_file(words) == words


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(InputError, match="cannot read /no/such/file: No such file"):
        with_hosts_file(["observe", "--input-file", "/no/such/file"])
