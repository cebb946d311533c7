"""How many rows ended how; the three sum to the rows."""

from msgspec import Struct

from services.cli.importing.outcome import Accepted, Duplicate, Outcome


class Tally(Struct):
    """Counts of one file. `shift_days` is what its times were moved by, the same for all files of a source."""

    source: str = ""
    shift_days: int = 0
    accepted: int = 0
    events: int = 0
    duplicate: int = 0
    refused: int = 0
    reasons: dict[str, int] = {}
    remarks: dict[str, int] = {}

    @property
    def rows(self) -> int:
        return self.accepted + self.duplicate + self.refused

    def count(self, outcome: Outcome) -> None:
        """Every row comes here exactly once."""
        if isinstance(outcome, Accepted):
            self.accepted += 1
            self.events += len(outcome.events)
            for words in outcome.remarks:
                self.remarks[words] = self.remarks.get(words, 0) + 1
        elif isinstance(outcome, Duplicate):
            self.duplicate += 1
        else:
            self.refused += 1
            self.reasons[outcome.reason] = self.reasons.get(outcome.reason, 0) + 1
