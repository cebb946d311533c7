import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.identity import Alias, Unnameable, account_of, alias_of, subject_of


@pytest.mark.parametrize(
    "text", ["a", "Acme", "acme-eu_2.x", "x" * 128, "a@b.example", "~!#$%&'()*+,-.;<=>?[\\]^_`{|}"]
)
def test_printable_ascii_is_an_account_and_keeps_its_case(text: str) -> None:
    assert account_of(text) == text


@pytest.mark.parametrize("text", ["", "x" * 129, "a b", "a/b", "a:b", "é", "a\n", "a\0"])
def test_everything_else_is_none(text: str) -> None:
    assert account_of(text) is Unnameable.INVALID


def test_ids_that_begin_with_an_at_sign_are_reserved() -> None:
    assert account_of("@company") is Unnameable.RESERVED
    assert subject_of("@company:x") is Unnameable.RESERVED


def test_the_first_colon_ends_the_source() -> None:
    assert subject_of("zendesk:org:77") == Alias("zendesk", "org:77")


@pytest.mark.parametrize("text", [":x", "x:", "a b:c", "a:b c", "a/b:c", "a:" + "x" * 129])
def test_an_alias_needs_a_source_and_an_id(text: str) -> None:
    assert subject_of(text) is Unnameable.INVALID


@given(st.text(), st.text())
def test_what_can_be_bound_is_exactly_what_a_subject_can_name(source: str, external_id: str) -> None:
    found = alias_of(source, external_id)
    if isinstance(found, Alias):
        assert subject_of(str(found)) == found == Alias(source, external_id)
