"""Which sandbox runs which activation: pure decisions, and the shell that obeys them."""
