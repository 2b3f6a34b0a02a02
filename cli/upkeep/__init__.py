"""What an operator does with stores: keep a copy of them, fill them from one, look them through."""
