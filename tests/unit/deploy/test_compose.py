"""What can be known of the containers without running them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.executables import executable
from services.matching.work.settings import WorkerSettings
from tests.unit.deploy.settings_classes import SERVICES, required_variables, variables

DEPLOY = Path(__file__).parents[3] / "deploy"
COMPOSE_TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def environment(service: str) -> dict[str, str]:
    found: dict[str, str] = COMPOSE["services"][service]["environment"]
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gets_every_variable_that_it_requires(service: str) -> None:
    assert required_variables(service) - environment(service).keys() == set()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_every_variable_that_it_gets(service: str) -> None:
    assert environment(service).keys() - variables(service) == set()


@pytest.mark.parametrize("service", ["registry", "matching"])
def test_an_address_is_where_its_service_listens(service: str) -> None:
    port = environment(service)["SPARELINE_GRPC_PORT"]
    name = f"SPARELINE_{service.upper()}_ADDRESS"
    addresses = {environment(other).get(name) for other in SERVICES if other != service}
    assert addresses - {None} == {f"{service}:{port}"}
    assert COMPOSE["services"][service]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert environment(service)["SPARELINE_GRPC_HOST"] == "0.0.0.0"


def test_the_gateway_is_published_where_it_listens() -> None:
    port = environment("gateway")["SPARELINE_GATEWAY_PORT"]
    assert COMPOSE["services"]["gateway"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_a_worker_gets_what_it_reads_and_can_be_checked() -> None:
    fields = WorkerSettings.model_fields
    known = {f"SPARELINE_{name.upper()}" for name in fields}
    needed = {f"SPARELINE_{name.upper()}" for name, field in fields.items() if field.is_required()}
    given = environment("worker")
    assert needed - given.keys() == set()
    assert given.keys() - known == set()
    assert "SPARELINE_METRICS_PORT" in given  # the health check asks there


def test_servers_publish_no_port() -> None:
    assert [name for name in ("mongo", "nats") if "ports" in COMPOSE["services"][name]] == []
    assert COMPOSE["networks"]["inner"]["internal"] is True


def test_no_secret_has_a_default_and_the_example_names_every_variable() -> None:
    used = set(re.findall(r"\$\{(\w+)", COMPOSE_TEXT))
    with_default = set(re.findall(r"\$\{(\w+):-", COMPOSE_TEXT))
    assert with_default == {
        "SPARELINE_LOG_LEVEL",
        "SPARELINE_OTLP_ENDPOINT",
        "SPARELINE_MATCHING_WORKERS",
    }
    assert set(re.findall(r"\$\{(\w+):\?", COMPOSE_TEXT)) == used - with_default
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / "env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert example.keys() == used
    filled = {name for name, value in example.items() if value}
    assert filled == {
        "SPARELINE_LOG_LEVEL",
        "SPARELINE_SIGNING_KEY_FILE",  # a path, not the key
    }


def test_everything_waited_for_is_checked() -> None:
    for service in COMPOSE["services"].values():
        for needed in service.get("depends_on", {}):
            # The image's own HEALTHCHECK answers for our services.
            assert needed in SERVICES or "healthcheck" in COMPOSE["services"][needed]


def test_the_image_runs_as_nobody_special_and_is_checked() -> None:
    last_stage = DOCKERFILE.rpartition("FROM ")[2]
    assert re.search(r"^USER spareline$", last_stage, re.MULTILINE)
    assert "HEALTHCHECK" in last_stage
    assert "protos.generate" in DOCKERFILE


def test_the_image_copies_what_exists_and_what_the_build_context_lets_through() -> None:
    root = DEPLOY.parent
    let_through = {
        line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = {
        source
        for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert copied == let_through
    assert [source for source in copied if not (root / source).exists()] == []


def test_nats_takes_its_configuration_and_syncs_always() -> None:
    config = DEPLOY / "nats" / "nats.conf"
    assert "sync_interval: always" in config.read_text()
    checked = subprocess.run(
        [executable("nats-server"), "-t", "-c", str(config)], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
