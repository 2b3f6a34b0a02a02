"""The default driver: processes of this host, each in namespaces of its own."""
