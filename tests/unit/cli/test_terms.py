"""What is typed for a counter or a reason is read, or refused as wrong usage."""

import pytest
import typer

from cli.answering import decline_reason
from cli.counter_terms import counter_legs
from spareline.matching.v1 import proposal_pb2
from spareline.matching.v1.proposal_pb2 import CounterLeg, Delivery


def test_terms_of_a_counter() -> None:
    [first, second] = counter_legs(["0:price=12500,2026-W48=30", "2:2026-W49=1,2026-W50=2"])
    assert first == CounterLeg(
        leg_index=0, unit_price=12500, deliveries=[Delivery(period="2026-W48", quantity=30)]
    )
    assert [each.quantity for each in second.deliveries] == [1, 2]
    assert not second.HasField("unit_price")


@pytest.mark.parametrize("term", ["price=1", "x:price=1", "0:price", "0:price=-1", "0:week=1"])
def test_terms_that_make_no_sense(term: str) -> None:
    with pytest.raises(typer.BadParameter):
        counter_legs([term])


def test_reasons() -> None:
    assert decline_reason("no-longer-needed") == proposal_pb2.DECLINE_REASON_NO_LONGER_NEEDED
    with pytest.raises(typer.BadParameter):
        decline_reason("mood")
