"""A deployment that starts from nothing, for what is made up: never on the servers that real customers are on."""

import os
import shutil
from pathlib import Path

from services.cli.embedded import running
from services.cli.embedded.box import describe, holder
from services.cli.embedded.folder import InUse


def forget_environment() -> None:
    """Own servers only, whatever BELLWETHER_ addresses this shell has."""
    for name in [name for name in os.environ if name.startswith("BELLWETHER_")]:
        del os.environ[name]


def emptied(path: Path) -> Path:
    """The folder without what an earlier run left there. Raises InUse while one runs in it."""
    folder = running.existing(path)
    if folder is not None:
        if running.supervisor_of(folder) is not None:
            raise InUse(f"{path} is in use by {describe(holder(folder))}: stop it first")
        running.end(folder)
    shutil.rmtree(path, ignore_errors=True)
    return path
