"""What the embedded stack hands to its programs."""

from pathlib import Path

import pytest

from deploy.local import programs
from deploy.local.credentials import credentials_in
from deploy.local.layout import Layout
from deploy.local.program import Program
from deploy.local.settings import StackSettings
from services.matching.work.settings import WorkerSettings
from tests.unit.deploy.settings_classes import (
    SERVICES,
    required_variables,
    settings_class,
    variables,
)


@pytest.fixture
def service_programs(tmp_path: Path) -> dict[str, Program]:
    made = programs.services(StackSettings(), credentials_in(tmp_path))
    return {program.name: program for program in made}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_read_its_settings_from_what_it_is_given(
    service: str, service_programs: dict[str, Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = service_programs[service].environment
    assert required_variables(service) - given.keys() == set()
    assert given.keys() - variables(service) == set()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert settings_class(service)() is not None


def test_services_start_in_the_order_in_which_they_need_each_other(tmp_path: Path) -> None:
    made = programs.services(StackSettings(), credentials_in(tmp_path))
    assert [program.name for program in made] == ["registry", "matching", "gateway"]


def test_workers_of_matching_are_started_as_many_as_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = StackSettings(matching_workers=2)
    made = programs.services(settings, credentials_in(tmp_path))[-2:]
    assert [program.name for program in made] == ["worker-1", "worker-2"]
    assert [program.command[1:] for program in made] == [
        ("-m", "services.matching", "--worker")
    ] * 2
    ports = [program.environment["SPARELINE_METRICS_PORT"] for program in made]
    assert ports == ["7121", "7122"]
    listened = programs.endpoints(settings, ["worker-1", "worker-2"])
    assert [str(endpoint.port) for endpoint in listened[-2:]] == ports
    for name, value in made[0].environment.items():
        monkeypatch.setenv(name, value)
    assert WorkerSettings().nats_url == programs.nats_url(settings)  # type: ignore[call-arg]


def test_the_base_moves_inner_ports_and_a_port_of_its_own_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPARELINE_PORT_BASE", "9200")
    monkeypatch.setenv("SPARELINE_NATS_PORT", "4222")
    settings = StackSettings()
    assert settings.port("registry_port") == 9201
    assert settings.port("gateway_metrics_port") == 9213
    assert settings.port("nats_port") == 4222
    assert programs.nats_url(settings) == "nats://127.0.0.1:4222"
    assert settings.gateway_port == 8080


def test_a_server_of_somebody_else_is_used_and_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARELINE_MONGO_URL", "mongodb://db.example/?replicaSet=rs0")
    settings = StackSettings()
    started = programs.servers(settings, Layout(tmp_path))
    assert [program.name for program in started] == ["nats"]
    registry = programs.services(settings, credentials_in(tmp_path))[0]
    assert registry.environment["SPARELINE_MONGO_URL"] == "mongodb://db.example/?replicaSet=rs0"
    needed = programs.endpoints(settings, services=())
    assert [endpoint.program for endpoint in needed] == ["nats"]


def test_a_program_survives_the_way_to_its_process(service_programs: dict[str, Program]) -> None:
    registry = service_programs["registry"]
    assert Program.from_json(registry.to_json()) == registry
