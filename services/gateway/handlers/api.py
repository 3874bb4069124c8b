"""The JSON API told to people, and its OpenAPI document for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from aiohttp import web

from services.gateway.api import openapi, problems
from services.gateway.render import render
from spareline.errors.v1 import reason_pb2


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the list of methods."""

    verb: str
    path: str
    name: str
    summary: str
    public: bool


@cache
def _text() -> str:
    return json.dumps(openapi.document(), ensure_ascii=False)


async def document(_: web.Request) -> web.Response:
    """Send the OpenAPI document."""
    return web.Response(
        text=_text(),
        content_type="application/json",
        headers={"Cache-Control": "public, max-age=300"},
    )


@cache
def _groups() -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = {}
    for path, operations in openapi.document()["paths"].items():
        for verb, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append(
                Operation(
                    verb.upper(),
                    path,
                    operation["operationId"],
                    operation["summary"],
                    operation.get("security") == [],
                )
            )
    return groups


async def show(request: web.Request) -> web.Response:
    """Show how to begin, all methods, and what each reason of a refusal means."""
    reasons = {
        value.name: problems.titles()[value.number]
        for value in reason_pb2.Reason.DESCRIPTOR.values
        if value.number
    }
    return await render(
        request,
        "api.html",
        groups=_groups(),
        reasons=reasons,
        address=str(request.url.origin()),
    )
