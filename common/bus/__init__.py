"""Ordered topics between controllers and invokers: the port, and its adapters."""
