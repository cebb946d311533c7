"""The catalogue that comes with the package, read from its folder. Domain code never sees a file."""

from pathlib import Path
from typing import Any

import yaml

CATALOGUE = Path(__file__).parent / "catalogue"


def load(folder: Path = CATALOGUE) -> dict[str, Any]:
    """File name within the folder -> its YAML as objects, for `domain.catalogue.parse`. Raises yaml.YAMLError."""
    files = sorted(folder.rglob("*.yaml"))
    return {file.relative_to(folder).as_posix(): yaml.safe_load(file.read_text("utf-8")) for file in files}
