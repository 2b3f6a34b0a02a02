"""Where documents, code and records are kept: the port, and its adapters."""
