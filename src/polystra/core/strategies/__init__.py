"""One file per strategy, each a value built from its settings."""
