"""The docker driver: sandboxes are containers of an engine on this host."""
