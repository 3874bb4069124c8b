"""Settings fail fast and name what is missing."""

import pytest

from services.chassis.settings import EXIT_CONFIGURATION, ChassisSettings, load


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in ChassisSettings.model_fields:
        monkeypatch.delenv(f"SPARELINE_{field.upper()}", raising=False)


def test_every_missing_or_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARELINE_GRPC_PORT", "hunter2")
    with pytest.raises(SystemExit) as caught:
        load(ChassisSettings)
    said = capsys.readouterr().err
    assert caught.value.code == EXIT_CONFIGURATION
    assert "SPARELINE_MONGO_URL is missing" in said
    assert "SPARELINE_NATS_URL is missing" in said
    assert "SPARELINE_GRPC_PORT is wrong" in said
    assert "hunter2" not in said


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARELINE_MONGO_URL", "mongodb://127.0.0.1:1")
    monkeypatch.setenv("SPARELINE_NATS_URL", "nats://127.0.0.1:2")
    monkeypatch.setenv("SPARELINE_GRPC_PORT", "3")
    settings = load(ChassisSettings)
    assert (settings.grpc_port, settings.grpc_host, settings.log_format) == (3, "127.0.0.1", "json")
