"""Who waits for a sandbox, in the order of arrival: by action, and by shape.

A call stands in two queues at once, because it takes whichever comes first: a freed sandbox of its
action or a blank one of its shape. Joining, leaving, and asking who is first are O(1).
"""

from collections import OrderedDict
from collections.abc import Callable

from common.ids import ActivationId
from invoker.pool.container import ActionKey, Shape
from invoker.pool.orders import Job


class Line:
    """The calls that wait. A call is in it once, or not at all."""

    def __init__(self) -> None:
        self.jobs: OrderedDict[ActivationId, Job] = OrderedDict()
        self._by_key: dict[ActionKey, OrderedDict[ActivationId, None]] = {}
        self._by_shape: dict[Shape, OrderedDict[ActivationId, None]] = {}
        self._sharing: dict[Shape, dict[ActionKey, int]] = {}
        """Actions whose calls may share a sandbox, each with how many of them."""

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self.jobs)

    def join(self, job: Job) -> None:
        """Put *job* at the end."""
        self.jobs[job.id] = job
        self._by_key.setdefault(job.key, OrderedDict())[job.id] = None
        self._by_shape.setdefault(job.shape, OrderedDict())[job.id] = None
        if job.most > 1:
            self._sharing.setdefault(job.shape, {})[job.key] = job.most

    def leave(self, job_id: ActivationId) -> Job | None:
        """Take a call out; None when it does not wait."""
        job = self.jobs.pop(job_id, None)
        if job is None:
            return None
        key_queue, shape_queue = self._by_key[job.key], self._by_shape[job.shape]
        del key_queue[job_id]
        del shape_queue[job_id]
        if not key_queue:
            del self._by_key[job.key]
            if job.most > 1:
                del self._sharing[job.shape][job.key]
        if not shape_queue:
            del self._by_shape[job.shape]
            self._sharing.pop(job.shape, None)
        return job

    def take_for_key(self, key: ActionKey) -> Job | None:
        """Take out the first call of one action."""
        queue = self._by_key.get(key)
        return self.leave(next(iter(queue))) if queue else None

    def take_for_shape(self, shape: Shape, hoped_for: Callable[[ActionKey], int]) -> Job | None:
        """Take out the first call of one shape that needs a sandbox, whatever its action.

        hoped_for: how many calls of an action those sandboxes may take that load its code.
        """
        queue = self._by_shape.get(shape, ())
        if shape not in self._sharing:
            return self.leave(next(iter(queue))) if queue else None
        first = (job for job in queue if not self.is_hoped_for(self.jobs[job], hoped_for))
        job_id = next(first, None)
        return None if job_id is None else self.leave(job_id)

    def is_hoped_for(self, job: Job, hoped_for: Callable[[ActionKey], int]) -> bool:
        """Tell whether sandboxes that load its code have room for *job* and all beside it."""
        return job.most > 1 and len(self._by_key.get(job.key, ())) <= hoped_for(job.key)

    def count(self, shape: Shape) -> int:
        """Return how many calls of *shape* wait."""
        return len(self._by_shape.get(shape, ()))

    def sandboxes(self, shape: Shape, hoped_for: Callable[[ActionKey], int]) -> int:
        """Return how many sandboxes serve all calls of *shape* that wait, as far as is known.

        hoped_for: how many calls of an action those sandboxes may take that load its code.
        """
        wanted = self.count(shape)
        for key, most in self._sharing.get(shape, {}).items():
            count = len(self._by_key[key])
            wanted += -(-max(0, count - hoped_for(key)) // most) - count
        return wanted

    def shapes(self) -> list[Shape]:
        """Return the shapes that are waited for, the one waited for longest first."""
        return sorted(self._by_shape, key=lambda shape: next(iter(self._by_shape[shape])))

    def check(self) -> None:
        """Assert that both indexes say what `jobs` says."""
        by_key = [job_id for queue in self._by_key.values() for job_id in queue]
        by_shape = [job_id for queue in self._by_shape.values() for job_id in queue]
        assert sorted(by_key) == sorted(by_shape) == sorted(self.jobs), self
        sharing = {(j.shape, j.key, j.most) for j in self.jobs.values() if j.most > 1}
        kept = {(s, k, most) for s, keys in self._sharing.items() for k, most in keys.items()}
        assert sharing == kept, self
        assert all(self._by_key.values()) and all(self._by_shape.values()), "an empty queue is kept"
