"""Whether something is said now, later, or not at all."""

from datetime import timedelta

from msgspec.structs import replace

from services.scoring.domain.record import State
from services.scoring.remembered import Importing, Remembered
from services.scoring.said import ABANDONED, APART, decide, has_memory, importing, quiet
from shared.contracts.envelope import HealthEvent
from shared.contracts.health import Notable, Snapshot
from tests.unit.services.scoring.acme import NOW, event, healthy, snapshot_of, state_of, used

SAID = snapshot_of(state_of(healthy()))
WORSE = replace(SAID, score=10.0, as_of=NOW + timedelta(minutes=1))


def known(said: Snapshot | None = SAID, run: str | None = None, *, is_first: bool = False) -> Remembered:
    under_way = None if run is None else Importing(run, NOW, is_first)
    return Remembered(account="acme", partition=0, state=State(), fresh=State(), said=said, importing=under_way)


def imported(one: HealthEvent) -> HealthEvent:
    return replace(one, importrun="r1")


ENDED = imported(event("import.ended", run="r1"))  # as an import sends it: a part of its own run


def test_a_first_snapshot_is_said_and_one_that_shows_nothing_new_is_not() -> None:
    assert decide(known(None), [], SAID).said is SAID
    assert decide(known(), [], replace(SAID, as_of=NOW + timedelta(minutes=1))).said is None


def test_a_second_within_a_fifth_of_a_second_waits_until_it_is_over() -> None:
    soon = replace(WORSE, as_of=NOW + timedelta(milliseconds=50))
    held = decide(known(), [used(NOW)], soon)
    assert (held.said, held.look_at) == (None, NOW + APART)


def test_a_notable_never_waits() -> None:
    notable = Notable(id="//test e1", type="ticket.opened", at=NOW)
    soon = replace(WORSE, as_of=NOW + timedelta(milliseconds=50), notables=[notable])
    assert decide(known(), [used(NOW)], soon).said is soon


def test_in_the_middle_of_an_import_neither_its_events_nor_a_look_say_anything() -> None:
    assert decide(known(), [imported(used(NOW))], WORSE).said is None
    assert decide(known(run="r1"), [], WORSE).said is None
    assert decide(known(run="r1"), [used(NOW)], WORSE).said is WORSE


def test_an_import_without_an_event_for_a_day_is_under_way_no_more() -> None:
    later = replace(WORSE, as_of=NOW + ABANDONED)
    decision = decide(known(run="r1"), [], later)
    assert (decision.said, decision.importing) == (later, None)


def test_the_end_of_an_import_is_said_at_once_and_quietly() -> None:
    soon = replace(WORSE, as_of=NOW + timedelta(milliseconds=50))
    decision = decide(known(run="r1"), [ENDED], soon)
    assert (decision.said, decision.importing) == (soon, None)
    assert quiet(known(run="r1"), [ENDED], SAID.model, NOW) == "import"
    assert quiet(known(), [], SAID.model, NOW) is None


def test_another_model_is_quiet() -> None:
    assert quiet(known(), [], "health@2", NOW) == "model"


def test_only_its_own_end_ends_an_import() -> None:
    assert importing(known(run="r2"), [ENDED], NOW) == Importing("r2", NOW, is_first=False)
    assert importing(known(), [imported(used(NOW)), ENDED], NOW) is None


def test_only_what_was_said_in_an_accounts_first_import_is_not_remembered() -> None:
    begun = importing(known(None), [imported(used(NOW))], NOW)
    assert begun == Importing("r1", NOW, is_first=True)
    assert not has_memory(known(run="r1", is_first=True))
    assert importing(known(), [imported(used(NOW))], NOW) == Importing("r1", NOW, is_first=False)
    assert has_memory(known(run="r1"))
