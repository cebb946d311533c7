"""When somebody should act, who, and until when: pure functions over frozen values."""
