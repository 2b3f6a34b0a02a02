"""Who follows what happens in a namespace while it happens, and how they are told."""
