"""Cilium's LB-IPAM: which Service holds which address of which pool. Pure, no I/O.

Facts from Cilium's Documentation/network/lb-ipam.rst and operator/pkg/lbipam/lbipam.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from lab.operator.lb_pool import Address, Ask, Pool, Range


@dataclass(frozen=True)
class Outcome:
    """What a Service has, and its condition cilium.io/IPAMRequestSatisfied."""

    addresses: tuple[str, ...]
    satisfied: bool
    reason: str
    message: str = ""


@dataclass(frozen=True)
class Counts:
    """A pool's conditions IPsTotal, IPsAvailable, IPsUsed."""

    total: int
    available: int
    used: int


@dataclass
class _View:
    """One Service: its request, what it holds and why it does not hold more."""

    ask: Ask
    held: dict[Address, Range] = field(default_factory=dict)
    reason: str = ""
    message: str = ""

    @property
    def satisfied(self) -> bool:
        if self.ask.wanted:
            return all(address in self.held for address in self.ask.wanted)
        have = {address.version for address in self.held}
        return have >= set(self.ask.versions)

    def refuse(self, reason: str, message: str) -> None:
        self.reason, self.message = reason, message

    def outcome(self) -> Outcome:
        addresses = tuple(str(address) for address in self.held)
        if self.satisfied:
            return Outcome(addresses, True, "satisfied")
        return Outcome(addresses, False, self.reason, self.message)


