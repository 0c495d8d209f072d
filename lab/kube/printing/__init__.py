"""The forms in which objects are shown: whole, or as tables for a person."""
