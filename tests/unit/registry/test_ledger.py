"""The ledger of one document: each rule by itself, and all of them against a simple model."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.registry.domain.ledger import Account, Claim, ClaimState, Leg, Refusal, Terms
from spareline.errors.v1 import reason_pb2

OFFER = "organizations/acme/offers/mill"
DEMAND = "organizations/buyer/demands/part"
WEEKS = ("2026-W48", "2026-W49", "2026-W50")
LIMITS = {"2026-W48": 10, "2026-W49": 6}


def claim(name: str, version: int = 1, previous: Terms | None = None, **quantities: int) -> Claim:
    legs = tuple(
        Leg(OFFER, "line", f"2026-{week}", quantity) for week, quantity in quantities.items()
    )
    return Claim(name, DEMAND, Terms(version, legs), expire_ms=1000, previous=previous)


def account(**limits: int) -> Account:
    return Account(OFFER, "offer", {f"2026-{week}": n for week, n in limits.items()}, {})


def reason(refusal: Refusal | None) -> int:
    return 0 if refusal is None else refusal.reason


def test_a_claim_that_fits_is_held() -> None:
    ledger = account(W48=10)
    assert ledger.hold(claim("p", W48=10)) is None
    assert ledger.balances()["2026-W48"].open == 0
    assert ledger.full()


def test_what_does_not_fit_is_refused_with_what_is_left() -> None:
    ledger = account(W48=10)
    ledger.hold(claim("p", W48=7))
    refusal = ledger.hold(claim("q", W48=4))
    assert reason(refusal) == reason_pb2.REASON_CAPACITY_EXCEEDED
    assert refusal is not None
    assert "3 ticks left in 2026-W48; 4 are wanted" in refusal.message
    assert set(ledger.claims) == {"p"}


def test_a_period_without_capacity_has_nothing_left() -> None:
    assert reason(account(W48=10).hold(claim("p", W50=1))) == reason_pb2.REASON_CAPACITY_EXCEEDED


def test_legs_of_one_period_count_together() -> None:
    legs = (Leg(OFFER, "a", WEEKS[0], 6), Leg(OFFER, "b", WEEKS[0], 6))
    two = Claim("p", DEMAND, Terms(1, legs), 1000)
    assert reason(account(W48=10).hold(two)) == reason_pb2.REASON_CAPACITY_EXCEEDED


def test_a_demand_counts_by_line_and_knows_its_lines() -> None:
    ledger = Account(DEMAND, "demand", {"mould": 5}, {})
    assert reason(ledger.hold(claim("p", W48=1))) == reason_pb2.REASON_DEMAND_EXCEEDED
    over = Claim("p", DEMAND, Terms(1, (Leg(OFFER, "mould", WEEKS[0], 6),)), 1000)
    assert reason(ledger.hold(over)) == reason_pb2.REASON_DEMAND_EXCEEDED


def test_the_same_hold_again_changes_nothing_but_a_later_end() -> None:
    ledger = account(W48=10)
    ledger.hold(claim("p", W48=10))
    ledger.changed.clear()
    assert ledger.hold(claim("p", W48=10)) is None
    assert not ledger.changed
    later = Claim("p", DEMAND, claim("p", W48=10).terms, expire_ms=2000)
    assert ledger.hold(later) is None
    assert ledger.claims["p"].expire_ms == 2000


def test_other_terms_under_the_same_version_are_refused() -> None:
    ledger = account(W48=10)
    ledger.hold(claim("p", W48=3))
    assert reason(ledger.hold(claim("p", W48=4))) == reason_pb2.REASON_CONFLICT


def test_a_lower_version_is_refused() -> None:
    ledger = account(W48=10)
    ledger.hold(claim("p", version=2, W48=3))
    assert reason(ledger.hold(claim("p", version=1, W48=3))) == reason_pb2.REASON_TERMS_CHANGED


def test_a_higher_version_counts_the_greater_until_settled_and_can_go_back() -> None:
    ledger = account(W48=10, W49=6)
    first = claim("p", W48=8)
    ledger.hold(first)
    assert ledger.hold(claim("p", version=2, previous=first.terms, W48=2, W49=5)) is None
    assert ledger.balances()["2026-W48"].held == 8
    assert ledger.balances()["2026-W49"].held == 5
    assert reason(ledger.hold(claim("q", W48=3))) == reason_pb2.REASON_CAPACITY_EXCEEDED
    ledger.revert("p", 2)
    assert ledger.balances()["2026-W48"].held == 8
    assert ledger.balances()["2026-W49"].held == 0
    ledger.hold(claim("p", version=3, previous=first.terms, W48=2))
    ledger.settle("p", 3)
    assert ledger.balances()["2026-W48"].held == 2


def test_only_an_open_posting_takes_new_claims_yet_keeps_those_it_has() -> None:
    closed = Account(OFFER, "offer", LIMITS, {"p": claim("p", W48=2)}, accepting=False)
    assert reason(closed.hold(claim("q", W48=1))) == reason_pb2.REASON_NOT_OPEN
    assert closed.hold(claim("p", W48=2)) is None
    assert closed.commit("p", 1) is None


def test_a_commitment_is_repeatable_and_only_a_cancellation_frees_it() -> None:
    ledger = account(W48=10)
    ledger.hold(claim("p", W48=4))
    assert ledger.commit("p", 1) is None
    assert ledger.commit("p", 1) is None
    assert ledger.claims["p"].expire_ms == 0
    assert reason(ledger.release("p")) == reason_pb2.REASON_CLAIM_COMMITTED
    ledger.revert("p", 1)
    assert ledger.balances()["2026-W48"].committed == 4
    assert ledger.release("p", cancel=True) is None
    assert ledger.balances()["2026-W48"].open == 10


def test_what_is_not_held_cannot_be_committed() -> None:
    ledger = account(W48=10)
    assert reason(ledger.commit("p", 1)) == reason_pb2.REASON_CLAIM_UNKNOWN
    ledger.hold(claim("p", W48=4))
    assert reason(ledger.commit("p", 2)) == reason_pb2.REASON_CLAIM_UNKNOWN


def test_committing_the_terms_before_gives_up_a_replacement_that_never_settled() -> None:
    ledger = account(W48=10)
    first = claim("p", W48=4)
    ledger.hold(first)
    ledger.hold(claim("p", version=2, previous=first.terms, W48=9))
    assert ledger.commit("p", 1) is None
    assert ledger.balances()["2026-W48"].committed == 4


def test_new_limits_below_what_is_promised_are_named_with_the_least_possible() -> None:
    ledger = account(W48=10, W49=6)
    ledger.hold(claim("p", W48=4, W49=2))
    ledger.hold(claim("q", W48=3))
    ledger.commit("q", 1)
    assert ledger.limit_refusals({"2026-W48": 6}) == {"2026-W48": 7, "2026-W49": 2}
    assert ledger.limit_refusals({"2026-W48": 7, "2026-W49": 2}) == {}


def test_a_breach_is_found_when_a_document_holds_one() -> None:
    broken = Account(OFFER, "offer", {"2026-W48": 3}, {"p": claim("p", W48=4)})
    assert broken.breaches() == [f"{OFFER}: 4 held + 0 committed exceed 3 in 2026-W48"]


@dataclass
class Taken:
    """The model of a claim: what it takes by version, the newest last."""

    versions: list[tuple[int, dict[str, int]]]
    committed: bool = False

    def occupied(self, week: str) -> int:
        return max(quantities.get(week, 0) for _, quantities in self.versions)


quantities = st.dictionaries(st.sampled_from(WEEKS), st.integers(1, 6), min_size=1, max_size=2)
names = st.sampled_from(("a", "b", "c", "d"))
versions = st.integers(1, 4)


class LedgerMachine(RuleBasedStateMachine):
    """Any sequence of moves leaves the account as a dictionary of numbers would be."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account(OFFER, "offer", LIMITS, {})
        self.model: dict[str, Taken] = {}

    def left(self, week: str, but: str) -> int:
        others = (taken for name, taken in self.model.items() if name != but)
        return LIMITS.get(week, 0) - sum(taken.occupied(week) for taken in others)

    @rule(name=names, version=versions, wanted=quantities)
    def hold(self, name: str, version: int, wanted: dict[str, int]) -> None:
        present = self.account.claims.get(name)
        base = None
        if present is not None and version > present.terms.version:
            base = present.previous or present.terms
        legs = tuple(Leg(OFFER, "line", week, n) for week, n in sorted(wanted.items()))
        refusal = self.account.hold(Claim(name, DEMAND, Terms(version, legs), 1, previous=base))
        known = self.model.get(name)
        stack: list[tuple[int, dict[str, int]]] = [(version, wanted)]
        if known is not None:
            newest, terms = known.versions[-1]
            if version == newest:
                assert (refusal is None) == (terms == wanted)
                return
            if version < newest or known.committed:
                assert refusal is not None
                return
            stack = [known.versions[0], (version, wanted)]
        candidate = Taken(stack)
        fits = all(candidate.occupied(week) <= self.left(week, name) for week in WEEKS)
        assert (refusal is None) == fits
        if fits:
            self.model[name] = candidate

    @rule(name=names, version=versions)
    def settle(self, name: str, version: int) -> None:
        self.account.settle(name, version)
        known = self.model.get(name)
        if known is not None and known.versions[-1][0] == version:
            known.versions = known.versions[-1:]

    @rule(name=names, version=versions)
    def revert(self, name: str, version: int) -> None:
        self.account.revert(name, version)
        known = self.model.get(name)
        if known is None or known.committed or known.versions[-1][0] != version:
            return
        known.versions.pop()
        if not known.versions:
            del self.model[name]

    @rule(name=names, version=versions)
    def commit(self, name: str, version: int) -> None:
        refusal = self.account.commit(name, version)
        known = self.model.get(name)
        held = known is not None and version in {each for each, _ in known.versions}
        assert (refusal is None) == held
        if known is not None and held:
            known.versions = [each for each in known.versions if each[0] == version]
            known.committed = True

    @rule(name=names, cancel=st.booleans())
    def release(self, name: str, cancel: bool) -> None:
        refusal = self.account.release(name, cancel=cancel)
        known = self.model.get(name)
        kept = known is not None and known.committed and not cancel
        assert (refusal is None) == (not kept)
        if not kept:
            self.model.pop(name, None)

    @invariant()
    def promises_fit(self) -> None:
        assert self.account.breaches() == []

    @invariant()
    def balances_are_those_of_the_model(self) -> None:
        balances = self.account.balances()
        for week in WEEKS:
            held = sum(t.occupied(week) for t in self.model.values() if not t.committed)
            committed = sum(t.occupied(week) for t in self.model.values() if t.committed)
            balance = balances.get(week)
            found = (0, 0) if balance is None else (balance.held, balance.committed)
            assert found == (held, committed)

    @invariant()
    def states_are_those_of_the_model(self) -> None:
        states = {n: c.state is ClaimState.COMMITTED for n, c in self.account.claims.items()}
        assert states == {name: taken.committed for name, taken in self.model.items()}


TestLedgerAgainstModel = LedgerMachine.TestCase
TestLedgerAgainstModel.settings = settings(max_examples=80, stateful_step_count=40)
