"""The environment is read whole: what is missing, wrong or unknown is named before anything starts."""

import pytest
from pydantic import ValidationError

from services.alerts.settings import Settings as Alerts
from services.ingest.settings import Settings as Ingest
from services.scoring.settings import Settings as Scoring
from shared.settings import Settings, Shared, named

GOOD = {"BELLWETHER_KAFKA": "k:9092", "BELLWETHER_POSTGRES": "postgresql://u:pw@h:5432/db"}


def faults(monkeypatch: pytest.MonkeyPatch, of: type[Settings], service: str, **environment: str) -> list[str]:
    for name, value in (GOOD | environment).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as raised:
        of()
    return named(raised.value, service)


@pytest.mark.parametrize(("of", "service"), [(Ingest, "ingest"), (Scoring, "scoring"), (Alerts, "alerts")])
def test_an_unknown_variable_of_a_service_stops_the_start_by_name(
    monkeypatch: pytest.MonkeyPatch, of: type[Settings], service: str
) -> None:
    found = faults(monkeypatch, of, service, **{f"{service.upper()}_PROB_PORT": "9100"})
    assert found == [f"{service.upper()}_PROB_PORT is no setting: take it out, or correct its name"]


def test_an_unknown_address_stops_the_start_and_its_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    found = faults(monkeypatch, Shared, "ingest", BELLWETHER_POSTGRESS="postgresql://u:secret@h:5432/db")
    assert found == ["BELLWETHER_POSTGRESS is no setting: take it out, or correct its name"]


def test_a_broken_address_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = faults(monkeypatch, Shared, "ingest", BELLWETHER_POSTGRES="postgresql//u:secret@h:5432/db")
    assert found.startswith("BELLWETHER_POSTGRES is of another form: ")
    assert "secret" not in found


def test_a_wrong_value_is_named_with_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = faults(monkeypatch, Ingest, "ingest", INGEST_ACK_SECONDS_MAX="soon")
    assert found.startswith("INGEST_ACK_SECONDS_MAX is 'soon': ")


def test_what_commands_and_kubernetes_put_into_the_environment_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    of_kubernetes = {
        "INGEST_SERVICE_HOST": "10.0.0.1",
        "INGEST_SERVICE_PORT": "8080",
        "INGEST_SERVICE_PORT_HTTP": "8080",
        "INGEST_PORT": "tcp://10.0.0.1:8080",
        "INGEST_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "INGEST_PORT_8080_TCP_ADDR": "10.0.0.1",
    }
    for name, value in (GOOD | of_kubernetes | {"BELLWETHER_PARTITIONS": "16"}).items():
        monkeypatch.setenv(name, value)
    assert Ingest() == Ingest.model_construct()
    assert Shared().kafka == "k:9092"
