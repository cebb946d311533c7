from services.scoring.domain.causes import Inputs, deltas, half_way, main_cause
from shared.contracts.health import Contribution, Delta


def published(**points: float) -> list[Contribution]:
    return [
        Contribution(factor=name, dimension="d", points=value, missing=False, value=None, words="")
        for name, value in points.items()
    ]


def test_each_step_has_its_cause_and_the_parts_add_up() -> None:
    steps = ({"a": 9_000, "b": 20_000}, {"a": 0, "b": 25_000}, {"a": 0, "b": 21_000, "c": 500})
    found = deltas(published(a=10, b=20), steps, touched={"b"})
    assert found == [
        Delta("a", "model", -1.0),
        Delta("a", "data", -9.0),
        Delta("b", "data", 5.0),
        Delta("b", "behaviour", -4.0),
        Delta("c", "time", 0.5),
    ]
    assert sum(delta.points for delta in found) == 21.5 - 30


def test_what_a_status_chose_is_profile() -> None:
    steps = ({"a": 9_000},) * 3
    assert deltas(published(a=10), steps, touched=(), model_cause="profile") == [Delta("a", "profile", -1.0)]


def test_nothing_moved_is_no_delta() -> None:
    assert deltas(published(a=10), ({"a": 10_000},) * 3, touched={"a"}) == []


def test_half_way_has_old_values_and_new_missingness() -> None:
    before = Inputs([1, 2, None, None], [True, False, None])
    now = Inputs([5, None, 7, None], [None, True, True])
    assert half_way(before, now) == Inputs([1, None, 7, None], [None, False, True])


def test_the_main_cause_moved_most_points_in_either_direction() -> None:
    found = [Delta("a", "time", 3.0), Delta("b", "data", -2.0), Delta("c", "data", 2.0)]
    assert main_cause(found, "time") == "data"
    assert main_cause([], "time") == "time"
