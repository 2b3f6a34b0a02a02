"""A double of CouchDB's HTTP interface that breaks on request. `python -m tests.couchfake`.

It answers as CouchDB 3.5.0 was measured to answer, for what Brisk asks and little more. What it
adds is a script of faults: no real server can be told to apply half of a bulk and then to reset the
connection, and that is what matters.
"""
