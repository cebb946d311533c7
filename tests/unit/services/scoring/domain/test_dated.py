from services.scoring.domain import dated
from services.scoring.domain.dated import Scalar


def entry(us: int, value: Scalar, source: str = "crm", event_id: int = 0) -> dated.Entry:
    return us, event_id, source, value


def test_the_newest_value_that_has_begun_is_now() -> None:
    value = dated.of([entry(10, "basic"), entry(20, "pro"), entry(99, "enterprise")], keep=8)
    assert dated.at(value, 9) is None
    assert dated.at(value, 10) == "basic"
    assert dated.at(value, 50) == "pro"
    assert dated.at(value, 99) == "enterprise"


def test_null_clears() -> None:
    assert dated.at(dated.of([entry(10, "ana"), entry(20, None)], keep=2), 30) is None


def test_a_trusted_source_wins_over_newer_ones_and_is_not_driven_out() -> None:
    talk = [entry(us, f"guess {us}", "app") for us in range(20, 60)]
    value = dated.of([entry(10, "enterprise", "crm"), *talk], keep=2, trusted=("crm",))
    assert len(value.entries) == 3
    assert dated.at(value, 100) == "enterprise"
    assert dated.at(value, 5) is None


def test_since_is_when_the_present_value_began() -> None:
    value = dated.of([entry(10, "low"), entry(20, "urgent"), entry(30, "urgent")], keep=8)
    assert dated.since(value, 100) == 20
    assert dated.since(value, 15) == 10
    assert dated.since(value, 1) is None


def test_change_is_between_two_instants() -> None:
    value = dated.of([entry(10, 100), entry(20, 80)], keep=8)
    assert dated.change(value, 25, 15) == -20
    assert dated.change(value, 25, 5) is None


def test_the_first_n_stay_beside_the_newest() -> None:
    value = dated.of([entry(us, us) for us in range(1, 101)], keep=2, first=3)
    assert [one[0] for one in value.entries] == [1, 2, 3, 99, 100]


def test_at_one_instant_the_greater_id_wins_in_any_order() -> None:
    a, b = entry(10, "solved", event_id=2), entry(10, "open", event_id=1)
    assert dated.at(dated.of([a, b]), 10) == dated.at(dated.of([b, a]), 10) == "solved"
