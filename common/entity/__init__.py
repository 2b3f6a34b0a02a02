"""The documents of OpenWhisk as values: immutable, typed, units in their names.

Inside the platform these travel as frozen dataclasses. JSON is read and written at the edges only.
"""
