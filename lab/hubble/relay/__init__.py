"""The relay: one Observer service over those of all nodes."""
