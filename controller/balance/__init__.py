"""Which invoker runs an activation, and who waits for it."""
