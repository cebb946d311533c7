"""How PostgreSQL is started by root: as another user, with one capability, through private folders all the same."""

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

from services.cli.embedded import exec_shim, postgres

ASK = """
import json, os, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "uids": os.getresuid(), "groups": os.getgroups(), "effective": int(status["CapEff"], 16),
    "ambient": int(status["CapAmb"], 16), "may_read": os.access(sys.argv[1], os.R_OK),
}))
"""


def test_postgres_runs_as_an_ordinary_user_and_reads_below_private_folders(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    answer = subprocess.run(
        [*postgres._as_ordinary_user(), sys.executable, "-I", "-c", ASK, str(secret)], capture_output=True, check=True
    )
    is_root = os.geteuid() == 0
    user = pwd.getpwnam("nobody").pw_uid if is_root else os.getuid()
    capabilities = 1 << exec_shim.CAP_DAC_OVERRIDE if is_root else 0  # one, so that root's folders stay private
    assert json.loads(answer.stdout) == {
        "uids": [user] * 3,
        "groups": [] if is_root else os.getgroups(),
        "effective": capabilities,
        "ambient": capabilities,
        "may_read": True,
    }
