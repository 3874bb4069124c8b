"""The parts that offers and demands share: attributes, reach, requirements, disclosure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.sample.files import SampleError
from spareline.market.v1.capability_pb2 import AttributeValue, Codes, Range
from spareline.market.v1.disclosure_pb2 import Disclosure, DisclosureLevel
from spareline.market.v1.offer_pb2 import Reach, Requirements


def attribute(value: Any) -> AttributeValue:
    """An attribute's value: a number, yes or no, a text, [low, high], or a list of codes.

    Raises:
        SampleError: the value is none of these.
    """
    # In Python a bool is an int, hence this order.
    if isinstance(value, bool):
        return AttributeValue(boolean=value)
    if isinstance(value, int):
        return AttributeValue(integer=value)
    if isinstance(value, str):
        return AttributeValue(text=value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return AttributeValue(codes=Codes(codes=value))
    if isinstance(value, list) and [type(each) for each in value] == [int, int]:
        return AttributeValue(range=Range(lowest=value[0], highest=value[1]))
    raise SampleError(f"{value!r} is no value of an attribute")


def attributes(values: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """The attributes of an entry by key."""
    return {key: attribute(value) for key, value in values.items()}


def reach(values: Mapping[str, Any]) -> Reach:
    """Where a partner must be."""
    return Reach(**values)


def requirements(values: Mapping[str, Any]) -> Requirements:
    """What a partner must bring: standards, credit (the worst grade), excluded (ids)."""
    unknown = set(values) - {"standards", "credit", "excluded"}
    if unknown:
        raise SampleError(f"requires: unknown: {', '.join(sorted(unknown))}")
    return Requirements(
        least_credit_grade=values.get("credit", ""),
        standards=values.get("standards", []),
        excluded_organizations=[organization(each) for each in values.get("excluded", [])],
    )


def disclosure(values: Mapping[str, str]) -> Disclosure:
    """Who may see what: a level's name, without its prefix, by group of fields."""
    return Disclosure(
        **{
            group: DisclosureLevel.Value(f"DISCLOSURE_LEVEL_{level}")
            for group, level in values.items()
        }
    )


def organization(short: str) -> str:
    """The resource name of an organization."""
    return f"organizations/{short}"


def posting_name(short: str, collection: str) -> str:
    """The resource name of "organization/posting" in a collection, "offers" or "demands"."""
    owner, slash, posting = short.partition("/")
    if not slash or not posting:
        raise SampleError(f"{short}: an id looks like organization/{collection.removesuffix('s')}")
    return f"organizations/{owner}/{collection}/{posting}"
