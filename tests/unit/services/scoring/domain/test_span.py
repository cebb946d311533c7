from services.scoring.domain import span


def test_the_earlier_first_and_the_later_last_stay() -> None:
    assert span.merge(span.of(5), span.of(3)) == span.Span(3, 5)
    assert span.merge(span.Span(3, 5), span.of(4)) == span.Span(3, 5)
