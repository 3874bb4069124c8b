"""What offers with a minimum run earn at most at a certificate's pair prices: the checker's count.

In Python's integers and with no code of the solver's. An offer is closed, or carries its minimum
run at least; together its pairs ask no stretch of its slots for more than it holds.
"""

from __future__ import annotations

from services.matching.engine.market import Market


def misplaced(m: Market, pair_price: list[int]) -> int:
    """The first pair with a price whose offer has no minimum run, -1 when there is none."""
    runs = m.min_run.tolist()
    for pair, offer in enumerate(m.pair_offer.tolist()):
        if pair_price[pair] and not runs[offer]:
            return pair
    return -1


def earned(m: Market, most: list[int], least: list[int], price: list[int]) -> int:
    """The sum over all offers with a minimum run of what each could earn.

    ``most`` and ``least`` are the ticks that each pair could carry, and must when it is used.
    """
    slots: dict[int, list[tuple[int, int]]] = {}
    for slot, offer in enumerate(m.slot_offer.tolist()):
        slots.setdefault(offer, []).append((int(m.slot_period[slot]), slot))
    place: dict[int, int] = {}
    for own in slots.values():
        own.sort()
        place |= {slot: at for at, (_, slot) in enumerate(own)}
    window: dict[int, tuple[int, int]] = {}
    for pair, slot in zip(m.x_pair.tolist(), m.x_slot.tolist(), strict=True):
        first, last = window.get(pair, (place[slot], place[slot]))
        window[pair] = (min(first, place[slot]), max(last, place[slot]))
    pairs: dict[int, list[int]] = {}
    for pair, offer in enumerate(m.pair_offer.tolist()):
        if pair in window and most[pair] >= least[pair]:
            pairs.setdefault(offer, []).append(pair)
    capacity, use = m.slot_capacity.tolist(), m.pair_use.tolist()
    lightest: dict[int, int] = {}
    for pair, offer in enumerate(m.pair_offer.tolist()):
        lightest[offer] = min(use[pair], lightest.get(offer, use[pair]))
    total = 0
    for offer, run in enumerate(m.min_run.tolist()):
        if run and any(price[pair] for pair in pairs.get(offer, ())):
            rooms = [capacity[slot] for _, slot in slots[offer]]
            wanted = [(price[pair], most[pair] * use[pair], *window[pair]) for pair in pairs[offer]]
            total += max(0, _best(wanted, rooms, run * lightest[offer]))
    return total


def _best(wanted: list[tuple[int, int, int, int]], rooms: list[int], need: int) -> int:
    """Pairs (price, slot ticks, first and last place) by falling price, to ``need`` at least."""
    asked: dict[tuple[int, int], int] = {}
    got, worth = 0, 0
    for price, size, first, last in sorted(wanted, reverse=True):
        if price <= 0 and got >= need:
            break
        around = [(a, b) for a in range(first + 1) for b in range(last, len(rooms))]
        left = min(sum(rooms[a : b + 1]) - asked.get((a, b), 0) for a, b in around)
        take = min(size, left)
        if price < 0:
            take = min(take, need - got)
        for stretch in around:
            asked[stretch] = asked.get(stretch, 0) + take
        got, worth = got + take, worth + take * price
    return worth if got >= need else 0
