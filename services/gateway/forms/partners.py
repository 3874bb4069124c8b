"""What offers and demands share: where a partner may be, what it must have, who sees what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from services.gateway.forms.fields import Form
from services.gateway.forms.quantities import NotWhole, plain
from services.gateway.languages import translations
from spareline.market.v1.disclosure_pb2 import Disclosure, DisclosureLevel
from spareline.market.v1.offer_pb2 import Reach, Requirements

LEVELS = {
    "public": DisclosureLevel.DISCLOSURE_LEVEL_PUBLIC,
    "on_proposal": DisclosureLevel.DISCLOSURE_LEVEL_ON_PROPOSAL,
    "on_confirmation": DisclosureLevel.DISCLOSURE_LEVEL_ON_CONFIRMATION,
    "never": DisclosureLevel.DISCLOSURE_LEVEL_NEVER,
}
_NAMES = {level: name for name, level in LEVELS.items()}
FURTHEST_KM = 20040  # half the way round the Earth
GROUPS = ("identity", "price", "quantity")


@contextmanager
def whole(form: Form, name: str, language: str) -> Iterator[None]:
    """Note in the form when a value lies between two that can be traded."""
    try:
        yield
    except NotWhole as error:
        _ = translations(language).gettext
        form.problems.setdefault(
            name, _("Only multiples of %(step)s can be traded.") % {"step": plain(error.step)}
        )


def words(text: str) -> list[str]:
    """Return what is separated by commas, semicolons or lines, in either script."""
    return [each.strip() for each in re.split(r"[,，;；\n]", text) if each.strip()]


def read(form: Form, prefix: str, language: str) -> tuple[Reach, Requirements]:
    """Return where the partner may be, and what is asked of it."""
    _ = translations(language).gettext
    radius = form.whole(f"{prefix}radius", _("Give whole kilometres, such as 150."), FURTHEST_KM)
    reach = Reach(regions=form.texts(f"{prefix}regions"), radius_km=radius)
    standards = words(form.text(f"{prefix}standards"))
    requirements = Requirements(
        standards=list(dict.fromkeys(standards)),
        least_credit_grade=form.text(f"{prefix}grade"),
        excluded_organizations=form.text(f"{prefix}excluded").split(),
    )
    return reach, requirements


def fill(reach: Reach, requirements: Requirements, prefix: str) -> dict[str, object]:
    """Return the same as the form's fields."""
    return {
        f"{prefix}regions": list(reach.regions),
        f"{prefix}radius": str(reach.radius_km) if reach.radius_km else "",
        f"{prefix}standards": ", ".join(requirements.standards),
        f"{prefix}grade": requirements.least_credit_grade,
        f"{prefix}excluded": " ".join(requirements.excluded_organizations),
    }


def read_disclosure(form: Form, side: Literal["offer", "demand"]) -> Disclosure:
    """Return who may see what. A demand's limit prices stay sealed unless opened on purpose."""
    unspecified = DisclosureLevel.DISCLOSURE_LEVEL_UNSPECIFIED
    found = Disclosure(**{group: LEVELS.get(form.text(group), unspecified) for group in GROUPS})
    if side == "demand" and found.price == unspecified:
        found.price = DisclosureLevel.DISCLOSURE_LEVEL_NEVER
    return found


def fill_disclosure(disclosure: Disclosure) -> dict[str, object]:
    """Return the same as the form's fields."""
    return {group: _NAMES.get(getattr(disclosure, group), "") for group in GROUPS}
