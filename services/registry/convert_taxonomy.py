"""Between the taxonomy and its contract: capabilities out, an operator's extension in."""

from typing import Any

from services.registry.domain.taxonomy import Attribute, AttributeType, Capability, Rule, Text, Unit
from services.registry.domain.taxonomy_schema import AttributeForm, NodeForm
from spareline.market.v1 import capability_pb2

_Schema = capability_pb2.AttributeSchema

_TYPES = {
    AttributeType.INTEGER: _Schema.TYPE_INTEGER,
    AttributeType.CHOICE: _Schema.TYPE_CHOICE,
    AttributeType.CHOICES: _Schema.TYPE_CHOICES,
    AttributeType.BOOLEAN: _Schema.TYPE_BOOLEAN,
    AttributeType.TEXT: _Schema.TYPE_TEXT,
    AttributeType.RANGE: _Schema.TYPE_RANGE,
}
_TYPES_IN = {value: key for key, value in _TYPES.items()}
_RULES = {
    Rule.AT_LEAST: _Schema.RULE_AT_LEAST,
    Rule.AT_MOST: _Schema.RULE_AT_MOST,
    Rule.ONE_OF: _Schema.RULE_ONE_OF,
    Rule.ALL_OF: _Schema.RULE_ALL_OF,
    Rule.WITHIN: _Schema.RULE_WITHIN,
    Rule.EQUALS: _Schema.RULE_EQUALS,
}
_RULES_IN = {value: key for key, value in _RULES.items()}


def capability(each: Capability) -> capability_pb2.Capability:
    """Return a capability with all its attributes, inherited ones first."""
    message = capability_pb2.Capability(
        name=f"capabilities/{each.code}",
        code=each.code,
        parent_code=each.parent,
        display_name=_text(each.name),
        synonyms_en=each.synonyms.get("en", ()),
        synonyms_zh=each.synonyms.get("zh", ()),
        unit=_unit(each.unit),
        attributes=[_attribute(attribute) for attribute in each.attributes.values()],
        classifications=dict(each.classification),
        leaf=each.leaf,
        deprecated=each.deprecated,
    )
    if each.ships:  # a resolved capability leaves out what is false, as it always has
        message.ships = True
    return message


def _text(text: Text) -> capability_pb2.LocalizedText:
    return capability_pb2.LocalizedText(en=text.en, zh=text.zh)


def _unit(unit: Unit) -> capability_pb2.Unit:
    return capability_pb2.Unit(
        code=unit.code,
        display_name=_text(unit.name),
        resolution=str(unit.resolution),
        plural_en=unit.plural,
    )


def _attribute(each: Attribute) -> capability_pb2.AttributeSchema:
    message = _Schema(
        key=each.key,
        display_name=_text(each.name),
        type=_TYPES[each.type],
        rule=_RULES[each.rule],
        unit=each.unit,
        choices=[
            capability_pb2.Choice(
                code=code,
                display_name=_text(name),
                deprecated=code in each.deprecated_choices,
            )
            for code, name in each.choices.items()
        ],
        deprecated=each.deprecated,
    )
    if each.required_in_offer:
        message.required_in_offer = True
    if each.type in (AttributeType.INTEGER, AttributeType.RANGE):
        message.minimum, message.maximum = each.minimum, each.maximum
    if each.help is not None:
        message.help.CopyFrom(_text(each.help))
    return message


def node(message: capability_pb2.Capability) -> dict[str, Any]:
    """Return a capability in the form of a taxonomy file, with its own attributes only.

    What is not set is left out, so that it is inherited or found missing by the taxonomy.
    """
    found: dict[str, Any] = {
        "name": _words(message.display_name),
        "synonyms": {"en": list(message.synonyms_en), "zh": list(message.synonyms_zh)},
        "attributes": {each.key: _attribute_node(each) for each in message.attributes},
        "classification": dict(message.classifications),
    }
    if message.HasField("unit"):
        found["unit"] = {
            "code": message.unit.code,
            "name": _words(message.unit.display_name),
            "resolution": message.unit.resolution,
        }
        if message.unit.plural_en:
            found["unit"]["plural"] = message.unit.plural_en
    if message.HasField("ships") or "." not in message.code:
        found["ships"] = message.ships
    if message.deprecated:
        found["deprecated"] = True
    return found


def _words(text: capability_pb2.LocalizedText) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}


def _attribute_node(each: capability_pb2.AttributeSchema) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if each.HasField("display_name"):
        found["name"] = _words(each.display_name)
    if each.type:
        found["type"] = str(_TYPES_IN.get(each.type, each.type))
    if each.rule:
        found["rule"] = str(_RULES_IN.get(each.rule, each.rule))
    if each.unit:
        found["unit"] = each.unit
    if each.choices:
        found["choices"] = {
            choice.code: _words(choice.display_name)
            | ({"deprecated": True} if choice.deprecated else {})
            for choice in each.choices
        }
    for bound in ("minimum", "maximum"):
        if each.HasField(bound):
            found[bound] = getattr(each, bound)
    if each.HasField("required_in_offer"):
        found["required_in_offer"] = each.required_in_offer
    if each.deprecated:
        found["deprecated"] = True
    if each.HasField("help"):
        found["help"] = _words(each.help)
    return found


def definition(code: str, node: NodeForm) -> capability_pb2.Capability:
    """Return a node of a file as a capability with its own part only."""
    message = capability_pb2.Capability(
        name=f"capabilities/{code}",
        code=code,
        parent_code=code.rpartition(".")[0],
        display_name=_text(node.name.build()),
        synonyms_en=node.synonyms.en,
        synonyms_zh=node.synonyms.zh,
        unit=_unit(node.unit.build()) if node.unit else None,
        attributes=[_own_attribute(key, form) for key, form in node.attributes.items()],
        classifications=node.classification.model_dump(exclude_none=True),
        deprecated=node.deprecated,
    )
    if node.ships is not None:
        message.ships = node.ships
    return message


def _own_attribute(key: str, form: AttributeForm) -> capability_pb2.AttributeSchema:
    message = _Schema(
        key=key,
        display_name=_text(form.name.build()) if form.name else None,
        type=_TYPES[form.type] if form.type else _Schema.TYPE_UNSPECIFIED,
        rule=_RULES[form.rule] if form.rule else _Schema.RULE_UNSPECIFIED,
        unit=form.unit or "",
        choices=[
            capability_pb2.Choice(
                code=code, display_name=_text(each.build()), deprecated=each.deprecated
            )
            for code, each in (form.choices or {}).items()
        ],
        help=_text(form.help.build()) if form.help else None,
        deprecated=bool(form.deprecated),
    )
    for field in ("minimum", "maximum", "required_in_offer"):
        if getattr(form, field) is not None:
            setattr(message, field, getattr(form, field))
    return message
