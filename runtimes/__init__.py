"""The action runtimes. Each folder stands alone and imports nothing of the platform."""
