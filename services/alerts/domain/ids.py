"""Names that a restore repeats: computed from what they name, never drawn."""

from hashlib import blake2b

_BYTES = 10  # 80 bits: a million alerts meet by chance once in a trillion deployments


def alert_id(account: str, rule: str, key: str, n: int) -> str:
    """The n-th opening of a rule's alert about `key` of an account. Source: DESIGN, "Rules of the wire"."""
    named = "\0".join((account, rule, key, str(n)))
    return "al_" + blake2b(named.encode(), digest_size=_BYTES).hexdigest()


def case_id(alert: str) -> str:
    """An alert has one case."""
    return "ca_" + alert.removeprefix("al_")


def outreach_id(alert: str, change_number: int) -> str:
    """What is said about an alert is said once per change of it."""
    return f"{alert}.{change_number}"
