"""Whether a worker of matching is ready is read from its metrics: it serves nothing else."""

import pytest

from deploy import healthcheck
from deploy.local import readiness
from deploy.local.free_ports import free_ports
from services.chassis import metrics


async def test_a_worker_is_ready_when_its_metrics_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}/metrics"
    for name in ("SPARELINE_GATEWAY_PORT", "SPARELINE_GRPC_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARELINE_METRICS_PORT", str(port))
    assert not healthcheck.ready()
    close = metrics.serve("127.0.0.1", port)
    try:
        metrics.READY.clear()
        ready = metrics.READY.labels("matching-worker")
        ready.set(0)
        assert not healthcheck.ready()
        with pytest.raises(ValueError, match="not ready"):
            await readiness.metrics_ready(url)
        ready.set(1)
        assert healthcheck.ready()
        await readiness.metrics_ready(url)
    finally:
        await close()
