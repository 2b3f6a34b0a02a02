"""Run Python actions: what stands between the platform and the code of a user.

    proxy.py ─┬─ channel.py   frames on a socket ─┬─ runner.py ─┬─ loading.py ── archive.py
              └─ web.py       HTTP               ─┘             ├─ streams.py   stdout, stderr
                                                                └─ habitat.py   what stays as it was

`overlapping.py` takes over from the channel where several activations run at a time.

Standard library only, CPython 3.9 or later. Names that code may replace by accident (`os.write`,
`time.time_ns`, `json.loads`) are bound when a module is imported, before any user code is loaded.
"""
