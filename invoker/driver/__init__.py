"""What a sandbox is made of: the port, and one adapter for each kind of sandbox."""