class Ipam:
    """The state of all pools and Services; every method leaves it consistent."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self._views: dict[str, _View] = {}

    # pools -----------------------------------------------------------------------------------

    def set_pool(self, pool: Pool) -> None:
        """Add a pool, or change it: addresses in ranges that stay are kept."""
        before = self.pools.get(pool.name)
        kept = {(r.first, r.last): r for r in before.ranges} if before else {}
        for index, new in enumerate(pool.ranges):
            same = kept.pop((new.first, new.last), None)
            if same:
                same.reserved = new.reserved
                pool.ranges[index] = same
        for gone in kept.values():
            self._drop_range(gone)
        self.pools[pool.name] = pool
        self._settle_conflicts()
        self._revalidate()

    def remove_pool(self, name: str) -> None:
        pool = self.pools.pop(name, None)
        for gone in pool.ranges if pool else ():
            self._drop_range(gone)
        self._settle_conflicts()
        self._revalidate()

    def counts(self, pool: Pool) -> Counts:
        used = sum(len(r.users) for r in pool.ranges)
        # A reserved end that was given out before it was reserved counts as used, not twice.
        total = sum(r.size + len(r.reserved & r.users.keys()) for r in pool.ranges)
        return Counts(total, total - used, used)

    def _drop_range(self, gone: Range) -> None:
        for address, asks in gone.users.items():
            for ask in asks:
                del self._views[ask.service].held[address]
        gone.users.clear()

    def _settle_conflicts(self) -> None:
        """Mark the pools that overlap an older one (or themselves)."""
        sound: list[Pool] = []
        for pool in sorted(self.pools.values(), key=lambda p: p.created):
            pool.conflict = _overlap_inside(pool) or _overlap_with(pool, sound)
            if not pool.conflict:
                sound.append(pool)

    def _revalidate(self) -> None:
        """Look at all Services again; those that have what they want come first."""
        for view in sorted(self._views.values(), key=lambda v: not v.satisfied):
            self._strip(view)
            self._satisfy(view)

    # services --------------------------------------------------------------------------------

    def set_service(self, ask: Ask, current: Iterable[str] = ()) -> Outcome:
        """Add a Service or change what it asks for; `current` is what its status says it has."""
        view = self._views.setdefault(ask.service, _View(ask))
        for address, source in view.held.items():
            asks = source.users[address]
            asks[asks.index(view.ask)] = ask
        view.ask = ask
        self._strip(view)
        self._import(view, current)
        self._satisfy(view)
        return view.outcome()

    def remove_service(self, service: str) -> bool:
        """Forget a Service; tells whether that freed an address."""
        view = self._views.pop(service, None)
        held = dict(view.held) if view else {}
        for address in held:
            assert view is not None
            self._release(view, address)
        return bool(held)

    def satisfy_waiting(self) -> None:
        """Try again for the Services that lack something."""
        for view in self._views.values():
            if not view.satisfied:
                self._satisfy(view)

    def outcomes(self) -> dict[str, Outcome]:
        return {service: view.outcome() for service, view in self._views.items()}

    def _strip(self, view: _View) -> None:
        """Give back what the Service may not have any more."""
        ask = view.ask
        for address, source in list(view.held.items()):
            pool = self.pools.get(source.pool)
            others = [other for other in source.users[address] if other is not ask]
            unwanted = address not in ask.wanted if ask.wanted else (
                address.version not in ask.versions
            )  # fmt: skip
            incompatible = any(other.refuses(ask) for other in others)
            if pool is None or not pool.serves(ask) or unwanted or incompatible:
                self._release(view, address)

    def _import(self, view: _View, current: Iterable[str]) -> None:
        """Take over addresses that the status tells of (a restart), where they are ours to give."""
        for text in current:
            try:
                address = ip_address(text)
            except ValueError:
                continue
            if address in view.held or (view.ask.wanted and address not in view.ask.wanted):
                continue
            if not view.ask.wanted and address.version not in view.ask.versions:
                continue
            source, _ = self._find(view.ask, address)
            if source and not self._incompatibility(view.ask, source, address):
                self._take(view, source, address)

    def _satisfy(self, view: _View) -> None:
        if view.ask.wanted:
            for address in view.ask.wanted:
                if address not in view.held:
                    self._give_wanted(view, address)
            return
        have = {address.version for address in view.held}
        for version in view.ask.versions:
            if version not in have:
                self._give_any(view, version)

    def _give_wanted(self, view: _View, address: Address) -> None:
        source, mismatch = self._find(view.ask, address)
        if source is None and mismatch:
            view.refuse(
                "pool_selector_mismatch",
                f"The pool with the CIDR containing '{address}', doesn't select this service",
            )
        elif source is None:
            view.refuse("no_pool", f"No pool exists with a CIDR containing '{address}'")
        elif address in source.users and not view.ask.sharing_key:
            view.refuse(
                "already_allocated", f"The IP '{address}' is already allocated to another service"
            )
        else:
            why = self._incompatibility(view.ask, source, address)
            if not why:
                self._take(view, source, address)
                return
            view.refuse(
                "already_allocated_incompatible_service",
                f"The IP '{address}' is already allocated to an incompatible service. "
                f"Reason: {why}",
            )

    def _give_any(self, view: _View, version: int) -> None:
        ask = view.ask
        shared = self._shareable(ask, version) if ask.sharing_key else None
        if shared:
            self._take(view, *shared)
            return
        full = False
        for source in self._open_ranges(ask):
            if source.first.version != version:
                continue
            address = source.free()
            if address is not None:
                self._take(view, source, address)
                return
            full = True
        what = "All enabled CiliumLoadBalancerIPPools that match this service ran out of"
        if full:
            view.refuse("out_of_ips", f"{what} allocatable IPs")
        else:
            text = "There are no enabled CiliumLoadBalancerIPPools that match this service"
            view.refuse("no_pool", text)

    def _shareable(self, ask: Ask, version: int) -> tuple[Range, Address] | None:
        """An address whose users all agree to share it with this Service."""
        for source in (r for pool in self.pools.values() for r in pool.ranges):
            for address, others in source.users.items():
                if address.version == version and not any(o.refuses(ask) for o in others):
                    return source, address
        return None

    def _find(self, ask: Ask, address: Address) -> tuple[Range | None, bool]:
        """The open range that an address lies in; the flag tells that its pool does not select."""
        mismatch = False
        for pool in self.pools.values():
            for source in pool.ranges if pool.open else ():
                if address in source and address not in source.reserved:
                    if pool.serves(ask):
                        return source, False
                    mismatch = True
        return None, mismatch

    def _open_ranges(self, ask: Ask) -> Iterable[Range]:
        for pool in self.pools.values():
            if pool.open and pool.serves(ask):
                yield from pool.ranges

    def _incompatibility(self, ask: Ask, source: Range, address: Address) -> str:
        reasons = (o.refuses(ask) for o in source.users.get(address, ()) if o is not ask)
        return next(filter(None, reasons), "")

    def _take(self, view: _View, source: Range, address: Address) -> None:
        source.users.setdefault(address, []).append(view.ask)
        view.held[address] = source

    def _release(self, view: _View, address: Address) -> None:
        source = view.held.pop(address)
        source.users[address].remove(view.ask)
        if not source.users[address]:
            del source.users[address]


def _overlap_inside(pool: Pool) -> str:
    for index, one in enumerate(pool.ranges):
        for other in pool.ranges[index + 1 :]:
            if one.overlaps(other):
                return _conflict(one, other)
    return ""


def _overlap_with(pool: Pool, others: list[Pool]) -> str:
    for other in others:
        for one in pool.ranges:
            for taken in other.ranges:
                if one.overlaps(taken):
                    return _conflict(one, taken)
    return ""


def _conflict(one: Range, other: Range) -> str:
    return f"Pool conflicts since CIDR '{one}' overlaps CIDR '{other}' from IP Pool '{other.pool}'"
