"""Web actions: requests as arguments, results as answers. Pure."""
