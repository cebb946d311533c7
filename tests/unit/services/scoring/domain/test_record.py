import pytest

from services.scoring.domain import dated, days, record, span
from services.scoring.domain import sum as sums
from services.scoring.domain.record import ACCOUNT, State
from tests.unit.services.scoring.acme import NOW, healthy, state_of, used

FIELDS: record.Fields = {
    "uses": sums.Sum({20_781: 3, 20_780: 1}, {2_900: 4}, 7),
    "seen": span.Span(1, 9),
    "used": days.of([20_781, 20_700]),
    "mrr": dated.of([(5, 1, "crm", 120_050), (6, 2, "crm", None)], keep=4, first=1),
}


def test_a_record_comes_back_from_its_bytes() -> None:
    assert record.decode_record(record.encode_record(FIELDS)) == FIELDS


def test_a_state_comes_back_from_its_bytes() -> None:
    state = state_of(healthy())
    assert record.decode(record.encode(state)) == state
    rows = [(kind, key, record.encode_record(fields)) for (kind, key), fields in state.records.items()]
    assert record.of_rows(rows) == state


def test_equal_states_have_equal_bytes_whatever_the_order() -> None:
    events = healthy()
    assert record.encode(state_of(events)) == record.encode(state_of(events[::-1]))


def test_a_fresh_state_of_one_event_fits_its_row() -> None:
    assert len(record.encode(state_of([used(NOW, "user-4711", "report_export")]))) <= 256


def test_merging_leaves_its_inputs_as_they_are() -> None:
    a, b = state_of(healthy()), state_of([used(NOW)])
    before = record.encode(a), record.encode(b)
    record.merge(a, b)
    assert (record.encode(a), record.encode(b)) == before


def test_over_the_cap_the_same_keys_stay_in_any_order_and_the_account_says_so() -> None:
    states = [state_of([used(NOW, f"u{user}")]) for user in range(20)]
    one = other = State()
    for a, b in zip(states, reversed(states), strict=True):
        one = record.merge(one, a, keys_max=8)
        other = record.merge(other, b, keys_max=8)
    assert one == other
    assert len([kind for kind, _ in one.records if kind == "person"]) == 8
    assert one.sampled == {"person"}
    assert states[0].sampled == frozenset()


def test_a_field_never_changes_its_merge() -> None:
    with pytest.raises(TypeError, match="name a new field"):
        record.merge(State({ACCOUNT: {"a": span.of(1)}}), State({ACCOUNT: {"a": days.of([1])}}))


def test_the_newest_time_of_a_record_is_known() -> None:
    assert record.last_time_us({"seen": span.Span(1, 9)}) == 9
    assert record.last_time_us({"used": days.of([3]), "mrr": dated.of([(5, 1, "", 1)])}) == 3 * 86_400_000_000
