"""Rules and translations in the kernel's packet filter: what must not be there."""

from __future__ import annotations


def rules(nft_ruleset: str) -> list[str]:
    """The rules of `nft list ruleset`: every line inside a chain that is no declaration.

    A table or a base chain without a rule in it moves no packet and does not count.
    """
    found = []
    for line in nft_ruleset.splitlines():
        text = line.strip()
        if not text or text == "}" or text.endswith("{") or text.startswith(("type ", "#")):
            continue
        found.append(text)
    return found
