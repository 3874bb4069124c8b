"""Pages from templates, in the reader's language."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp_session import get_session
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.gateway import formats, refusals, terms
from services.gateway.languages import LANGUAGE, LANGUAGES, gettext, translations
from services.gateway.middleware import security
from services.gateway.people import PERSON

WEB = Path(__file__).parent / "web"
_NOTICES = "notices"


@cache
def asset(path: str) -> str:
    """Return the address of a static file, with a mark that changes when the file does."""
    digest = hashlib.sha256((WEB / "static" / path).read_bytes()).hexdigest()[:12]
    return f"/static/{path}?v={digest}"


@cache
def environment(language: str) -> Environment:
    """Return the template environment of a language."""
    env = Environment(
        loader=FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    env.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    env.globals.update(asset=asset, language=language, languages=LANGUAGES)
    env.filters.update(formats.filters(language))
    env.filters["why_failed"] = lambda round_: refusals.why_failed(round_, language)
    env.tests["report_due"] = terms.report_due
    env.filters["why_undelivered"] = lambda sent: refusals.why_undelivered(sent, language)
    return env


async def render(
    request: web.Request, template: str, *, status: int = 200, **context: Any
) -> web.Response:
    """Return a page. Notices that were left for the reader are shown once."""
    session = await get_session(request)
    notices = session.pop(_NOTICES, []) if _NOTICES in session else []
    text = (
        environment(request[LANGUAGE])
        .get_template(template)
        .render(
            person=request.get(PERSON),
            path=request.path,
            path_qs=request.rel_url.path_qs,
            csrf_token=await security.token(request),
            notices=notices,
            **context,
        )
    )
    return web.Response(text=text, status=status, content_type="text/html")


async def notify(request: web.Request, message: str, **values: object) -> None:
    """Leave a line for the reader's next page."""
    session = await get_session(request)
    session[_NOTICES] = [*session.get(_NOTICES, []), gettext(request, message, **values)]
