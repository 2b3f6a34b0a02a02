"""The part that accepts requests: who asks, whether they may, and which invoker runs it."""
