"""What alerts counts."""

from prometheus_client import Counter

from shared.telemetry import REGISTRY

CHANGES = Counter("bellwether_alert_changes_total", "Moves of alerts", ["rule", "event"], registry=REGISTRY)
TOLD = Counter("bellwether_outreach_told_total", "Messages on outreach.events", ["rule", "type"], registry=REGISTRY)
DECLINED = Counter("bellwether_outreach_declined_total", "Cases declined", ["rule", "reason"], registry=REGISTRY)
OLDER = Counter("bellwether_snapshots_older_total", "Snapshots that a newer one had overtaken", registry=REGISTRY)
