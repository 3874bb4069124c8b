"""A simple model of one proposal with two parties, to compare the real one with.

It knows nothing of messages, stores or the ledger: a state, two answers, an open counter and a
quantity. ``outcomes`` tries every order in which concurrent actors may have come.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import permutations

SIDES = ("buyer", "seller")


@dataclass(frozen=True)
class Model:
    """What a proposal amounts to."""

    state: str = "PROPOSED"
    accepted: frozenset[str] = frozenset()
    quantity: int = 0
    version: int = 1
    counter: tuple[str, int] | None = None  # who asks for which quantity


@dataclass(frozen=True)
class Action:
    """What one actor does. ``quantity`` is what a counter asks for."""

    kind: str
    side: str = ""
    quantity: int = 0


# Tells whether the proposal's claim could grow to a quantity.
Fits = Callable[[int], bool]


def apply(model: Model, action: Action, fits: Fits) -> Model:
    """Return what the action makes of the model; refusals leave it as it is."""
    if model.state != "PROPOSED":
        return model
    if action.kind == "expire":
        return replace(model, state="EXPIRED", counter=None)
    answered = action.side in model.accepted
    if action.kind == "decline":
        return model if answered else replace(model, state="DECLINED", counter=None)
    if action.kind == "accept":
        if answered or model.counter is not None:
            return model
        accepted = model.accepted | {action.side}
        state = "CONFIRMED" if accepted == set(SIDES) else "PROPOSED"
        return replace(model, accepted=accepted, state=state)
    if action.kind == "counter":
        # Who has accepted has answered; with two parties every counter concerns the other.
        return model if answered else replace(model, counter=(action.side, action.quantity))
    if model.counter is None:
        return model
    asker, quantity = model.counter
    if action.kind == "refuse":
        return replace(model, counter=None)
    if action.side == asker:
        return model
    if not fits(quantity):
        return replace(model, counter=None)
    return replace(
        model,
        quantity=quantity,
        version=model.version + 1,
        counter=None,
        accepted=frozenset(SIDES),
        state="CONFIRMED",
    )


def outcomes(model: Model, actions: Iterable[Action], fits: Fits) -> set[Model]:
    """Return everything that concurrent actions may lead to."""
    found = set()
    for order in permutations(list(actions)):
        result = model
        for action in order:
            result = apply(result, action, fits)
        found.add(result)
    return found
