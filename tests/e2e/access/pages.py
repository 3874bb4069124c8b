"""For every route of the gateway: what each kind of visitor gets when it is aimed at A's things.

``owner_b`` opens the very addresses that A has: pages are the reader's own, so A's postings are
not there for B, and a proposal is not B's to read. Posts are tried with the token of the form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

VISITORS = ("visitor", "viewer_a", "owner_a", "owner_b", "operator")

# What a visitor without a session gets: the sign-in page, and from there back.
AWAY = 303
UNKNOWN = 401
FORBIDDEN = 403
ABSENT = 404


@dataclass(frozen=True)
class Expected:
    """The status for each visitor; ``form`` is what is posted beside the token."""

    owner_a: int
    viewer_a: int
    owner_b: int
    operator: int
    visitor: int = AWAY
    form: Mapping[str, str] = field(default_factory=dict)


def _all(status: int) -> Expected:
    return Expected(status, status, status, status, status)


_FIRM = {"name": "Renamed", "region": "CN-ZJ"}
_COUNTER = {"price_0": "55"}
_SENT = {"action": "post"}  # without it the form only grows or shrinks

_OWN = Expected(200, 200, 200, 200)
# The owners' alone; the one aimed at is not there.
_WEBHOOK = Expected(ABSENT, FORBIDDEN, ABSENT, FORBIDDEN)
_OWNERS = Expected(ABSENT, FORBIDDEN, ABSENT, ABSENT)
_OPERATOR = Expected(FORBIDDEN, FORBIDDEN, FORBIDDEN, 200)
_ROLE = {"role": "viewer", "email": "none@alpha.example"}
_VERDICT = {"verdict": "strike", "reason": "so be it"}
_NOTHING = Expected(ABSENT, ABSENT, ABSENT, ABSENT)
# A's, once all have accepted.
_AGREEMENT = Expected(ABSENT, ABSENT, FORBIDDEN, FORBIDDEN)
# A's, and to everyone else as if it were not there.
_A_ONLY = Expected(200, 200, ABSENT, ABSENT)

# Nobody has such a file; a viewer has none at all.
_FILE = Expected(ABSENT, FORBIDDEN, ABSENT, ABSENT)

EXPECTED: Mapping[tuple[str, str], Expected] = {
    ("GET", "/health/live"): _all(200),
    ("GET", "/health/ready"): _all(200),
    ("GET", "/api"): _all(200),
    ("GET", "/api/openapi.json"): _all(200),
    ("GET", "/"): _all(200),
    ("POST", "/language"): _all(303),
    ("GET", "/sign-up"): _all(200),
    ("POST", "/sign-up"): _all(400),
    ("GET", "/sign-in"): _all(200),
    ("POST", "/sign-in"): _all(400),
    ("GET", "/live"): _OWN,
    ("GET", "/organization"): _OWN,
    ("GET", "/organization/members"): _OWN,
    ("POST", "/organization/members"): Expected(400, 400, 400, 400),
    ("POST", "/organization/members/{member}"): Expected(
        ABSENT, FORBIDDEN, ABSENT, ABSENT, form=_ROLE
    ),
    ("POST", "/organization/members/{member}/remove"): _OWNERS,
    ("GET", "/organization/keys"): Expected(200, FORBIDDEN, 200, 200),
    # A form with nothing in it is shown again only to who may see the page.
    ("POST", "/organization/keys"): Expected(400, FORBIDDEN, 400, 400),
    ("POST", "/organization/keys/{key}/end"): _OWNERS,
    ("GET", "/organization/platforms"): _OWN,
    ("POST", "/organization/platforms"): Expected(400, 400, 400, 400),
    ("POST", "/organization/platforms/{delegation}/end"): _WEBHOOK,
    ("GET", "/organization/credit"): _OWN,
    ("POST", "/organization/credit/{event}/contest"): Expected(
        ABSENT, FORBIDDEN, ABSENT, FORBIDDEN, form={"note": "no"}
    ),
    ("GET", "/operator"): Expected(FORBIDDEN, FORBIDDEN, FORBIDDEN, 303),
    ("GET", "/operator/credit"): _OPERATOR,
    ("POST", "/operator/credit/{organization}/{event}"): Expected(
        FORBIDDEN, FORBIDDEN, FORBIDDEN, ABSENT, form=_VERDICT
    ),
    ("GET", "/organization/audit"): Expected(200, FORBIDDEN, 200, 200),
    ("GET", "/organization/audit.csv"): Expected(200, FORBIDDEN, 200, 200),
    ("GET", "/operator/audit"): _OPERATOR,
    ("GET", "/operator/audit.csv"): _OPERATOR,
    ("GET", "/operator/taxonomy"): _OPERATOR,
    ("GET", "/operator/taxonomy/edit"): _OPERATOR,
    ("POST", "/operator/taxonomy/edit"): Expected(FORBIDDEN, FORBIDDEN, FORBIDDEN, 400),
    ("POST", "/operator/taxonomy/drop"): Expected(FORBIDDEN, FORBIDDEN, FORBIDDEN, 303),
    ("POST", "/operator/taxonomy/adopt"): Expected(FORBIDDEN, FORBIDDEN, FORBIDDEN, 400),
    ("GET", "/account/password"): _OWN,
    ("POST", "/account/password"): Expected(400, 400, 400, 400),
    ("GET", "/account/mail"): _OWN,
    ("POST", "/account/mail"): Expected(303, 303, 303, 303),
    ("GET", "/account/calendar"): _OWN,
    ("POST", "/account/calendar"): _OWN,
    ("POST", "/account/calendar/delete"): Expected(303, 303, 303, 303),
    ("GET", "/calendar/{secret}.ics"): _all(ABSENT),
    ("GET", "/organization/webhooks"): Expected(200, FORBIDDEN, 200, FORBIDDEN),
    ("POST", "/organization/webhooks"): Expected(400, FORBIDDEN, 400, FORBIDDEN),
    ("GET", "/organization/webhooks/{webhook}"): _WEBHOOK,
    ("POST", "/organization/webhooks/{webhook}/pause"): _WEBHOOK,
    ("POST", "/organization/webhooks/{webhook}/rotate"): _WEBHOOK,
    ("POST", "/organization/webhooks/{webhook}/deliveries/{event}/replay"): _WEBHOOK,
    ("POST", "/organization/webhooks/{webhook}/delete"): Expected(303, FORBIDDEN, 303, FORBIDDEN),
    ("GET", "/offers"): _OWN,
    ("GET", "/offers/new"): _OWN,
    ("POST", "/offers/new"): Expected(ABSENT, ABSENT, ABSENT, ABSENT),  # of no capability
    ("GET", "/offers/{offer}"): _A_ONLY,
    ("GET", "/offers/{offer}/edit"): _A_ONLY,
    ("POST", "/offers/{offer}/edit"): Expected(400, 400, ABSENT, ABSENT),
    ("POST", "/offers/{offer}/withdraw"): Expected(303, FORBIDDEN, ABSENT, ABSENT),
    # Nobody has such a draft; a viewer may not even have one.
    ("GET", "/drafts/{draft}"): Expected(ABSENT, FORBIDDEN, ABSENT, ABSENT),
    ("POST", "/drafts/{draft}/drop"): Expected(303, FORBIDDEN, 303, 303),
    ("GET", "/market"): _OWN,
    ("GET", "/market/search"): _OWN,
    ("GET", "/market/utilisation"): _OWN,
    ("GET", "/market/utilisation.csv"): _OWN,
    ("GET", "/operator/utilisation"): _OPERATOR,
    ("GET", "/operator/utilisation.csv"): _OPERATOR,
    ("GET", "/files"): _OWN,
    ("POST", "/files"): Expected(400, 400, 400, 400),  # without a file
    ("GET", "/files/template"): Expected(ABSENT, ABSENT, ABSENT, ABSENT),  # of no capability
    ("GET", "/files/export"): _OWN,
    ("GET", "/files/{import}"): _FILE,
    ("GET", "/files/{import}/live"): _FILE,
    ("GET", "/files/{import}/marked.{format:csv|xlsx}"): _FILE,
    ("POST", "/files/{import}/confirm"): _FILE,
    ("POST", "/files/{import}/delete"): Expected(303, FORBIDDEN, 303, 303),
    ("GET", "/wanted"): Expected(303, 303, 303, 303),  # of no capability: to the market
    ("GET", "/demands"): _OWN,
    ("GET", "/demands/new"): _OWN,
    ("POST", "/demands/new"): Expected(400, 400, 400, 400, form=_SENT),
    ("GET", "/demands/{demand}"): _A_ONLY,
    ("GET", "/demands/{demand}/edit"): _A_ONLY,
    ("POST", "/demands/{demand}/edit"): Expected(400, 400, ABSENT, ABSENT, form=_SENT),
    ("POST", "/demands/{demand}/withdraw"): Expected(303, FORBIDDEN, ABSENT, ABSENT),
    ("GET", "/why/{kind:offers|demands}/{posting}"): Expected(200, 200, ABSENT, ABSENT),
    # A change that the explanation does not name.
    ("GET", "/why/{kind:offers|demands}/{posting}/change"): _NOTHING,
    ("POST", "/why/{kind:offers|demands}/{posting}/change"): _NOTHING,
    ("GET", "/proposals"): _OWN,
    ("POST", "/proposals/answer"): Expected(303, 303, 303, 303),  # nothing is ticked
    ("GET", "/proposals/{round}/{proposal}/agreement"): _AGREEMENT,
    ("GET", "/proposals/{round}/{proposal}/agreement.pdf"): _AGREEMENT,
    ("GET", "/proposals/{round}/{proposal}/calendar.ics"): _AGREEMENT,
    ("GET", "/proposals/{round}/{proposal}"): Expected(200, 200, FORBIDDEN, FORBIDDEN),
    ("POST", "/proposals/{round}/{proposal}/accept"): Expected(
        303, FORBIDDEN, FORBIDDEN, FORBIDDEN
    ),
    ("POST", "/proposals/{round}/{proposal}/decline"): Expected(
        409, FORBIDDEN, FORBIDDEN, FORBIDDEN
    ),
    ("POST", "/proposals/{round}/{proposal}/counter"): Expected(
        409, FORBIDDEN, FORBIDDEN, FORBIDDEN, form=_COUNTER
    ),
    ("POST", "/proposals/{round}/{proposal}/accept-counter"): Expected(
        409, FORBIDDEN, FORBIDDEN, FORBIDDEN
    ),
    ("POST", "/proposals/{round}/{proposal}/decline-counter"): Expected(
        409, FORBIDDEN, FORBIDDEN, FORBIDDEN
    ),
    ("POST", "/proposals/{round}/{proposal}/report"): Expected(
        409, FORBIDDEN, FORBIDDEN, FORBIDDEN, form={"outcome": "fulfilled"}
    ),
    ("GET", "/rounds"): _OWN,
    ("POST", "/rounds"): Expected(FORBIDDEN, FORBIDDEN, FORBIDDEN, 303, UNKNOWN),
    ("GET", "/rounds/{round}"): _OWN,
    ("GET", "/rounds/{round}/live"): _OWN,
    ("POST", "/rounds/{round}/cancel"): Expected(FORBIDDEN, FORBIDDEN, FORBIDDEN, 409, UNKNOWN),
    ("GET", "/policy"): _OWN,
    ("GET", "/operator/policies"): _OPERATOR,
    ("GET", "/operator/new-policy"): _OPERATOR,
    ("POST", "/operator/new-policy"): Expected(FORBIDDEN, FORBIDDEN, FORBIDDEN, 400),
    ("GET", "/operator/policies/{policy}"): _OPERATOR,
    ("GET", "/operator/policies/{policy}/edit"): _OPERATOR,
    # An empty form lacks a name; the etag of the other is not the current one.
    ("POST", "/operator/policies/{policy}/edit"): Expected(FORBIDDEN, FORBIDDEN, FORBIDDEN, 400),
    ("POST", "/operator/policies/{policy}/adopt"): Expected(
        FORBIDDEN, FORBIDDEN, FORBIDDEN, 409, form={"etag": "stale"}
    ),
    # There is no round to compare with, and A's round tried no policy.
    ("GET", "/operator/what-if/{round}"): Expected(FORBIDDEN, FORBIDDEN, FORBIDDEN, 400),
    ("POST", "/operator/what-if/{round}/adopt"): Expected(FORBIDDEN, FORBIDDEN, FORBIDDEN, ABSENT),
    ("GET", "/operator/fairness"): _OPERATOR,
    ("GET", "/operator/dead-letters"): _OPERATOR,
    ("POST", "/operator/dead-letters/{letter}/replay"): Expected(
        FORBIDDEN, FORBIDDEN, FORBIDDEN, ABSENT
    ),
    ("POST", "/operator/dead-letters/{letter}/drop"): Expected(
        FORBIDDEN, FORBIDDEN, FORBIDDEN, 303
    ),
    # Last: the one renames everybody, the other ends the session.
    ("POST", "/organization"): Expected(303, FORBIDDEN, 303, 303, form=_FIRM),
    ("POST", "/sign-out"): _all(303),
}
