"""Run a program as another user who may still pass through private folders (root's way to start PostgreSQL).

PostgreSQL refuses to run as root. This script, run by root as `exec_shim.py UID GID PROGRAM ARG...`, becomes that
user, keeps CAP_DAC_OVERRIDE alone as an ambient capability, and becomes the program. So the data may lie under a
folder of mode 0700 without anybody's mode being changed and without a user being made. Linux only; standard library
only, because it runs isolated from the environment.
"""

import ctypes
import os
import sys

CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2


class Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def become(uid: int, gid: int) -> None:
    """Take uid and gid and keep one capability. Raises OSError where the kernel or the container refuses."""
    libc = ctypes.CDLL(None, use_errno=True)

    def must(result: int, what: str) -> None:
        if result != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{what}: {os.strerror(code)}")

    # access(2) ignores an ordinary user's capabilities without this, and initdb asks it about its own files: refused in
    # some containers, and needed only where the installation itself is private, so a refusal is no failure.
    libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    must(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    only = 1 << CAP_DAC_OVERRIDE
    sets = (Sets * 2)(Sets(only, only, only), Sets(0, 0, 0))
    must(libc.capset(ctypes.byref(Header(CAPABILITY_VERSION_3, 0)), sets), "keep CAP_DAC_OVERRIDE")
    must(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0), "raise CAP_DAC_OVERRIDE")


def main(arguments: list[str]) -> None:
    uid, gid, *program = arguments
    try:
        become(int(uid), int(gid))
    except OSError as error:
        sys.exit(
            f"PostgreSQL does not run as root, and this root may not hand CAP_DAC_OVERRIDE on ({error}): "
            "run as an ordinary user, or set BELLWETHER_POSTGRES to a server of your own"
        )
    os.execv(program[0], program)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
