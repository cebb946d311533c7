"""Whether something is said now, later, or not at all."""

from datetime import timedelta

from msgspec.structs import replace

from services.scoring.domain.record import State
from services.scoring.remembered import Remembered
from services.scoring.said import ABANDONED, APART, decide, import_run, quiet
from shared.contracts.envelope import HealthEvent
from shared.contracts.health import Notable, Snapshot
from tests.unit.services.scoring.acme import NOW, event, healthy, snapshot_of, state_of, used

SAID = snapshot_of(state_of(healthy()))
WORSE = replace(SAID, score=10.0, as_of=NOW + timedelta(minutes=1))


def known(said: Snapshot | None = SAID, run: str | None = None) -> Remembered:
    return Remembered(account="acme", partition=0, state=State(), fresh=State(), said=said, import_run=run)


def imported(one: HealthEvent) -> HealthEvent:
    return replace(one, importrun="r1")


ENDED = event("import.ended", run="r1")


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


def test_an_import_that_never_ends_holds_nothing_back_for_longer_than_a_day() -> None:
    assert decide(known(run="r1"), [], replace(WORSE, as_of=NOW + ABANDONED)).said is not None


def test_the_end_of_an_import_is_said_at_once_and_quietly() -> None:
    soon = replace(WORSE, as_of=NOW + timedelta(milliseconds=50))
    decision = decide(known(run="r1"), [ENDED], soon)
    assert (decision.said, decision.import_run) == (soon, None)
    assert quiet(known(run="r1"), [ENDED], SAID.model) == "import"
    assert quiet(known(), [], SAID.model) is None


def test_another_model_is_quiet() -> None:
    assert quiet(known(), [], "health@2") == "model"


def test_only_its_own_end_ends_an_import() -> None:
    assert import_run(known(run="r2"), [ENDED]) == "r2"
    assert import_run(known(), [imported(used(NOW)), ENDED]) is None
