"""The command line, and the platform in one process."""
