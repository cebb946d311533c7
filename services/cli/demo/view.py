"""What the demo shows: bands with their money, who needs attention first, outreach as it comes."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from services.cli.demo.api import Account

BANDS = ("red", "yellow", "green", "unknown")
_STYLES = {"red": "red", "yellow": "yellow", "green": "green", "unknown": "bright_black"}
FIRST_ACCOUNTS = 10
REASONS_SHOWN = 3


def bands(accounts: Sequence[Account]) -> RenderableType:
    """How many accounts, and how much money, stand how well."""
    table = Table(title="How the customers are", title_justify="left")
    table.add_column("band")
    table.add_column("accounts", justify="right")
    table.add_column("ARR", justify="right")
    table.add_column("of all ARR", justify="right")
    total = sum((account.yearly for account in accounts), Decimal())
    for band in BANDS:
        among = [account for account in accounts if account.band == band]
        money = sum((account.yearly for account in among), Decimal())
        share = f"{money / total:.0%}" if total else "-"
        table.add_row(f"[{_STYLES[band]}]{band}[/]", str(len(among)), _amount(money), share)
    table.add_section()
    table.add_row("together", str(len(accounts)), _amount(total), "")
    return table


def first_ones(accounts: Sequence[Account]) -> RenderableType:
    """The ten to see first: those in the worst bands, by the money at stake."""
    table = Table(title="Who needs attention first, and why", title_justify="left")
    table.add_column("score", justify="right")
    table.add_column("account")
    table.add_column("ARR", justify="right")
    table.add_column("owner")
    table.add_column("why", ratio=1)
    for account in needing_attention(accounts):
        score = "-" if account.score is None else f"{account.score:.0f}"
        table.add_row(
            f"[{_STYLES.get(account.band, 'white')}]{score}[/]",
            escape(account.name or account.account),
            _amount(account.yearly),
            escape(account.owner or "-"),
            escape(why(account)),
        )
    return table


def needing_attention(accounts: Sequence[Account]) -> list[Account]:
    """Red before yellow before others, then by ARR."""
    order = {band: number for number, band in enumerate(("red", "yellow"))}
    ranked = sorted(accounts, key=lambda a: (order.get(a.band, len(order)), -a.yearly, a.account))
    return ranked[:FIRST_ACCOUNTS]


def why(account: Account) -> str:
    """The account's reasons in plain words, the first few of them."""
    words = [reason.words for reason in account.reasons]
    more = len(words) - REASONS_SHOWN
    return "; ".join(words[:REASONS_SHOWN]) + (f"; {more} more" if more > 0 else "") or "no single reason stands out"


def outreach_line(message: Mapping[str, Any]) -> str:
    """One outreach event as a line for the terminal."""
    said = message.get("data", message)
    is_over = said["transition"]["to"] == "resolved"
    head = "[green]resolved[/]" if is_over else f"[bold]{escape(said['priority'])}[/]"
    name = escape(said.get("name") or said["account"])
    line = f"  {head} {name}: {escape(said['words'] or said['title'])}"
    if is_over:
        return line
    return line + escape(
        f" -> {said['owner']}: {said['playbook']['title']}, due {said['due_at'][:16].replace('T', ' ')}"
    )


def open_work(by_title: Mapping[str, int]) -> str:
    """What the history left to do. It was opened quietly: a past that comes in at once is nobody's alarm."""
    if not by_title:
        return "No work is open."
    listed = ", ".join(f"{escape(title)} {count}" for title, count in sorted(by_title.items(), key=lambda e: -e[1]))
    return f"[bold]Work that is open[/]   {listed}"


def links(origin: str, key: str, worst: str) -> RenderableType:
    """Where to look next. `worst`: the account that is looked at as an example."""
    curl = f'curl -s -H "Authorization: Bearer {key}" "{origin}'
    return Group(
        f"API pages     {origin}/docs",
        f'worst first   {curl}/v1/accounts?sort=score"',
        f'one account   {curl}/v1/accounts/{worst}/health"',
        f'open work     {curl}/v1/outreach?state=firing"',
    )


def _amount(euros: Decimal) -> str:
    if euros >= 1_000_000:
        return f"EUR {euros / 1_000_000:.1f}M"
    return f"EUR {euros / 1_000:.0f}k"
