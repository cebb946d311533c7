"""The pure core of scoring: events in, state, signals, score, snapshot out. No I/O, no clock."""
