"""Cursors go round; what is not ours is refused by name."""

import pytest

from shared.http.paging import decode_cursor, encode_cursor
from shared.http.problem import Unprocessable


def test_a_cursor_comes_back_as_it_went() -> None:
    assert decode_cursor(encode_cursor(41_250, "acme"), int, str) == (41_250, "acme")


@pytest.mark.parametrize("cursor", ["", "!!", "bm90IGpzb24", encode_cursor("a", "b"), encode_cursor(1)])
def test_a_cursor_that_is_not_ours_is_refused_by_name(cursor: str) -> None:
    with pytest.raises(Unprocessable, match="is not one of ours") as refused:
        decode_cursor(cursor, int, str)
    assert refused.value.reason == "cursor_invalid"
