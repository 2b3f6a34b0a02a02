"""The loop of who writes a function: find its files, build them, run the platform, look again."""
