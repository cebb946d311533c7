"""Ingest: raw topics and HTTP -> health.events. Each event is accepted, refused or set aside, and told why."""
