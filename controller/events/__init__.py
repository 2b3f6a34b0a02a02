"""Providers of events: a process beside the platform, that speaks to it by its public API alone."""
