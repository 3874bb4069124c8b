"""What a person sent with a form, and what is wrong with it, side by side.

A form that is not right comes back filled in, each problem beside its field.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from multidict import MultiMapping

from services.chassis.errors import DomainError
from services.gateway import refusals

LARGEST = Decimal(10**12)
FINEST = 9
"""Numbers above LARGEST, or with more than FINEST leading zeros behind the point, are mistakes."""


@dataclass
class Form:
    """Values and problems by field name; `general` holds what belongs to no field."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    general: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        """Return a field's text without outer blanks; empty when it is not there."""
        value = self.values.get(name, "")
        if isinstance(value, list):
            value = value[0] if value else ""
        return str(value).strip()

    def texts(self, name: str) -> list[str]:
        """Return all texts of a field that may be given several times."""
        value = self.values.get(name, [])
        found = value if isinstance(value, list) else [value]
        return [str(one).strip() for one in found if str(one).strip()]

    def checked(self, name: str) -> bool:
        """Return whether a box is ticked."""
        return bool(self.text(name))

    def require(self, name: str, problem: str) -> str:
        """Return a field's text, noting the problem when it is empty."""
        found = self.text(name)
        if not found:
            self.problems.setdefault(name, problem)
        return found

    def decimal(self, name: str, problem: str) -> Decimal | None:
        """Return a number as people write it (1,250.5 or 1，250.5); None when empty or wrong."""
        raw = re.sub(r"[\s,，_]", "", self.text(name)).replace("。", ".")
        if not raw:
            return None
        try:
            found = Decimal(raw)
        except InvalidOperation:
            found = Decimal("NaN")
        if not found.is_finite() or not 0 <= found <= LARGEST or found.adjusted() < -FINEST:
            self.problems.setdefault(name, problem)
            return None
        return found

    def whole(self, name: str, problem: str, most: int) -> int:
        """Return a whole number of at most ``most``; 0 when it is not there, or wrong."""
        found = self.decimal(name, problem)
        if found is None:
            return 0
        if found != found.to_integral_value() or found > most:
            self.problems.setdefault(name, problem)
            return 0
        return int(found)

    def take(self, error: DomainError, names: Mapping[str, str], language: str) -> None:
        """Put what a service found wrong beside the fields; the rest stands above the form.

        `names` maps paths of the contract (or their beginnings) to fields of the form; the
        longest beginning wins.
        """
        for violation in error.violations:
            fits = [path for path in names if violation.field.startswith(path)]
            said = refusals.sentence(violation.said, language)
            if fits:
                self.problems.setdefault(names[max(fits, key=len)], said)
            else:
                self.general.append(f"{violation.field}: {said}" if violation.field else said)
        if not error.violations:
            self.general.append(refusals.sentence(error.said, language))

    def without(self, *secrets: str) -> Form:
        """Return the form without values that are never sent back."""
        kept = {name: value for name, value in self.values.items() if name not in secrets}
        return Form(kept, self.problems, self.general)


def read(posted: MultiMapping[Any]) -> Form:
    """Return a form with what was posted; a name given several times holds a list."""
    values: dict[str, Any] = {}
    for name in posted:
        found = posted.getall(name)
        values[name] = found if len(found) > 1 else found[0]
    return Form(values)


def request_id(text: str) -> str:
    """Return the id that a form carried, or a new one where somebody has changed it."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid4())
