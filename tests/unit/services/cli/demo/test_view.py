from datetime import UTC, datetime

import pytest
import typer
from rich.console import Console, RenderableType

from services.cli.demo import view
from services.cli.demo.api import Account
from services.cli.demo.command import duration_seconds
from shared.contracts.health import Money, Reason

SINCE = datetime(2026, 11, 12, tzinfo=UTC)


def account(name: str, band: str, arr: str, score: float | None, *words: str) -> Account:
    reasons = [Reason(code, code, SINCE) for code in words]
    return Account(name.lower(), name, score, band, "ana", Money(arr, "EUR"), reasons)


ACCOUNTS = [
    account("Nordwind", "red", "48000", 41.2, "champion left 12 days ago", "usage fell by 38%"),
    account("Acme", "red", "96000", 37.0, "2 invoices failed to be paid"),
    account("Globex", "yellow", "1900000", 55.0),
    account("Initech", "green", "9400000", 88.0),
    account("Umbra", "unknown", "0", None),
]


def shown(part: RenderableType) -> str:
    console = Console(width=120, highlight=False)
    with console.capture() as capture:
        console.print(part)
    return capture.get()


def test_bands_show_accounts_and_money() -> None:
    text = shown(view.bands(ACCOUNTS))
    for row in (["red", "2", "EUR 144k", "1%"], ["yellow", "1", "EUR 1.9M", "17%"], ["together", "5", "EUR 11.4M"]):
        assert any(all(cell in line for cell in row) for line in text.splitlines()), row


def test_the_first_accounts_are_the_worst_bands_by_money() -> None:
    assert [a.name for a in view.needing_attention(ACCOUNTS)] == ["Acme", "Nordwind", "Globex", "Initech", "Umbra"]


def test_an_account_says_why_in_plain_words() -> None:
    assert view.why(ACCOUNTS[0]) == "champion left 12 days ago; usage fell by 38%"
    assert view.why(ACCOUNTS[2]) == "no single reason stands out"
    assert view.why(account("X", "red", "1", 1.0, "a", "b", "c", "d", "e")) == "a; b; c; 2 more"
    assert "2 invoices failed to be paid" in shown(view.first_ones(ACCOUNTS))


def outreach(to: str) -> dict[str, object]:
    return {
        "account": "acme",
        "name": "Acme [ltd]",
        "words": "a payment failed",
        "title": "Payment failed",
        "priority": "high",
        "owner": "ana",
        "due_at": "2026-11-26T09:00:00Z",
        "transition": {"to": to},
        "playbook": {"title": "Save the payment"},
    }


def test_outreach_says_who_does_what_until_when_and_when_it_is_over() -> None:
    open_line = shown(view.outreach_line({"data": outreach("firing")})).strip()
    assert open_line == "high Acme [ltd]: a payment failed -> ana: Save the payment, due 2026-11-26 09:00"
    assert shown(view.outreach_line(outreach("resolved"))).strip() == "resolved Acme [ltd]: a payment failed"


def test_open_work_is_listed_by_how_much_of_it_there_is() -> None:
    text = shown(view.open_work({"Went silent": 2, "Critical ticket open too long": 40}))
    assert text.strip() == "Work that is open   Critical ticket open too long 40, Went silent 2"
    assert shown(view.open_work({})).strip() == "No work is open."


@pytest.mark.parametrize(("text", "seconds"), [("20s", 20), ("5m", 300), ("1h", 3600), ("90", 90), ("1.5s", 1.5)])
def test_a_duration_is_a_number_with_its_unit(text: str, seconds: float) -> None:
    assert duration_seconds(text) == seconds


def test_what_is_no_duration_says_what_would_be() -> None:
    with pytest.raises(typer.BadParameter, match="write 20s, 5m or 1h"):
        duration_seconds("soon")
