"""The forms in which objects are shown: whole, their metadata, tables for a person."""
