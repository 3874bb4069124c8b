"""The lines of a demand's form: one more, one less, and which waits for which.

Fields of line *i* begin with ``l<i>_``; ``l<i>_after`` holds the indexes of the lines that must
have ended before it starts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.gateway.forms.fields import Form
from spareline.market.v1.demand_pb2 import Demand, Line, Precedence

MOST = 12
_FIELD = re.compile(r"l(\d{1,2})_(.+)", re.ASCII)


def count(form: Form) -> int:
    """Return how many lines the form has, between one and MOST."""
    raw = form.text("lines")
    return min(MOST, max(1, int(raw[:4]) if raw.isdecimal() else 1))


def drop(form: Form, index: int) -> None:
    """Take a line out; those behind it move up, and nobody waits for it any more."""
    lines = count(form)
    if lines == 1 or not 0 <= index < lines:
        return
    moved: dict[str, object] = {}
    for name, value in form.values.items():
        found = _FIELD.fullmatch(name)
        if not found:
            moved[name] = value
        elif (line := int(found[1])) != index:
            if found[2] == "after":
                value = [str(i - (i > index)) for i in after(form, line) if i != index]
            moved[f"l{line - (line > index)}_{found[2]}"] = value
    form.values = moved | {"lines": str(lines - 1)}


def after(form: Form, index: int) -> list[int]:
    """Return the indexes of the lines that a line waits for."""
    lines = count(form)
    found = {int(raw) for raw in form.texts(f"l{index}_after") if raw in _INDEXES}
    return sorted(i for i in found if i < lines and i != index)


def precedences(form: Form, lines: Sequence[Line | None]) -> list[Precedence]:
    """Return which line comes before which, by their ids."""
    found = []
    for index, line in enumerate(lines):
        for earlier in after(form, index):
            before = lines[earlier] if earlier < len(lines) else None
            if line is not None and before is not None:
                found.append(Precedence(before=before.id, after=line.id))
    return found


def fill(demand: Demand) -> dict[str, object]:
    """Return the precedences of a stored demand as the form's fields."""
    index = {line.id: str(i) for i, line in enumerate(demand.lines)}
    fields: dict[str, list[str]] = {}
    for each in demand.precedences:
        if each.before in index and each.after in index:
            fields.setdefault(f"l{index[each.after]}_after", []).append(index[each.before])
    return dict(fields)


_INDEXES = frozenset(str(i) for i in range(MOST))
