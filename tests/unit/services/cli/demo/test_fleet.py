from collections import Counter
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from services.cli.demo.archetypes import ARCHETYPES
from services.cli.demo.fleet import ACCOUNTS, make_fleet
from services.cli.demo.history import DAYS, history
from services.cli.importing.checking import Checker
from services.cli.importing.outcome import Draft
from shared.contracts.catalogue import TYPES

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 13, 12, tzinfo=UTC)
SEED = 7


@pytest.fixture(scope="module")
def told() -> dict[str, list[Draft]]:
    """Archetype -> the histories of its first customer."""
    first = {customer.archetype.name: customer for customer in reversed(make_fleet(SEED, TODAY))}
    return {name: list(history(customer, SEED, NOW)) for name, customer in first.items()}


def test_the_same_seed_gives_the_same_fleet_and_another_seed_another() -> None:
    assert make_fleet(SEED, TODAY) == make_fleet(SEED, TODAY)
    assert make_fleet(SEED, TODAY) != make_fleet(SEED + 1, TODAY)


def test_every_archetype_has_its_share_and_every_account_its_own_id() -> None:
    fleet = make_fleet(SEED, TODAY)
    counts = Counter(customer.archetype.name for customer in fleet)
    assert counts == {archetype.name: round(archetype.share * ACCOUNTS) for archetype in ARCHETYPES}
    assert len({customer.account for customer in fleet}) == ACCOUNTS
    assert "acme" in {customer.account for customer in fleet}


def test_the_same_customer_has_the_same_history() -> None:
    customer = make_fleet(SEED, TODAY)[0]
    assert list(history(customer, SEED, NOW)) == list(history(customer, SEED, NOW))


def test_ingest_takes_every_event_of_every_archetype(told: dict[str, list[Draft]]) -> None:
    check = Checker("//demo", "demo-7", NOW, {})
    refused = [answer for drafts in told.values() for draft in drafts if not isinstance(answer := check(draft), str)]
    assert refused == []


def test_history_lies_within_its_days_and_never_ahead(told: dict[str, list[Draft]]) -> None:
    times = [draft.time for drafts in told.values() for draft in drafts]
    assert max(times) <= NOW
    assert min(times).date() >= TODAY - timedelta(days=DAYS)


def test_every_event_has_its_own_id(told: dict[str, list[Draft]]) -> None:
    ids = Counter(draft.id for drafts in told.values() for draft in drafts)
    assert ids.most_common(1)[0][1] == 1


def test_all_four_streams_are_told_of(told: dict[str, list[Draft]]) -> None:
    streams = {TYPES[draft.type].stream.name for drafts in told.values() for draft in drafts}
    assert streams == {"product.usage", "support.tickets", "billing.events", "relationship.events"}


def test_silent_customers_have_used_nothing_for_two_weeks(told: dict[str, list[Draft]]) -> None:
    used = [draft.time for draft in told["silent"] if draft.type == "usage.feature_used"]
    assert NOW - max(used) > timedelta(days=14)


def test_customers_in_trouble_show_it(told: dict[str, list[Draft]]) -> None:
    def count(archetype: str, kind: str) -> int:
        return sum(draft.type == kind for draft in told[archetype])

    assert count("payment trouble", "invoice.payment_failed") == 4
    assert count("healthy", "invoice.payment_failed") == 0
    assert count("champion left", "contact.left") == 1
    open_tickets = count("support-burdened", "ticket.opened") - count("support-burdened", "ticket.solved")
    assert open_tickets == 2


def test_what_is_told_is_plain_json(told: dict[str, list[Draft]]) -> None:
    for draft in told["growing"]:
        assert msgspec.json.decode(msgspec.json.encode(draft.data)) == draft.data
