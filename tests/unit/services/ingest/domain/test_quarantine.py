"""A source without end is counted, not kept; nobody else is, and one good event is forgiveness."""

from services.ingest.domain.quarantine import SOURCES_MAX, Quarantine


def test_the_first_are_kept_whole_then_one_in_many() -> None:
    quarantine = Quarantine(refused_max=3, kept_one_in=4)
    kept = [quarantine.keeps("t", "bad") for _ in range(12)]
    assert kept == [True] * 3 + [False, False, False, True] * 2 + [False]


def test_quarantine_begins_once_and_ends_with_a_good_event() -> None:
    quarantine = Quarantine(refused_max=2)
    begun = []
    for _ in range(5):
        quarantine.keeps("t", "bad")
        begun.append(quarantine.has_just_begun("t", "bad"))
    assert begun == [False, False, True, False, False]
    assert quarantine.passed("t", "bad")
    assert quarantine.keeps("t", "bad")
    assert not quarantine.passed("t", "bad")


def test_sources_and_topics_are_judged_alone() -> None:
    quarantine = Quarantine(refused_max=1)
    assert [quarantine.keeps("t", "bad"), quarantine.keeps("t", "bad")] == [True, False]
    assert quarantine.keeps("t", "other")
    assert quarantine.keeps("u", "bad")


def test_memory_is_bounded_and_the_source_refused_longest_ago_is_forgotten() -> None:
    quarantine = Quarantine(refused_max=1)
    for number in range(SOURCES_MAX + 1):
        quarantine.keeps("t", str(number))
    assert quarantine.keeps("t", "0")
    assert not quarantine.keeps("t", str(SOURCES_MAX))
