"""Writes the JSON Schema of every event type: `python -m shared.contracts.generate [--check]`."""

import sys
from pathlib import Path
from typing import Any

from msgspec import Struct, json

from shared.contracts.catalogue import TYPES
from shared.contracts.envelope import HealthEvent
from shared.contracts.health import HealthChanged
from shared.contracts.outreach import OUTREACH_MESSAGES

FOLDER = Path(__file__).parent / "schemas"


def schemas() -> dict[str, dict[str, Any]]:
    """File name `<type>.<version>.json` -> schema: the data of what comes in, the whole message of what goes out."""
    incoming = {f"{t.name}.{t.version}": t.data for t in TYPES.values()}
    messages: dict[str, type[Struct]] = {
        "health.event.1": HealthEvent,
        "health.changed.1": HealthChanged,
        **{f"{name}.1": struct for name, struct in OUTREACH_MESSAGES.items()},
    }
    return {
        f"{name}.json": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": name,
            **json.schema(struct),
        }
        for name, struct in (incoming | messages).items()
    }


def _rendered() -> dict[str, bytes]:
    return {name: json.format(json.encode(schema), indent=2) + b"\n" for name, schema in schemas().items()}


def main(arguments: list[str]) -> int:
    """0 when the folder is up to date afterwards; with --check nothing is written."""
    wanted = _rendered()
    present = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    if "--check" in arguments:
        differing = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
        for name in differing:
            print(f"schemas/{name} is not what the types say: run `make contracts`", file=sys.stderr)
        return int(bool(differing))
    FOLDER.mkdir(exist_ok=True)
    for name in present.keys() - wanted.keys():
        (FOLDER / name).unlink()
    for name, body in wanted.items():
        (FOLDER / name).write_bytes(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
