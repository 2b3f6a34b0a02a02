"""Which activations may begin with what another one's code has left in memory."""

import dataclasses
import json

from invoker.job import Job
from tests.fakes.jobs import a_job


def with_message(job: Job, **changes: object) -> Job:
    return dataclasses.replace(job, message=dataclasses.replace(job.message, **changes))  # type: ignore[arg-type]


def test_two_activations_of_the_same_are_alike() -> None:
    assert a_job(payload=b'{"a":1}').likeness == a_job(payload=b'{"a":2}').likeness


def test_whoever_has_other_variables_or_another_key_is_not() -> None:
    job = a_job()
    others = [
        with_message(job, init_env={"SECRET": "one"}),
        with_message(job, init_env={"SECRET": "two"}),
        with_message(job, api_key="uuid:key"),
        with_message(job, api_key="uuid:new"),
    ]
    assert len({each.likeness for each in [job, *others]}) == 1 + len(others)


async def test_a_template_is_not_told_of_one_activation_and_its_copies_are() -> None:
    job = with_message(a_job(), init_env={"SECRET": "one"})
    template = json.loads(await job.template_body())["value"]
    copy = json.loads(job.copy_body(5))["value"]
    assert template["code"]
    assert template["env"]["SECRET"] == copy["env"]["SECRET"] == "one"
    assert set(copy["env"]) - set(template["env"]) == {
        "__OW_ACTIVATION_ID",
        "__OW_TRANSACTION_ID",
        "__OW_DEADLINE",
    }
    assert set(copy) == {"env"}
