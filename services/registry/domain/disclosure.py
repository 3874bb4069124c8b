"""Who may read which group of fields of a posting, and what is left when the rest is hidden."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from google.protobuf.message import Message

from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.disclosure_pb2 import Disclosure, DisclosureLevel
from spareline.market.v1.offer_pb2 import Offer

M = TypeVar("M", Offer, Demand)

PUBLIC = disclosure_pb2.DISCLOSURE_LEVEL_PUBLIC
NEVER = disclosure_pb2.DISCLOSURE_LEVEL_NEVER
UNSPECIFIED = disclosure_pb2.DISCLOSURE_LEVEL_UNSPECIFIED

GROUPS = ("identity", "price", "quantity", "attributes", "requirements")


class Standing(IntEnum):
    """How close a reader is to a posting; each may read what those before it may."""

    STRANGER = 0
    PROPOSED = 1
    CONFIRMED = 2
    OPERATOR = 3
    OWN = 4


_LEAST_STANDING = {
    disclosure_pb2.DISCLOSURE_LEVEL_PUBLIC: Standing.STRANGER,
    disclosure_pb2.DISCLOSURE_LEVEL_ON_PROPOSAL: Standing.PROPOSED,
    disclosure_pb2.DISCLOSURE_LEVEL_ON_CONFIRMATION: Standing.CONFIRMED,
    disclosure_pb2.DISCLOSURE_LEVEL_NEVER: Standing.OWN,
}

_OFFER_FIELDS: Mapping[str, Sequence[str]] = {
    "identity": ("name",),
    "price": ("unit_price", "setup_price"),
    "quantity": ("capacity", "balances", "minimum_order", "minimum_run"),
    "attributes": ("title", "description", "attributes"),
    "requirements": ("requirements", "reach"),
}
_DEMAND_FIELDS: Mapping[str, Sequence[str]] = {
    "identity": ("name",),
    "price": ("budget", "lines.limit_price"),
    "quantity": (
        "balances",
        "lines.quantity",
        "lines.least_quantity",
        "lines.window",
        "lines.sourcing",
    ),
    "attributes": ("title", "description", "lines.attributes"),
    "requirements": ("lines.requirements", "lines.reach"),
}
# Whom somebody avoids or likes is nobody else's business at any level.
_ALWAYS_OWN: Mapping[str, Sequence[str]] = {
    "offer": ("requirements.excluded_organizations",),
    "demand": (
        "preferred_organizations",
        "excluded_organizations",
        "lines.requirements.excluded_organizations",
    ),
}


@dataclass(frozen=True, slots=True)
class View:
    """What was decided for one reader: the groups hidden, and the fields disclosed to it alone."""

    hidden: tuple[str, ...]
    disclosed: tuple[str, ...]

    @property
    def identity_hidden(self) -> bool:
        """Whether the posting appears under its alias."""
        return "identity" in self.hidden


def completed(
    disclosure: Disclosure, *, demand: bool, identity: DisclosureLevel.ValueType
) -> Disclosure:
    """Return the levels with the defaults filled in; ``identity`` is its organization's own."""
    filled = Disclosure()
    filled.CopyFrom(disclosure)
    defaults = {"identity": identity or PUBLIC, "price": NEVER if demand else PUBLIC}
    for group in GROUPS:
        if getattr(filled, group) == UNSPECIFIED:
            setattr(filled, group, defaults.get(group, PUBLIC))
    return filled


def public_groups(disclosure: Disclosure) -> list[str]:
    """Return the groups that anyone may read."""
    return [group for group in GROUPS if getattr(disclosure, group) == PUBLIC]


def _least_standing(group: str, level: "DisclosureLevel.ValueType") -> Standing:
    # Who runs the market knows who takes part in it, though not what they keep sealed.
    if group == "identity":
        return min(_LEAST_STANDING[level], Standing.OPERATOR)
    return _LEAST_STANDING[level]


def view(posting: Offer | Demand, standing: Standing) -> View:
    """Decide what a reader of that standing may read."""
    fields = _fields(posting)
    hidden = []
    disclosed: list[str] = []
    for group in GROUPS:
        level = getattr(posting.disclosure, group) or NEVER  # never stored unset: be strict
        if standing < _least_standing(group, level):
            hidden.append(group)
        elif level != PUBLIC:
            disclosed += [path for path in fields[group] if _is_set(posting, path.split("."))]
    return View(tuple(hidden), tuple(disclosed))


def redacted(posting: M, decided: View, alias: str) -> M:
    """Return a copy without what is hidden; ``alias`` stands in for a hidden name."""
    left = type(posting)()
    left.CopyFrom(posting)
    noun = "demand" if isinstance(posting, Demand) else "offer"
    clear(left, _ALWAYS_OWN[noun])
    for group in decided.hidden:
        clear(left, _fields(posting)[group])
    if decided.identity_hidden:
        left.name = alias
    return left


def clear(message: Message, paths: Iterable[str]) -> None:
    """Empty the fields at the dotted paths, in every element of a repeated one."""
    for path in paths:
        _clear(message, path.split("."))


def _fields(posting: Offer | Demand) -> Mapping[str, Sequence[str]]:
    return _DEMAND_FIELDS if isinstance(posting, Demand) else _OFFER_FIELDS


def _clear(message: Message, path: Sequence[str]) -> None:
    first, *rest = path
    if not rest:
        message.ClearField(first)
        return
    for part in _parts(message, first):
        _clear(part, rest)


def _is_set(message: Message, path: Sequence[str]) -> bool:
    first, *rest = path
    if rest:
        return any(_is_set(part, rest) for part in _parts(message, first))
    return any(field.name == first for field, _ in message.ListFields())


def _parts(message: Message, field: str) -> list[Message]:
    value = getattr(message, field)
    if isinstance(value, Message):
        return [value] if message.HasField(field) else []
    return list(value)
