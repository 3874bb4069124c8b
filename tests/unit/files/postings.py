"""A small taxonomy and postings that use every column, for the tests of files."""

from services.files.taxonomy import Taxonomy
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.capability_pb2 import (
    AttributeSchema,
    AttributeValue,
    Capability,
    Choice,
    Codes,
    Range,
    Unit,
)
from spareline.market.v1.demand_pb2 import Demand, Line, Precedence, Sourcing, Window
from spareline.market.v1.disclosure_pb2 import Disclosure
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity, Reach, Requirements

MILLING = Capability(
    code="production.milling",
    unit=Unit(code="machine_hour", resolution="0.5"),
    attributes=[
        AttributeSchema(key="travel_mm", type=AttributeSchema.TYPE_INTEGER),
        AttributeSchema(
            key="materials",
            type=AttributeSchema.TYPE_CHOICES,
            choices=[Choice(code="steel"), Choice(code="aluminium")],
        ),
        AttributeSchema(key="clean_room", type=AttributeSchema.TYPE_BOOLEAN),
        AttributeSchema(key="temperature", type=AttributeSchema.TYPE_RANGE),
        AttributeSchema(key="maker", type=AttributeSchema.TYPE_TEXT),
    ],
)
DESIGN = Capability(code="research.design", unit=Unit(code="engineer_day", resolution="1"))
TAXONOMY = Taxonomy({each.code: each for each in (MILLING, DESIGN)})

ATTRIBUTES = {
    "travel_mm": AttributeValue(integer=800),
    "materials": AttributeValue(codes=Codes(codes=["steel", "aluminium"])),
    "clean_room": AttributeValue(boolean=False),
    "temperature": AttributeValue(range=Range(lowest=-40, highest=85)),
    "maker": AttributeValue(text="Maschinenbau, Söhne"),
}

OFFER = Offer(
    name="organizations/acme/offers/mill-1",
    capability=MILLING.code,
    title="5-Achs-Fräsen, 铣削",
    description="Two machines;\nnight shift",
    attributes=ATTRIBUTES,
    capacity=[
        PeriodQuantity(period="2026-W49", quantity=81),
        PeriodQuantity(period="2026-W50", quantity=40),
    ],
    unit_price=12_345,
    setup_price=50_000,
    minimum_order=3,
    minimum_run=20,
    lead_time_periods=1,
    reach=Reach(regions=["CN-ZJ", "DE"], radius_km=500),
    requirements=Requirements(
        least_credit_grade="C",
        standards=["ISO 9001"],
        excluded_organizations=["organizations/rival"],
    ),
    disclosure=Disclosure(
        price=disclosure_pb2.DISCLOSURE_LEVEL_ON_PROPOSAL,
        identity=disclosure_pb2.DISCLOSURE_LEVEL_NEVER,
    ),
)

DEMAND = Demand(
    name="organizations/shop/demands/launch",
    title="A pump housing",
    lines=[
        Line(
            id="design",
            capability=DESIGN.code,
            quantity=12,
            window=Window(earliest="2026-W49", latest="2026-W51"),
            limit_price=400_000,
        ),
        Line(
            id="mill",
            capability=MILLING.code,
            attributes=ATTRIBUTES,
            quantity=65,
            least_quantity=10,
            window=Window(earliest="2026-W50", latest="2027-W02"),
            limit_price=20_000,
            sourcing=Sourcing(max_partners=3, least_share=5),
            reach=Reach(radius_km=800),
            requirements=Requirements(standards=["ISO 9001", "IATF 16949"]),
        ),
    ],
    bundle=True,
    precedences=[Precedence(before="design", after="mill")],
    budget=9_999_999,
    preferred_organizations=["organizations/acme"],
    excluded_organizations=["organizations/rival", "organizations/other"],
    priority_class="urgent",
    disclosure=Disclosure(quantity=disclosure_pb2.DISCLOSURE_LEVEL_ON_CONFIRMATION),
)
SMALL_DEMAND = Demand(
    name="organizations/shop/demands/small",
    title="Design alone",
    lines=[
        Line(
            id="only",
            capability=DESIGN.code,
            quantity=1,
            window=Window(earliest="2026-W49", latest="2026-W49"),
        )
    ],
    budget=0,
)
