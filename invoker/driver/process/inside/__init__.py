"""What runs in the zygote and in the sandboxes: standard library only, Python 3.9 and later.

These modules are loaded by the interpreter that will run the user's code, whose version is not
ours, so they import nothing but each other. They are trusted until `confine` has run, and never see
anything a user sent.
"""
