"""How long an activation is billed, and how amounts are summed.

Billed time is initTime + run time in whole milliseconds, rounded up once, at the end. Memory is the
limit that was reserved, not what was touched. What the platform itself broke is not billed. Sums
are integers in millisecond × megabyte, so that no order of adding and no replay changes a digit.
"""

from typing import Final

from common.entity.activation import ActivationRecord, Status

NS_PER_MS: Final = 1_000_000


def whole_ms(elapsed_ns: int) -> int:
    """Return *elapsed_ns* in milliseconds, rounded up."""
    return -(-elapsed_ns // NS_PER_MS)


def billed_ms(*, init_ns: int, run_ns: int, status: Status) -> int:
    """Return what one activation is billed, in whole milliseconds.

    init_ns, run_ns: how long the code was loaded and ran; 0 for what did not happen.
    """
    if status is Status.WHISK_ERROR:
        return 0
    return whole_ms(init_ns + run_ns)


def mb_ms(record: ActivationRecord) -> int:
    """Return the amount that *record* adds to the bill: megabytes reserved × milliseconds."""
    return record.billed_ms * record.memory_mb
