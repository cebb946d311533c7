from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.cli.importing.checking import Checker
from services.cli.importing.outcome import Draft, Refused
from services.ingest.domain.identity import Alias

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CHECK = Checker("//own", "im_1", NOW, {Alias("stripe", "cus_A"): "acme"})


def draft(**changes: Any) -> Draft:
    fields: dict[str, Any] = {
        "id": "usage/1",
        "type": "usage.feature_used",
        "subject": "acme",
        "time": NOW - timedelta(days=700),
        "data": {"feature": "export", "quantity": 3},
        "columns": {"feature": "feature_name", "quantity": "usage_count"},
    }
    return Draft(**(fields | changes))


def test_history_of_any_age_is_taken() -> None:
    assert CHECK(draft()) == "acme"


def test_an_alias_that_is_bound_names_its_account() -> None:
    assert CHECK(draft(subject="stripe:cus_A")) == "acme"


@pytest.mark.parametrize(
    ("changes", "column", "reason", "value"),
    [
        ({"data": {"feature": "export", "quantity": -1}}, "usage_count", "out_of_range", "-1"),
        ({"data": {"quantity": 1}}, "feature_name", "field_missing", ""),
        ({"data": {"feature": "x" * 200}}, "feature_name", "out_of_range", None),
        ({"subject": "@company"}, "", "reserved_account", '"@company"'),
        ({"subject": "two words"}, "", "account_invalid", '"two words"'),
        ({"subject": "stripe:cus_B"}, "", "unknown_alias", "stripe:cus_B"),
        ({"time": NOW + timedelta(days=1)}, "", "time_in_future", None),
        ({"id": ""}, "", "id_missing", ""),
    ],
)
def test_what_ingest_refuses_is_refused_with_the_column_it_came_from(
    changes: dict[str, Any], column: str, reason: str, value: str | None
) -> None:
    refused = CHECK(draft(**changes))
    assert isinstance(refused, Refused)
    assert (refused.column, refused.reason) == (column, reason)
    assert value is None or refused.value == value
    assert refused.remedy


def test_a_link_of_identities_is_left_to_ingest_which_binds_it() -> None:
    data = {"kind": "account", "source": "stripe", "external_id": "cus_B", "id": "acme"}
    refused = CHECK(draft(type="identity.linked", data=data))
    assert isinstance(refused, Refused)
    assert refused.reason == "link_by_import"
