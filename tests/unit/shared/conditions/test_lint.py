"""The linter knows names, types and units."""

import pytest
import yaml

from shared.conditions.grammar import parse
from shared.conditions.lint import Finding, Measure, Vocabulary, lint

KNOWN = Vocabulary(
    signals={"seats_used_ratio": Measure("of 1", 0, 1), "tickets_open": Measure("tickets", 0, is_whole=True)},
    instants=frozenset({"term_end"}),
    statuses={"band": frozenset({"red", "green"}), "segment": frozenset({"smb", "enterprise"}), "tier": frozenset()},
    fields={"priority": "text", "amount": "number", "is_vip": "flag", "opened_at": "instant"},
    changes=frozenset({"score"}),
)


@pytest.mark.parametrize(
    "written",
    [
        "{signal: seats_used_ratio, below: 0.8}",
        "{signal: tickets_open, at_least: 3, at_most: 3}",
        "{until: term_end, at_most: {by: segment, smb: 45d, enterprise: 90d}}",
        "{age: opened_at, at_least: 4h}",
        "{status: tier, is: gold}",
        "{field: amount, above: 3}",
        "{field: is_vip, is: true}",
        "{change: score, over: 7d, below: -1}",
        "{missing: priority}",
    ],
)
def test_a_clean_condition_has_no_findings(written: str) -> None:
    assert lint(parse(yaml.safe_load(written)), KNOWN) == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{signal: tickets_opn, above: 3}", "tickets_opn is no known signal; did you mean tickets_open?"),
        ("{signal: term_end, above: 3}", "term_end is no known signal; it is a instant"),
        ("{signal: seats_used_ratio, below: 80}", "80 is outside what seats_used_ratio can be: 0 to 1 of 1"),
        ("{signal: tickets_open, in: [2.5]}", "tickets_open counts whole tickets; 2.5 is none"),
        ("{signal: tickets_open, above: 5, below: 5}", "its bounds leave no value that could pass"),
        ("{age: term_end, at_least: 9d, at_most: 8d}", "its bounds leave no value that could pass"),
        ("{status: band, is: orange}", "band is never orange; it is one of green, red"),
        (
            "{signal: tickets_open, above: {by: segment, smb: 1}}",
            "the bound by segment says nothing for enterprise; add else",
        ),
        ("{signal: tickets_open, above: {by: segmnt, smb: 1}}", "segmnt is no known status; did you mean segment?"),
        (
            "{signal: tickets_open, above: {by: segment, mini: 1, else: 2}}",
            "segment is never mini; it is one of enterprise, smb",
        ),
        ("{field: priority, above: 3}", "priority is a text: it cannot be compared by size"),
        ("{field: opened_at, above: 3}", "opened_at is a instant: it cannot be compared by size; use age or until"),
        ("{field: amount, is: many}", "amount is a number: it is never many"),
        ("{change: band, over: 7d, below: -1}", "band is no known change; it is a status"),
        ("{missing: nsp}", "nsp is no known name"),
    ],
)
def test_a_finding_says_what_is_wrong(written: str, said: str) -> None:
    assert [finding.words for finding in lint(parse(yaml.safe_load(written)), KNOWN)] == [said]


def test_a_finding_points_into_what_was_written() -> None:
    condition = parse({"all": [{"missing": "band"}, {"not": {"status": "band", "is": "blue"}}]})
    assert lint(condition, KNOWN) == [Finding("/all/1/not", "band is never blue; it is one of green, red")]
