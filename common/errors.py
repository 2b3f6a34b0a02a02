"""Everything a caller may be told went wrong.

The docstring of an error is its message: who raises one without a text says these words. Which
HTTP status an error has is known in one place, `controller/edge/errors.py`.
"""

import inspect


class BriskError(Exception):
    """Something went wrong."""

    def __str__(self) -> str:
        """Return the text given, else the first paragraph of the docstring."""
        return super().__str__() or inspect.cleandoc(self.__doc__ or "").split("\n\n")[0]
