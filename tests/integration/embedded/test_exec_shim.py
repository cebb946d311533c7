"""Root's way to start PostgreSQL: another user, one capability, and through private folders all the same."""

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.embedded import exec_shim

ASK = """
import json, os, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "uids": os.getresuid(), "groups": os.getgroups(), "effective": int(status["CapEff"], 16),
    "ambient": int(status["CapAmb"], 16), "may_read": os.access(sys.argv[1], os.R_OK),
}))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else; nobody else uses the shim")
def test_the_program_runs_as_nobody_with_one_capability_and_reads_below_private_folders(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    nobody = pwd.getpwnam("nobody")
    answer = subprocess.run(
        [sys.executable, "-I", exec_shim.__file__, str(nobody.pw_uid), str(nobody.pw_gid),
         sys.executable, "-I", "-c", ASK, str(secret)],
        capture_output=True, check=True,
    )  # fmt: skip
    only = 1 << exec_shim.CAP_DAC_OVERRIDE
    assert json.loads(answer.stdout) == {
        "uids": [nobody.pw_uid] * 3,
        "groups": [],
        "effective": only,
        "ambient": only,
        "may_read": True,
    }
