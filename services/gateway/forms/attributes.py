"""The part of a form that a capability's schema makes: one field per attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.gateway.formats import text
from services.gateway.forms.fields import Form
from services.gateway.languages import translations
from spareline.market.v1.capability_pb2 import (
    AttributeSchema,
    AttributeValue,
    Capability,
    Codes,
    Range,
)

Side = Literal["offer", "demand"]
_T = AttributeSchema


@dataclass(frozen=True, slots=True)
class Control:
    """How one attribute is asked for. `kind` names the macro that draws it."""

    name: str
    label: str
    kind: Literal["number", "range", "choice", "choices", "boolean", "text"]
    unit: str
    hint: str
    required: bool
    choices: tuple[tuple[str, str], ...]


def controls(
    capability: Capability, prefix: str, side: Side, language: str, form: Form | None = None
) -> list[Control]:
    """Return the controls of a capability, in the order of its schema.

    What is deprecated is asked for only where ``form`` has it already.
    """
    return [
        _control(attribute, prefix, side, language, form)
        for attribute in asked(capability, prefix, form)
    ]


def asked(capability: Capability, prefix: str, form: Form | None = None) -> list[AttributeSchema]:
    """Return the attributes that a form asks for."""
    return [
        attribute
        for attribute in capability.attributes
        if not attribute.deprecated or (form is not None and _filled(form, prefix, attribute))
    ]


def _filled(form: Form, prefix: str, attribute: AttributeSchema) -> bool:
    name = f"{prefix}attr_{attribute.key}"
    return bool(form.texts(name) or form.text(f"{name}_low") or form.text(f"{name}_high"))


def _control(
    attribute: AttributeSchema, prefix: str, side: Side, language: str, form: Form | None
) -> Control:
    kinds: dict[int, Literal["number", "range", "choice", "choices", "boolean", "text"]] = {
        _T.TYPE_INTEGER: "number",
        _T.TYPE_RANGE: "range",
        _T.TYPE_CHOICE: "choice",
        _T.TYPE_CHOICES: "choices",
        _T.TYPE_BOOLEAN: "boolean",
        _T.TYPE_TEXT: "text",
    }
    name, kind = f"{prefix}attr_{attribute.key}", kinds.get(attribute.type, "text")
    if kind == "choice" and side == "demand" and attribute.rule == _T.RULE_ONE_OF:
        kind = "choices"  # whoever asks may be content with any of several
    return Control(
        name=name,
        label=text(attribute.display_name, language),
        kind=kind,
        unit=attribute.unit,
        hint=text(attribute.help, language) or _rule_hint(attribute, side, language),
        required=side == "offer" and attribute.required_in_offer,
        choices=tuple(
            (c.code, text(c.display_name, language))
            for c in attribute.choices
            if not c.deprecated or (form is not None and c.code in form.texts(name))
        ),
    )


def _rule_hint(attribute: AttributeSchema, side: Side, language: str) -> str:
    if side == "offer":
        return ""
    _ = translations(language).gettext
    hints = {
        _T.RULE_AT_LEAST: _("At least this much."),
        _T.RULE_AT_MOST: _("At most this much."),
        _T.RULE_ALL_OF: _("All that you tick must be there."),
        _T.RULE_ONE_OF: _("Any one that you tick will do."),
    }
    return hints.get(attribute.rule, "")


def read(
    form: Form, capability: Capability, prefix: str, side: Side, language: str
) -> dict[str, AttributeValue]:
    """Return the values typed in; what is wrong is noted in the form."""
    _ = translations(language).gettext
    values: dict[str, AttributeValue] = {}
    for attribute, control in zip(
        asked(capability, prefix, form),
        controls(capability, prefix, side, language, form),
        strict=True,
    ):
        value = _read_one(form, control, _("Give a whole number."))
        if value is not None:
            values[attribute.key] = value
        elif control.required and control.name not in form.problems:
            form.problems[control.name] = _("Needed for this capability.")
    return values


def _read_one(form: Form, control: Control, not_whole: str) -> AttributeValue | None:
    if control.kind == "number":
        number = _whole(form, control.name, not_whole)
        return None if number is None else AttributeValue(integer=number)
    if control.kind == "range":
        low = _whole(form, f"{control.name}_low", not_whole)
        high = _whole(form, f"{control.name}_high", not_whole)
        ends = [end for end in (low, high) if end is not None]
        if not ends:
            return None
        return AttributeValue(range=Range(lowest=ends[0], highest=ends[-1]))
    if control.kind in {"choice", "choices"}:
        codes = form.texts(control.name)
        return AttributeValue(codes=Codes(codes=codes)) if codes else None
    found = form.text(control.name)
    if not found:
        return None
    if control.kind == "boolean":
        return AttributeValue(boolean=found == "yes")
    return AttributeValue(text=found)


def _whole(form: Form, name: str, problem: str) -> int | None:
    found = form.decimal(name, problem)
    if found is None:
        return None
    if found != found.to_integral_value():
        form.problems.setdefault(name, problem)
        return None
    return int(found)


def fill(values: dict[str, AttributeValue], prefix: str) -> dict[str, object]:
    """Return stored values as the form's fields."""
    filled: dict[str, object] = {}
    for key, value in values.items():
        name = f"{prefix}attr_{key}"
        match value.WhichOneof("value"):
            case "integer":
                filled[name] = str(value.integer)
            case "codes":
                filled[name] = list(value.codes.codes)
            case "boolean":
                filled[name] = "yes" if value.boolean else "no"
            case "text":
                filled[name] = value.text
            case "range":
                filled[f"{name}_low"] = str(value.range.lowest)
                filled[f"{name}_high"] = str(value.range.highest)
    return filled


def shown(value: AttributeValue, attribute: AttributeSchema, language: str) -> str:
    """Write a value for a reader."""
    names = {choice.code: text(choice.display_name, language) for choice in attribute.choices}
    _ = translations(language).gettext
    unit = f" {attribute.unit}" if attribute.unit else ""
    match value.WhichOneof("value"):
        case "integer":
            return f"{value.integer}{unit}"
        case "codes":
            return ("、" if language == "zh" else ", ").join(
                names.get(code, code) for code in value.codes.codes
            )
        case "boolean":
            return _("yes") if value.boolean else _("no")
        case "range":
            return f"{value.range.lowest}–{value.range.highest}{unit}"
        case _:
            return value.text
