"""What a mail says, in both languages, and that no word of it is left untranslated."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from services.registry import mail_texts
from services.registry.usecases.mail_news import _concerned
from services.registry.usecases.mail_sending import MailSender, Smtp, _latest
from spareline.market.v1.mail_pb2 import MailSettings
from spareline.market.v1.organization_pb2 import Member
from spareline.matching.v1.proposal_pb2 import Party, Proposal

HOME = "https://market.example"


def _person(language: str) -> Member:
    return Member(
        name="organizations/a/members/li",
        email="li@a.example",
        display_name="Li Wei",
        role=Member.ROLE_OWNER,
        language=language,
    )


def _news(count: int) -> dict[int, list[str]]:
    return {MailSettings.KIND_PROPOSED: [f"rounds/r/proposals/p{i}" for i in range(count)]}


def test_every_word_is_translated() -> None:
    source = Path(mail_texts.__file__)
    found = extract_from_file("python", source, keywords={"_": None, "ngettext": (1, 2)})
    with mail_texts.CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="zh")
    wanted = {message if isinstance(message, str) else message[0] for _, message, _, _ in found}
    translated = {
        (each.id if isinstance(each.id, str) else each.id[0]): each.string
        for each in catalogue
        if each.id
    }
    assert len(wanted) > 5
    assert wanted == set(translated)
    assert all(text and all(text) for text in translated.values())


def test_a_flood_becomes_one_short_mail() -> None:
    text = mail_texts.body(_news(60), _person("en"), HOME)
    assert text.count("/proposals/r/") == 10
    assert f"and 50 more: {HOME}/proposals" in text
    assert mail_texts.subject(_news(60), _person("en")).startswith("Spareline: 60 proposals wait")
    assert "等待您答复" in mail_texts.subject(_news(2), _person("zh"))
    assert "Li Wei，您好" in mail_texts.body(_news(2), _person("zh"), HOME)


def test_an_invitation_is_told_to_the_person_and_otherwise_to_the_owners() -> None:
    person = _person("en")
    own: dict[int, list[str]] = {MailSettings.KIND_INVITED: [person.name]}
    assert mail_texts.subject(own, person) == "Spareline: you are invited"
    assert f"{HOME}/sign-in" in mail_texts.body(own, person, HOME)
    others: dict[int, list[str]] = {MailSettings.KIND_INVITED: ["organizations/a/members/zhao"]}
    assert "somebody was invited" in mail_texts.subject(others, person)
    assert f"{HOME}/organization/members" in mail_texts.body(others, person, HOME)
    assert "sign-in" not in mail_texts.body(others, person, HOME)


def test_who_reports_a_late_delivery_is_not_told_of_it() -> None:
    proposal = Proposal()
    for name in ("organizations/a", "organizations/b"):
        proposal.parties.add(organization=name)
    proposal.history.add(event="late", party_index=1)
    assert _concerned(proposal, MailSettings.KIND_LATE) == ["organizations/a"]
    assert _concerned(proposal, MailSettings.KIND_ENDED) == ["organizations/a", "organizations/b"]


def test_only_who_has_not_reported_is_reminded() -> None:
    proposal = Proposal()
    answers = {"a": Party.ANSWER_ACCEPTED, "b": Party.ANSWER_LATE, "c": Party.ANSWER_ACCEPTED}
    for firm, answer in answers.items():
        proposal.parties.add(organization=f"organizations/{firm}", answer=answer)
    concerned = _concerned(proposal, MailSettings.KIND_OVERDUE)
    assert concerned == ["organizations/a", "organizations/c"]
    about: dict[int, list[str]] = {MailSettings.KIND_OVERDUE: ["rounds/r/proposals/p"]}
    assert mail_texts.subject(about, _person("zh")) == "Spareline：请报告履约情况"
    assert f"{HOME}/proposals/r/p" in mail_texts.body(about, _person("zh"), HOME)


def test_only_the_last_news_of_a_proposal_is_told() -> None:
    news = [
        {"about": "rounds/r/proposals/a", "kind": MailSettings.KIND_PROPOSED},
        {"about": "rounds/r/proposals/b", "kind": MailSettings.KIND_PROPOSED},
        {"about": "rounds/r/proposals/a", "kind": MailSettings.KIND_CONFIRMED},
    ]
    assert _latest(news) == {
        MailSettings.KIND_CONFIRMED: ["rounds/r/proposals/a"],
        MailSettings.KIND_PROPOSED: ["rounds/r/proposals/b"],
    }


async def test_one_odd_address_does_not_stop_the_mail() -> None:
    """A name that no header can hold is given up with a line in the log; the sender goes on."""
    ended: list[str] = []

    class Store:
        async def news(self, _: str) -> list[dict[str, object]]:
            return [{"_id": "n", "about": "rounds/r/proposals/p", "kind": 1}]

        async def done(self, names: list[str], _now: int) -> None:
            ended.extend(names)

        async def end_turn(self, name: str) -> None:
            ended.append(name)

    class Accounts:
        async def by_name(self, _: str) -> dict[str, object]:
            person = Member(email="a\nb@c.example", display_name="A")
            return {"body": person.SerializeToString(), "revision": 1}

    smtp = Smtp("127.0.0.1", 1, "", "", "none", "s@market.example")
    sender = MailSender(
        cast(Any, Store()), cast(Any, Accounts()), smtp, lambda: 0, address=HOME, digest_seconds=1
    )
    await sender._write_to("organizations/a/members/m")
    assert ended == ["n", "organizations/a/members/m"]
