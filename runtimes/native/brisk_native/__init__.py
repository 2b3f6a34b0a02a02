"""Run programs as actions: what stands between the platform and an executable of a user.

    proxy.py ─┬─ actionloop.py   one process, a line for each activation ─┬─ placing.py   its files
              └─ skeleton.py     a process for each activation           ─┘

Standard library only, and the faces of the Python runtime.
"""
