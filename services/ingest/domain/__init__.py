"""Bytes in, a decision out: no clock, no I/O."""
