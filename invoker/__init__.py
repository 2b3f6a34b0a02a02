"""The part that keeps warm sandboxes and runs code in them."""
