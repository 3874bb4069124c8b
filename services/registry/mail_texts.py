"""The words of a mail, in the reader's language. It names nobody: the page behind the link does."""

import io
from collections.abc import Mapping, Sequence
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from spareline.market.v1.mail_pb2 import MailSettings
from spareline.market.v1.organization_pb2 import Member

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


def subject(news: Mapping[int, Sequence[str]], person: Member) -> str:
    """Return the subject line; ``news`` holds what they are about, by kind."""
    _ = _translations(person.language).gettext
    ngettext = _translations(person.language).ngettext
    asking = {
        name
        for kind in (MailSettings.KIND_PROPOSED, MailSettings.KIND_COUNTERED)
        for name in news.get(kind, ())
    }
    if asking:
        text = ngettext(
            "Spareline: %(num)d proposal waits for your answer",
            "Spareline: %(num)d proposals wait for your answer",
            len(asking),
        )
        return text % {"num": len(asking)}
    if person.name in news.get(MailSettings.KIND_INVITED, ()):
        return _("Spareline: you are invited")
    if set(news) == {MailSettings.KIND_INVITED}:
        return _("Spareline: somebody was invited to your firm")
    if set(news) == {MailSettings.KIND_OVERDUE}:
        return _("Spareline: how did the delivery go?")
    return _("Spareline: news of your proposals")


def body(news: Mapping[int, Sequence[str]], person: Member, address: str) -> str:
    """Return the text; ``address`` is where the pages are, without a slash at its end."""
    _ = _translations(person.language).gettext
    headings = {
        MailSettings.KIND_PROPOSED: _("New proposals, waiting for your answer:"),
        MailSettings.KIND_COUNTERED: _("Other terms are asked for:"),
        MailSettings.KIND_CONFIRMED: _("All have accepted; the contacts are open to you:"),
        MailSettings.KIND_OVERDUE: _("The agreed weeks are over. Please say how it went:"),
        MailSettings.KIND_LATE: _("A delivery was reported as late:"),
        MailSettings.KIND_ENDED: _("Declined, run out, cancelled or disputed:"),
    }
    lines = [_("Hello %(name)s,") % {"name": person.display_name or person.email}, ""]
    lines += _invitations(news.get(MailSettings.KIND_INVITED, ()), person, address)
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


def _invitations(invited: Sequence[str], person: Member, address: str) -> list[str]:
    _ = _translations(person.language).gettext
    lines: list[str] = []
    if person.name in invited:
        lines += [
            _("You can work for your firm on Spareline now. Sign in with this address:"),
            f"  {address}/sign-in",
            _("Whoever invited you hands the first password over."),
            "",
        ]
    if set(invited) - {person.name}:
        heading = _("Somebody was invited to your firm. Who works there:")
        lines += [heading, f"  {address}/organization/members", ""]
    return lines


def settings(address: str) -> str:
    """Return the address of the page where a member chooses."""
    return f"{address}/account/mail"


def _path(proposal: str) -> str:
    parts = proposal.split("/")
    return f"proposals/{parts[1]}/{parts[3]}"
