"""Rules and translations in the kernel's packet filter: what must not be there."""

from __future__ import annotations


def rules(nft_ruleset: str) -> list[str]:
    """The rules of `nft list ruleset`: every line inside a chain that is no declaration.

    A table or a chain without a rule in it moves no packet and does not count, unless its policy
    is to drop.
    """
    found = []
    for line in nft_ruleset.splitlines():
        text = line.strip()
        idle = text.startswith("type ") and "policy drop" not in text
        if (
            text
            and text != "}"
            and not text.endswith("{")
            and not text.startswith("#")
            and not idle
        ):
            found.append(text)
    return found
