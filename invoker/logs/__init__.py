"""What an activation printed: collected, cut at its limit, and written as OpenWhisk writes it."""
