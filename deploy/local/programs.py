"""The programs of the embedded stack: how each is started, with what, and when it is ready."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from deploy.local import broker, store
from deploy.local.credentials import Credentials
from deploy.local.layout import Layout
from deploy.local.program import Program
from deploy.local.settings import LOOPBACK, StackSettings

SERVICES: Final = ("registry", "matching", "gateway")


@dataclass(frozen=True)
class Endpoint:
    """A port of the stack and the setting that changes it."""

    program: str
    setting: str
    host: str
    port: int


def servers(settings: StackSettings, layout: Layout) -> list[Program]:
    """The NATS server and the store, as far as the settings do not name somebody else's."""
    programs = []
    if not settings.mongo_url:
        command = store.command(layout.run, layout.store_data, settings.port("store_port"))
        programs.append(Program("store", command, {}, stop_seconds=15.0))
    if not settings.nats_url:
        programs.append(Program("nats", broker.command(layout.run), {}, stop_seconds=15.0))
    return programs


def services(settings: StackSettings, secrets: Credentials) -> list[Program]:
    """Registry, matching, gateway and matching's workers, in the order in which they start."""
    shared = {
        "SPARELINE_LOG_LEVEL": settings.log_level,
        "SPARELINE_DRAIN_SECONDS": str(settings.drain_seconds),
        "SPARELINE_METRICS_HOST": LOOPBACK,
    }
    backing = {
        "SPARELINE_MONGO_URL": mongo_url(settings),
        "SPARELINE_NATS_URL": nats_url(settings),
        "SPARELINE_GRPC_HOST": LOOPBACK,
    }
    own = {
        "registry": {
            **backing,
            "SPARELINE_MONGO_DATABASE": "registry",
            "SPARELINE_GRPC_PORT": str(settings.port("registry_port")),
            "SPARELINE_SIGNING_KEY_FILE": str(secrets.signing_key_file),
            "SPARELINE_SERVICE_SECRETS": f"matching={secrets.matching_secret}",
            "SPARELINE_OPERATOR_EMAIL": settings.operator_email,
            "SPARELINE_OPERATOR_PASSWORD": secrets.operator_password,
        },
        "matching": {
            **backing,
            "SPARELINE_MONGO_DATABASE": "matching",
            "SPARELINE_GRPC_PORT": str(settings.port("matching_port")),
            "SPARELINE_REGISTRY_ADDRESS": registry_address(settings),
            "SPARELINE_SERVICE_SECRET": secrets.matching_secret,
        },
        "gateway": {
            "SPARELINE_GATEWAY_HOST": settings.gateway_host,
            "SPARELINE_GATEWAY_PORT": str(settings.gateway_port),
            "SPARELINE_REGISTRY_ADDRESS": registry_address(settings),
            "SPARELINE_MATCHING_ADDRESS": matching_address(settings),
            "SPARELINE_SESSION_KEY": secrets.session_key,
            # Plain HTTP on this machine: a browser would not send a secure cookie back.
            "SPARELINE_SECURE_COOKIES": "0",
        },
    }
    known = [
        Program(
            name,
            (sys.executable, "-m", f"services.{name}"),
            {
                **shared,
                **environment,
                "SPARELINE_METRICS_PORT": str(settings.port(f"{name}_metrics_port")),
            },
            stop_seconds=settings.drain_seconds + 5.0,
        )
        for name, environment in own.items()
    ]
    return known + [
        Program(
            name,
            (sys.executable, "-m", "services.matching", "--worker"),
            {
                **shared,
                "SPARELINE_NATS_URL": nats_url(settings),
                "SPARELINE_METRICS_PORT": str(worker_port(settings, name)),
            },
            stop_seconds=settings.drain_seconds + 5.0,
        )
        for name in workers(settings)
    ]


def workers(settings: StackSettings) -> list[str]:
    """The names of matching's workers, which only solve parts of rounds."""
    return [f"worker-{number}" for number in range(1, settings.matching_workers + 1)]


def worker_port(settings: StackSettings, name: str) -> int:
    """The port of a worker's metrics."""
    return settings.port("worker_metrics_port") + int(name.rpartition("-")[2]) - 1


def endpoints(settings: StackSettings, services: Collection[str]) -> list[Endpoint]:
    """Every port that this stack will listen on, in the order of starting."""
    inner = []
    if not settings.mongo_url:
        inner.append(("store", "store_port"))
    if not settings.nats_url:
        inner.append(("nats", "nats_port"))
    for name in ("registry", "matching"):
        if name in services:
            inner += [(name, f"{name}_port"), (name, f"{name}_metrics_port")]
    if "gateway" in services:
        inner.append(("gateway", "gateway_metrics_port"))
    found = [
        Endpoint(program, setting, LOOPBACK, settings.port(setting)) for program, setting in inner
    ]
    found += [
        Endpoint(name, "worker_metrics_port", LOOPBACK, worker_port(settings, name))
        for name in workers(settings)
        if name in services
    ]
    if "gateway" in services:
        host, port = settings.gateway_host, settings.gateway_port
        found.append(Endpoint("gateway", "gateway_port", host, port))
    return found


def mongo_url(settings: StackSettings) -> str:
    """Where the services find MongoDB: the one set, or the stack's own."""
    own = f"mongodb://{LOOPBACK}:{settings.port('store_port')}/?directConnection=true"
    return settings.mongo_url or own


def nats_url(settings: StackSettings) -> str:
    """Where the services find NATS: the one set, or the stack's own."""
    return settings.nats_url or f"nats://{LOOPBACK}:{settings.port('nats_port')}"


def registry_address(settings: StackSettings) -> str:
    """The registry's gRPC address, host:port."""
    return f"{LOOPBACK}:{settings.port('registry_port')}"


def matching_address(settings: StackSettings) -> str:
    """Matching's gRPC address, host:port."""
    return f"{LOOPBACK}:{settings.port('matching_port')}"


def gateway_url(settings: StackSettings) -> str:
    """The address to open in a browser."""
    host = settings.gateway_host
    return f"http://{LOOPBACK if host in ('0.0.0.0', '::') else host}:{settings.gateway_port}"  # noqa: S104
