"""The form of a capability's definition: its own part, as operators write it down."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from services.gateway.forms.fields import Form
from services.gateway.languages import translations
from spareline.market.v1.capability_pb2 import (
    AttributeSchema,
    Capability,
    Choice,
    LocalizedText,
    Unit,
)

SPARE_ROWS = 2
MOST_ROWS = 60
SCHEMES = ("isic", "nace", "unspsc", "okw")
TYPES = {
    "integer": AttributeSchema.TYPE_INTEGER,
    "range": AttributeSchema.TYPE_RANGE,
    "choice": AttributeSchema.TYPE_CHOICE,
    "choices": AttributeSchema.TYPE_CHOICES,
    "boolean": AttributeSchema.TYPE_BOOLEAN,
    "text": AttributeSchema.TYPE_TEXT,
}
RULES = {
    "at_least": AttributeSchema.RULE_AT_LEAST,
    "at_most": AttributeSchema.RULE_AT_MOST,
    "within": AttributeSchema.RULE_WITHIN,
    "one_of": AttributeSchema.RULE_ONE_OF,
    "all_of": AttributeSchema.RULE_ALL_OF,
    "equals": AttributeSchema.RULE_EQUALS,
}
_TYPE_NAMES: Mapping[int, str] = {number: name for name, number in TYPES.items()}
_RULE_NAMES: Mapping[int, str] = {number: name for name, number in RULES.items()}
_TRUTH = {True: "yes", False: "no"}
_DEPRECATED = "deprecated"
_PROBLEM = re.compile(r"taxonomy_draft\.edits\[\d+\]\.?(?P<path>.*)")


def fill(definition: Capability) -> Form:
    """Return the form of a definition."""
    values: dict[str, object] = {
        "code": definition.code,
        "name_en": definition.display_name.en,
        "name_zh": definition.display_name.zh,
        "synonyms_en": ", ".join(definition.synonyms_en),
        "synonyms_zh": "，".join(definition.synonyms_zh),
        "ships": _TRUTH[definition.ships] if definition.HasField("ships") else "",
        "deprecated": "yes" if definition.deprecated else "",
        "unit": definition.unit.code if definition.HasField("unit") else "",
        **{scheme: definition.classifications.get(scheme, "") for scheme in SCHEMES},
    }
    for index, each in enumerate(definition.attributes):
        values |= {f"a{index}_{name}": text for name, text in _attribute_values(each).items()}
    values["rows"] = str(len(definition.attributes) + SPARE_ROWS)
    return Form(values)


def _attribute_values(each: AttributeSchema) -> dict[str, str]:
    return {
        "key": each.key,
        "en": each.display_name.en,
        "zh": each.display_name.zh,
        "type": _TYPE_NAMES.get(each.type, ""),
        "rule": _RULE_NAMES.get(each.rule, ""),
        "unit": each.unit,
        "minimum": str(each.minimum) if each.HasField("minimum") else "",
        "maximum": str(each.maximum) if each.HasField("maximum") else "",
        "required": _TRUTH[each.required_in_offer] if each.HasField("required_in_offer") else "",
        "help_en": each.help.en,
        "help_zh": each.help.zh,
        "choices": "\n".join(_choice_line(choice) for choice in each.choices),
        "deprecated": "yes" if each.deprecated else "",
    }


def _choice_line(choice: Choice) -> str:
    parts = [choice.code, choice.display_name.en, choice.display_name.zh]
    return " | ".join([*parts, _DEPRECATED] if choice.deprecated else parts)


def rows(form: Form) -> int:
    """Return how many attributes the form has room for."""
    found = form.text("rows")
    return min(max(int(found) if found.isdecimal() else 0, SPARE_ROWS), MOST_ROWS)


def read(form: Form, units: Mapping[str, Unit], language: str) -> Capability:
    """Return the definition that was typed; what no definition can hold is noted in the form."""
    _ = translations(language).gettext
    definition = Capability(
        code=form.text("code"),
        display_name=LocalizedText(en=form.text("name_en"), zh=form.text("name_zh")),
        synonyms_en=_words(form.text("synonyms_en")),
        synonyms_zh=_words(form.text("synonyms_zh")),
        deprecated=form.checked("deprecated"),
        classifications={s: form.text(s) for s in SCHEMES if form.text(s)},
    )
    if form.text("ships"):
        definition.ships = form.text("ships") == "yes"
    if form.text("unit") == "new":
        definition.unit.CopyFrom(
            Unit(
                code=form.text("unit_code"),
                display_name=LocalizedText(en=form.text("unit_en"), zh=form.text("unit_zh")),
                resolution=form.text("resolution") or "1",
                plural_en=form.text("unit_plural"),
            )
        )
    elif form.text("unit") in units:
        definition.unit.CopyFrom(units[form.text("unit")])
    for index in range(rows(form)):
        if form.text(f"a{index}_key"):
            definition.attributes.append(_attribute(form, f"a{index}_", _("Give a whole number.")))
    return definition


def _attribute(form: Form, prefix: str, not_whole: str) -> AttributeSchema:
    def said(name: str) -> str:
        return form.text(prefix + name)

    each = AttributeSchema(
        key=said("key"),
        type=TYPES.get(said("type"), AttributeSchema.TYPE_UNSPECIFIED),
        rule=RULES.get(said("rule"), AttributeSchema.RULE_UNSPECIFIED),
        unit=said("unit"),
        choices=[_choice(line) for line in said("choices").splitlines() if line.strip()],
        deprecated=bool(said("deprecated")),
    )
    if said("en") or said("zh"):
        each.display_name.CopyFrom(LocalizedText(en=said("en"), zh=said("zh")))
    if said("help_en") or said("help_zh"):
        each.help.CopyFrom(LocalizedText(en=said("help_en"), zh=said("help_zh")))
    if said("required"):
        each.required_in_offer = said("required") == "yes"
    for bound in ("minimum", "maximum"):
        if not said(bound):
            continue
        if re.fullmatch(r"-?\d{1,15}", said(bound)):
            setattr(each, bound, int(said(bound)))
        else:
            form.problems[prefix + bound] = not_whole
    return each


def _choice(line: str) -> Choice:
    """Read "code | English | 中文", with "| deprecated" behind it if nobody should choose it."""
    parts = [part.strip() for part in re.split(r"[|｜]", line)]
    parts += [""] * (4 - len(parts))
    return Choice(
        code=parts[0],
        display_name=LocalizedText(en=parts[1], zh=parts[2]),
        deprecated=parts[3].casefold() in (_DEPRECATED, "停用"),
    )


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(w.strip() for w in re.split(r"[,，、;；\n]", text) if w.strip()))


def note(form: Form, problems: Sequence[tuple[str, str]]) -> None:
    """Put what the registry found wrong beside the fields of the form.

    ``problems`` are pairs of a path such as taxonomy_draft.edits[0].attributes.key and a sentence.
    """
    keys = {form.text(f"a{i}_key"): f"a{i}_" for i in range(rows(form))}
    for path, sentence in problems:
        found = _PROBLEM.fullmatch(path)
        field = _field(found["path"] if found else "", keys)
        if field:
            form.problems.setdefault(field, sentence)
        else:
            form.general.append(sentence)


def _field(path: str, keys: Mapping[str, str]) -> str:
    plain = {"code": "code", "name.en": "name_en", "name.zh": "name_zh", "unit.code": "unit_code"}
    plain |= {"unit.name.en": "unit_en", "unit.name.zh": "unit_zh", "unit.resolution": "resolution"}
    plain["unit.plural"] = "unit_plural"
    plain |= {f"classification.{scheme}": scheme for scheme in SCHEMES}
    if path in plain:
        return plain[path]
    if not path.startswith("attributes."):
        return ""
    key, _, rest = path.removeprefix("attributes.").partition(".")
    prefix = keys.get(key, "")
    names = {"name.en": "en", "name.zh": "zh", "help.en": "help_en", "help.zh": "help_zh"}
    column = names.get(rest, rest.partition(".")[0])
    known = {"type", "rule", "unit", "minimum", "maximum", "choices", *names.values()}
    return prefix + (column if column in known else "key") if prefix else ""
