"""Whether the service in this container is ready: exit code 0 or 1, for the image's HEALTHCHECK.

The gateway is asked over HTTP, registry and matching over gRPC health, a worker of matching for its
metrics; which, follows from the environment.
"""

from __future__ import annotations

import os
import re
import sys
import urllib.error
import urllib.request
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SECONDS: Final = 4.0
_READY: Final = re.compile(r"^spareline_ready\{[^}]*\} 1\.0$", re.MULTILINE)


def ready() -> bool:
    """Ask the service that runs beside this process."""
    if port := os.environ.get("SPARELINE_GATEWAY_PORT"):
        return _http_ready(f"http://127.0.0.1:{port}/health/ready")
    if port := os.environ.get("SPARELINE_GRPC_PORT"):
        return _grpc_ready(f"127.0.0.1:{port}")
    return _metrics_ready(f"http://127.0.0.1:{os.environ['SPARELINE_METRICS_PORT']}/metrics")


def _http_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False


def _metrics_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310
            return bool(_READY.search(answer.read().decode()))
    except (urllib.error.URLError, OSError):
        return False


def _grpc_ready(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        try:
            request = health_pb2.HealthCheckRequest()
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(0 if ready() else 1)
