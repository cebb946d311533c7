from datetime import UTC, date, datetime

from services.cli.demo.fleet import make_fleet
from services.cli.demo.live import STORY_EVERY, Happening, happening
from services.cli.importing.checking import Checker, cloud_event
from services.ingest.domain.decode import decode
from services.ingest.domain.outcome import Refused, Valid
from services.ingest.domain.validate import validate

NOW = datetime(2026, 11, 24, 13, 12, tzinfo=UTC)
FLEET = make_fleet(7, date(2026, 11, 24))
HAPPENINGS = [happening(number, FLEET, 7, NOW, "t") for number in range(STORY_EVERY * 10)]


def test_the_same_number_is_the_same_happening() -> None:
    assert [happening(number, FLEET, 7, NOW, "t") for number in range(len(HAPPENINGS))] == HAPPENINGS


def test_both_ways_in_are_used_by_usage_and_by_stories() -> None:
    stories = [happened for happened in HAPPENINGS if happened.words]
    assert len(stories) == 10
    assert {happened.way for happened in stories} == {"http", "topic"}
    assert {happened.way for happened in HAPPENINGS if not happened.words} == {"http", "topic"}


def test_ingest_takes_every_happening_as_a_live_event() -> None:
    def found(happened: Happening) -> Valid | Refused:
        envelope = decode(cloud_event(happened.draft, "//demo"))
        return envelope if isinstance(envelope, Refused) else validate(envelope, NOW)

    assert [answer for happened in HAPPENINGS if isinstance(answer := found(happened), Refused)] == []


def test_no_two_happenings_share_an_id() -> None:
    assert len({happened.draft.id for happened in HAPPENINGS}) == len(HAPPENINGS)


def test_customers_who_went_silent_stay_so() -> None:
    silent = {customer.account for customer in FLEET if customer.archetype.name == "silent"}
    assert silent.isdisjoint(happened.draft.subject for happened in HAPPENINGS)


def test_a_draft_of_the_fleet_is_about_its_own_account() -> None:
    assert Checker("//demo", "r", NOW, {})(HAPPENINGS[0].draft) == HAPPENINGS[0].draft.subject
