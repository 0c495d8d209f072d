"""What tools print, read into values: one file a tool. Pure."""
