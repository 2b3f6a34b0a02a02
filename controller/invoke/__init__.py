"""How one request becomes activations."""
