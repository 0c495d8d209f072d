"""What machine this is: its distribution, and whether the lab can be set up on it."""

from __future__ import annotations

import os

KNOWN = ("debian", "ubuntu")


class Distribution:
    """What /etc/os-release says. `family` is the member of KNOWN it belongs to, "" for none."""

    __slots__ = ("family", "name")

    def __init__(self, text: str) -> None:
        fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        words = {key: value.strip("\"'") for key, value in fields.items()}
        self.name = words.get("PRETTY_NAME", "an unknown system")
        kin = [words.get("ID", ""), *words.get("ID_LIKE", "").split()]
        # Ubuntu's children say ID_LIKE="ubuntu debian": the nearer relative comes first.
        self.family = next((name for name in kin if name in KNOWN), "")


def distribution(path: str = "/etc/os-release") -> Distribution:
    """The distribution of this machine."""
    try:
        with open(path, encoding="utf-8") as file:
            return Distribution(file.read())
    except FileNotFoundError:
        return Distribution("")


def is_root() -> bool:
    return os.geteuid() == 0
