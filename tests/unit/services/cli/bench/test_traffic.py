from datetime import UTC, datetime

from services.cli.bench.traffic import ACCOUNTS, probe, usage
from services.cli.importing.checking import cloud_event
from services.ingest.domain.decode import decode
from services.ingest.domain.outcome import Refused, Valid
from services.ingest.domain.validate import validate

NOW = datetime(2026, 11, 24, 13, 12, tzinfo=UTC)
DRAFTS = [usage(number, "r", NOW) for number in range(ACCOUNTS * 3)] + [probe(number, NOW) for number in range(50)]


def test_ingest_takes_every_event_as_a_live_one() -> None:
    envelopes = [decode(cloud_event(draft, "//bench")) for draft in DRAFTS]
    found = [one if isinstance(one, Refused) else validate(one, NOW) for one in envelopes]
    assert [one for one in found if not isinstance(one, Valid)] == []


def test_no_two_events_share_an_id_and_every_account_has_some() -> None:
    assert len({draft.id for draft in DRAFTS}) == len(DRAFTS)
    assert len({draft.subject for draft in DRAFTS}) == ACCOUNTS
