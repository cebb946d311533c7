"""Brings files of other systems in: a declarative mapping, paced and quiet, every row accounted for."""
