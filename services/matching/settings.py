"""Settings of matching, read from variables that begin with ``SPARELINE_``."""

from pydantic import Field

from services.chassis.settings import ChassisSettings


class MatchingSettings(ChassisSettings):
    """What matching needs to run."""

    mongo_database: str = "matching"
    registry_address: str = Field(min_length=1, description="host:port of the registry's gRPC")
    service_secret: str = Field(min_length=1, description="what the registry knows matching by")
    instance: str = Field(
        default="",
        max_length=40,
        pattern=r"^[a-z0-9-]*$",
        description="name of this copy, where several run: each follows the book for itself",
    )
    book_refresh_seconds: float = Field(default=900.0, gt=0)
    lease_sweep_seconds: float = Field(default=1.0, gt=0)
    reconcile_seconds: float = Field(default=3.0, gt=0)
    audit_seconds: float = Field(default=60.0, gt=0)
    round_lease_seconds: float = Field(default=12.0, gt=0)
    repair_seconds: float = Field(default=2.0, ge=0, description="quiet time before a repair round")
    most_pairs: int = Field(
        default=250_000,
        ge=0,
        description="eligible pairs above which a round weighs a choice for each line; 0: never",
    )
    work_least_variables: int = Field(
        default=500, ge=0, description="parts of a round from this size on go to workers; 0: none"
    )
    work_ack_seconds: float = Field(default=10.0, ge=1, le=120)
