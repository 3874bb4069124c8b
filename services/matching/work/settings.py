"""Settings of a matching worker, read from variables that begin with ``SPARELINE_``."""

from pydantic import Field

from services.chassis.settings import RuntimeSettings


class WorkerSettings(RuntimeSettings):
    """What ``python -m services.matching --worker`` needs to run: the bus, and nothing else."""

    nats_url: str = Field(min_length=1)
    work_ack_seconds: float = Field(default=10.0, ge=1, le=120)
