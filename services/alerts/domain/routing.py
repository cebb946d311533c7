"""Who gets the work: the account's owner, else the playbook's queue, which is never nobody."""

from services.alerts.domain.playbooks import Playbook

QUEUE_PREFIX = "queue:"


def owner_of(account_owner: str | None, playbook: Playbook) -> str:
    """A person's id, or `queue:<name>` where the account has no owner."""
    return account_owner or f"{QUEUE_PREFIX}{playbook.queue}"
