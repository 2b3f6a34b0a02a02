"""One file per collection of the REST API: a handler parses, calls one service, prints."""
