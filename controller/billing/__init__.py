"""What usage costs, in an operator's own numbers."""
