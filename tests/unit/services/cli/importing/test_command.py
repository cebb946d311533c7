"""What stops the command before it asks any server."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from services.cli.importing.command import import_command

MAPPING = """\
import: own
source: //own.example
lookups:
  subscription: {file: subscriptions.csv, key: id, columns: [account]}
files:
  - match: usage.csv
    key: [id]
    lookup: {subscription: subscription}
    times: {day: "%d-%m-%Y"}
    emit:
      - type: usage.feature_used
        subject: subscription.account
        time: day
        data: {feature: feature}
"""
SUBSCRIPTIONS = "id,account\nS1,acme\n"
USAGE = "id,subscription,day,feature\nU1,S1,01-03-2024,export\n"


def printed(folder: Path, *more: str, **changed: str) -> tuple[int, str]:
    """(exit code, words) of the command over the three files, some of them changed."""
    contents = {"mapping": MAPPING, "subscriptions": SUBSCRIPTIONS, "usage": USAGE} | changed
    names = {"mapping": "m.yaml", "subscriptions": "subscriptions.csv", "usage": "usage.csv"}
    for name, content in contents.items():
        (folder / names[name]).write_text(content)
    app = typer.Typer()
    app.command()(import_command)
    options = ["--mapping", str(folder / "m.yaml"), "--out", str(folder / "out"), *more]
    result = CliRunner().invoke(app, [str(folder / "usage.csv"), *options])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"mapping": MAPPING.replace("feature_used", "feature_use")},
            "m.yaml:11: files[0].emit[0].type: unknown event",
        ),
        (
            {"usage": USAGE.replace("feature", "thing")},
            "no column feature; the columns are id, subscription, day, thing",
        ),
        ({"usage": ""}, "the file is empty"),
        ({"usage": USAGE.replace("feature", "feature,price")}, "nothing takes column price"),
        ({"subscriptions": "id,account\nS1\n"}, "it is the file of lookup subscription"),
    ],
)
def test_what_cannot_be_imported_at_all_is_named_before_anything_is_sent(
    tmp_path: Path, changed: dict[str, str], words: str
) -> None:
    code, text = printed(tmp_path, **changed)
    assert code == 1
    assert words in text


def test_a_dry_run_needs_no_server_and_reports_all(tmp_path: Path) -> None:
    code, text = printed(tmp_path, "--dry-run", usage=USAGE + "U2,S9,01-03-2024,export\n")
    assert code == 0, text
    assert "dry run: nothing was sent" in text
    assert "lookup_not_found 1" in text
    assert (tmp_path / "out" / "usage.csv.refused.csv").exists()


def test_a_dry_run_says_by_how_much_times_would_move(tmp_path: Path) -> None:
    code, text = printed(tmp_path, "--dry-run", "--shift-to-now")
    assert code == 0, text
    assert "days, so that the newest event lands yesterday" in text
