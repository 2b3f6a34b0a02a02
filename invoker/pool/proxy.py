"""Makes one sandbox serve one call: resume it, load the code, run it, and take the time of each.

The time limit applies to loading and to running, each on its own. Time is taken around the call to
the sandbox only, so nobody pays for waiting, for starting a sandbox, or for writing the record.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NamedTuple

from common.clock import Clock
from common.entity.activation import Response
from invoker import outcome
from invoker.driver.port import Answer, Expired, Reply, Sandbox, Template
from invoker.job import Job
from invoker.logs.lines import LogLines
from invoker.pool.container import State
from invoker.record import Execution

MB: Final = 1 << 20


class _Phase(NamedTuple):
    start_ms: int
    elapsed_ns: int
    reply: Reply
    late: bool


class Proxy:
    """Serves calls with whatever sandbox it is given. Holds no state between them."""

    def __init__(self, clock: Clock, *, answer_limit_bytes: int) -> None:
        self._clock = clock
        self._answer_limit_bytes = answer_limit_bytes

    async def serve(
        self,
        sandbox: Sandbox,
        job: Job,
        was: State,
        opened: Callable[[int | None], None],
        template: Template | None = None,
    ) -> Execution:
        """Let *sandbox* do *job* and return what happened.

        was: its state before it was taken: BLANK has no code yet, PAUSED is to be resumed.
        opened: told how many calls at a time the sandbox takes from now on, where the action allows
            several; None is as many as before.
        template: what a blank sandbox becomes a copy of, instead of loading the code.
        Raises `StoreError` when the code cannot be read; the sandbox is then as it was. Raises
        `NotCopied`, before any code of the caller has run; the sandbox is then of no use.
        """
        logs = LogLines(job.action.limits.logs_mb * MB)
        timeout_ms = job.action.limits.timeout_ms
        if was is State.PAUSED:
            await sandbox.resume()
            if job.action.limits.concurrency > 1:
                opened(None)
        init: _Phase | None = None
        if was is State.BLANK:
            deadline_ms = self._clock.now_ms() + timeout_ms
            if template is None:
                body = await job.init_body(deadline_ms)
                init = await self._phase(partial(sandbox.call, "init"), body, timeout_ms, logs)
            else:
                copy = partial(template.copy_into, sandbox)
                init = await self._phase(copy, job.copy_body(deadline_ms), timeout_ms, logs)
            failed = outcome.of_init(init.reply, late=init.late, timeout_ms=timeout_ms)
            if failed:
                return self._ended(init, None, failed, logs)
            if job.action.limits.concurrency > 1:
                opened(job.action.limits.concurrency if _shares(init.reply) else 1)
        body = job.run_body(self._clock.now_ms() + timeout_ms)
        run = await self._phase(partial(sandbox.call, "run"), body, timeout_ms, logs)
        response = outcome.of_run(run.reply, late=run.late, timeout_ms=timeout_ms)
        return self._ended(init, run, response, logs)

    def _ended(
        self, init: _Phase | None, run: _Phase | None, response: Response, logs: LogLines
    ) -> Execution:
        first, last = init or run, run or init
        assert first and last, "something was called"
        usable = outcome.keeps_sandbox(response)
        return Execution(
            start_ms=first.start_ms,
            init_ns=init.elapsed_ns if init else None,
            run_ns=run.elapsed_ns if run else 0,
            timed_out=last.late,
            response=response,
            logs=logs.finish(self._clock.now_ns(), developer_error=not usable),
        )

    async def _phase(
        self,
        call: Callable[..., Awaitable[Reply]],
        body: bytes,
        timeout_ms: int,
        logs: LogLines,
    ) -> _Phase:
        start_ms, start_ns = self._clock.now_ms(), self._clock.elapsed_ns()
        reply = await call(
            body,
            timeout_s=timeout_ms / 1000,
            answer_limit_bytes=self._answer_limit_bytes,
            logs=logs,
        )
        elapsed_ns = self._clock.elapsed_ns() - start_ns
        if not isinstance(reply, Expired):
            elapsed_ns -= reply.extra_ns
        late = outcome.is_late(reply, elapsed_ns=elapsed_ns, timeout_ms=timeout_ms)
        return _Phase(start_ms, elapsed_ns, reply, late)


def _shares(reply: Reply) -> bool:
    return isinstance(reply, Answer) and reply.shares
