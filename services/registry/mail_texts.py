"""The words of a mail, in the reader's language. It names nobody: the page behind the link does."""

import io
from collections.abc import Mapping, Sequence
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from spareline.market.v1.mail_pb2 import MailSettings

CATALOGUE = Path(__file__).parent / "translations" / "zh" / "LC_MESSAGES" / "mail.po"
_MOST_LINKS = 10


@cache
def _translations(language: str) -> NullTranslations:
    if language != "zh":
        return NullTranslations()
    compiled = io.BytesIO()
    with CATALOGUE.open("rb") as source:
        write_mo(compiled, read_po(source, locale="zh"))
    compiled.seek(0)
    return GNUTranslations(compiled)


def subject(news: Mapping[int, Sequence[str]], language: str) -> str:
    """Return the subject line; ``news`` holds proposals by kind."""
    _ = _translations(language).gettext
    ngettext = _translations(language).ngettext
    asking = {
        name
        for kind in (MailSettings.KIND_PROPOSED, MailSettings.KIND_COUNTERED)
        for name in news.get(kind, ())
    }
    if not asking:
        return _("Spareline: news of your proposals")
    text = ngettext(
        "Spareline: %(num)d proposal waits for your answer",
        "Spareline: %(num)d proposals wait for your answer",
        len(asking),
    )
    return text % {"num": len(asking)}


def body(news: Mapping[int, Sequence[str]], language: str, name: str, address: str) -> str:
    """Return the text; ``address`` is where the pages are, without a slash at its end."""
    _ = _translations(language).gettext
    headings = {
        MailSettings.KIND_PROPOSED: _("New proposals, waiting for your answer:"),
        MailSettings.KIND_COUNTERED: _("Other terms are asked for:"),
        MailSettings.KIND_CONFIRMED: _("All have accepted; the contacts are open to you:"),
        MailSettings.KIND_ENDED: _("Declined, run out, cancelled or disputed:"),
    }
    lines = [_("Hello %(name)s,") % {"name": name}, ""]
    for kind, heading in headings.items():
        proposals = news.get(kind, ())
        if not proposals:
            continue
        lines.append(heading)
        lines += [f"  {address}/{_path(each)}" for each in proposals[:_MOST_LINKS]]
        if len(proposals) > _MOST_LINKS:
            lines.append(
                _("  and %(num)d more: %(link)s")
                % {"num": len(proposals) - _MOST_LINKS, "link": f"{address}/proposals"}
            )
        lines.append("")
    lines.append(_("Choose what you are written to about: %(link)s") % {"link": settings(address)})
    return "\n".join(lines) + "\n"


def settings(address: str) -> str:
    """Return the address of the page where a member chooses."""
    return f"{address}/account/mail"


def _path(proposal: str) -> str:
    parts = proposal.split("/")
    return f"proposals/{parts[1]}/{parts[3]}"
