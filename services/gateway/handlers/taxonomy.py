"""Editing the taxonomy: capabilities into a draft, with the forms that they make, and adoption."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence

from aiohttp import web

from services.chassis.errors import Aborted, InvalidArgument
from services.gateway import market, refusals
from services.gateway.formats import text
from services.gateway.forms import attributes, definitions, fields
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.market.v1.capability_pb2 import Capability, Unit
from spareline.registry.v1 import taxonomy_service_pb2 as api
from spareline.registry.v1.registry_service_pb2 import FieldProblem

PAGE = "/operator/taxonomy"
_NAME = "taxonomyDraft"
_FOUND = 12
_VERSIONS = 10


async def _draft(request: web.Request) -> api.TaxonomyDraft:
    calls = caller(request)
    found: api.TaxonomyDraft = await calls.call(
        calls.services.taxonomy.GetTaxonomyDraft, api.GetTaxonomyDraftRequest(name=_NAME)
    )
    return found


async def show(request: web.Request) -> web.Response:
    """Show the tree or what was searched for in it, the draft, and the latest versions."""
    return await _page(request, fields.Form({"request_id": str(uuid.uuid4())}))


async def _page(request: web.Request, form: fields.Form, status: int = 200) -> web.Response:
    signed_in(request)
    calls, query = caller(request), request.query.get("q", "").strip()[:100]
    draft, versions, known = await asyncio.gather(
        _draft(request),
        calls.call(
            calls.services.taxonomy.ListTaxonomyVersions,
            api.ListTaxonomyVersionsRequest(
                page_size=_VERSIONS, page_token=request.query.get("page", "")
            ),
        ),
        market.capabilities(request),
    )
    below = request.query.get("below", "")
    return await render(
        request,
        "taxonomy.html",
        status=status,
        draft=draft,
        problems=_by_edit(draft, request[LANGUAGE]),
        versions=versions.taxonomy_versions,
        next_page=versions.next_page_token,
        query=query,
        below=known.get(below),
        above=[known[code] for code in _above(below) if code in known],
        listed=_listed(known, query, below, request[LANGUAGE]),
        form=form,
    )


def _above(code: str) -> list[str]:
    steps = code.split(".")
    return [".".join(steps[:end]) for end in range(1, len(steps))]


def _listed(
    known: Mapping[str, Capability], query: str, below: str, language: str
) -> Sequence[Capability]:
    """Return what words find, deprecated ones too, or what stands right below a code."""
    if not query:
        return sorted(
            (each for each in known.values() if each.parent_code == below),
            key=lambda each: each.code,
        )
    wanted = query.casefold()
    return [
        each
        for each in known.values()
        if wanted in each.code
        or wanted in text(each.display_name, language).casefold()
        or any(wanted in word.casefold() for word in (*each.synonyms_en, *each.synonyms_zh))
    ][:_FOUND]


def _by_edit(draft: api.TaxonomyDraft, language: str) -> list[list[str]]:
    """Return for each edit what is wrong with it, as sentences with their field."""
    found: list[list[str]] = [[] for _ in draft.edits]
    for problem in draft.problems:
        place, _, path = problem.field.removeprefix("taxonomy_draft.edits[").partition("]")
        sentence = _said(problem, language)
        if place.isdecimal() and int(place) < len(found):
            path = path.removeprefix(".")
            found[int(place)].append(f"{path}: {sentence}" if path else sentence)
    return found


async def edit(request: web.Request) -> web.Response:
    """Show the form of a capability: as the draft has it, as it is, or a new one below another."""
    signed_in(request)
    code, under = request.query.get("code", ""), request.query.get("under", "")
    draft = await _draft(request)
    definition = next((each for each in draft.edits if each.code == code), None)
    if definition is None and code:
        calls = caller(request)
        definition = await calls.call(
            calls.services.taxonomy.GetCapabilityDefinition,
            api.GetCapabilityDefinitionRequest(name=f"capabilities/{code}/definition"),
        )
    if definition is None:
        definition = Capability(code=f"{under}." if under else "")
    form = definitions.fill(definition)
    known = await market.capabilities(request)
    if (unit := form.text("unit")) and unit not in _units(known):
        form.values |= {
            "unit": "new",
            "unit_code": unit,
            "unit_en": definition.unit.display_name.en,
            "unit_zh": definition.unit.display_name.zh,
            "unit_plural": definition.unit.plural_en,
            "resolution": definition.unit.resolution,
        }
    form.values |= {"etag": draft.etag, "was": code}
    if any(each.code == code for each in draft.edits):
        _note(form, draft, code, request[LANGUAGE])
    return await _form(request, form, draft)


def _note(form: fields.Form, draft: api.TaxonomyDraft, code: str, language: str) -> None:
    place = next(i for i, each in enumerate(draft.edits) if each.code == code)
    mine = [p for p in draft.problems if p.field.startswith(f"taxonomy_draft.edits[{place}]")]
    definitions.note(form, [(p.field, _said(p, language)) for p in mine])


def _said(problem: FieldProblem, language: str) -> str:
    return refusals.told(problem.words, problem.description, problem.mend, language)


def _units(known: Mapping[str, Capability]) -> dict[str, Unit]:
    return {each.unit.code: each.unit for each in known.values()}


async def _form(
    request: web.Request, form: fields.Form, draft: api.TaxonomyDraft, status: int = 200
) -> web.Response:
    language, known = request[LANGUAGE], await market.capabilities(request)
    code = form.text("code")
    present = known.get(code)
    parent = known.get(code.rpartition(".")[0])
    preview = next((each for each in draft.results if each.code == code), None) or present
    units = sorted(_units(known).items(), key=lambda pair: text(pair[1].display_name, language))
    own = {form.text(f"a{i}_key") for i in range(definitions.rows(form))}
    return await render(
        request,
        "taxonomy_edit.html",
        status=status,
        form=form,
        present=present,
        inherited=[a for a in (parent.attributes if parent else ()) if a.key not in own],
        rows=definitions.rows(form),
        units=[(unit_code, text(unit.display_name, language)) for unit_code, unit in units],
        preview=preview,
        offer_controls=_preview(preview, "offer", language),
        demand_controls=_preview(preview, "demand", language),
        blank=fields.Form(),
        drafted=any(each.code == code for each in draft.edits),
        pending=any(each.code == code for each in draft.results),
    )


def _preview(
    capability: Capability | None, side: attributes.Side, language: str
) -> list[attributes.Control]:
    prefix = f"preview_{side}_"
    return attributes.controls(capability, prefix, side, language) if capability else []


async def save(request: web.Request) -> web.StreamResponse:
    """Put a definition into the draft, in the place of an earlier one of the same code."""
    signed_in(request)
    form = fields.read(await request.post())
    definition = definitions.read(
        form, _units(await market.capabilities(request)), request[LANGUAGE]
    )
    draft = await _draft(request)
    if form.text("action") == "more":
        form.values["rows"] = str(definitions.rows(form) + definitions.SPARE_ROWS)
        return await _form(request, form, draft)
    if form.problems:
        return await _form(request, form, draft, 400)
    if not definition.code.strip("."):
        form.problems["code"] = gettext(
            request, "Give a code such as production.machining.milling."
        )
        return await _form(request, form, draft, 400)
    replaced = {definition.code, form.text("was")}
    kept = [each for each in draft.edits if each.code not in replaced]
    edits = sorted([*kept, definition], key=lambda each: (each.code.count("."), each.code))
    try:
        await _store(request, edits, form.text("etag"))
    except Aborted:
        form.general.append(
            gettext(request, "Somebody else has changed the draft meanwhile. Save once more.")
        )
        form.values["etag"] = draft.etag
        return await _form(request, form, draft, 409)
    raise web.HTTPSeeOther(f"{PAGE}/edit?code={definition.code}#preview")


async def _store(request: web.Request, edits: Sequence[Capability], etag: str) -> None:
    calls = caller(request)
    await calls.call(
        calls.services.taxonomy.UpdateTaxonomyDraft,
        api.UpdateTaxonomyDraftRequest(
            taxonomy_draft=api.TaxonomyDraft(name=_NAME, edits=edits, etag=etag)
        ),
    )


async def drop(request: web.Request) -> web.StreamResponse:
    """Take an edit out of the draft."""
    signed_in(request)
    form, draft = fields.read(await request.post()), await _draft(request)
    left = [each for each in draft.edits if each.code != form.text("code")]
    await _store(request, left, draft.etag)
    await notify(request, "Dropped from the draft. Nothing was changed in the market.")
    raise web.HTTPSeeOther(PAGE)


async def adopt(request: web.Request) -> web.StreamResponse:
    """Make the draft the next version."""
    signed_in(request)
    form, calls = fields.read(await request.post()), caller(request)
    form.require("note", gettext(request, "Say why; it stays with the version."))
    if not form.problems:
        try:
            await calls.call(
                calls.services.taxonomy.AdoptTaxonomyDraft,
                api.AdoptTaxonomyDraftRequest(
                    name=_NAME,
                    etag=form.text("etag"),
                    note=form.text("note")[:500],
                    request_id=form.text("request_id"),
                ),
            )
        except Aborted:
            form.general.append(
                gettext(request, "The draft was changed meanwhile. Look at it once more.")
            )
        except InvalidArgument as error:
            form.take(error, {}, request[LANGUAGE])
        else:
            market.forget(request)
            await notify(request, "Adopted: it is in effect for new offers and demands.")
            raise web.HTTPSeeOther(PAGE)
    return await _page(request, form, 400)
