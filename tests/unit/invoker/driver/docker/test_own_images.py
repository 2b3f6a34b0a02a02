"""Images of actions: found or pulled, once, by whom they may be, and nobody is in another's way."""

import asyncio
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from common.codec import decode
from common.ids import Namespace
from common.settings import DockerSettings
from common.store.port import StoreUnavailable
from common.store.registries import Login
from invoker.driver.docker.engine import Engine, EngineRefused, EngineUnreachable, NoSuchImage
from invoker.driver.docker.own_images import PULLS_AT_A_TIME, OwnImages
from invoker.driver.docker.references import Reference
from invoker.driver.port import CannotStart, ImageNotPulled, OwnImage
from tests.fakes.turns import until

MINE, YOURS = Namespace("mine"), Namespace("yours")
LOGIN = Login("ada", "secret")
DIGEST = "sha256:" + "d" * 64


class FakeEngine:
    """Has some images; a pull waits for `gate`, and brings what it asks for."""

    def __init__(self, *names: str) -> None:
        self.has = set(names)
        self.pulls: list[tuple[str, str, str]] = []
        self.under_way = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.private: set[str] = set()

    async def image_id(self, name: str) -> str:
        if name not in self.has:
            raise NoSuchImage(name)
        return f"id of {name}"

    async def digest(self, name: str, shown: str) -> str:
        if name in self.private and user(shown) != "ada":
            raise NoSuchImage("unauthorized")
        return DIGEST

    async def pull(self, repository: str, tag: str, shown: str = "") -> None:
        self.under_way += 1
        self.pulls.append((repository, tag, user(shown)))
        try:
            await self.gate.wait()
            if self.failure:
                raise self.failure
        finally:
            self.under_way -= 1
        self.has.add(f"{repository}@{tag}" if tag == DIGEST else f"{repository}:{tag}")


def user(shown: str) -> str:
    return str(decode(urlsafe_b64decode(shown))["username"]) if shown else ""


class Logins:
    """Knows the logins of one namespace, or fails."""

    def __init__(self) -> None:
        self.is_away = False

    async def login(self, namespace: Namespace, host: str) -> Login | None:
        if self.is_away:
            raise StoreUnavailable
        return LOGIN if (namespace, host) == (MINE, "host.example") else None


async def nothing(_: Reference) -> str:
    return ""


def own_images(engine: FakeEngine, logins: Logins | None = None, **settings: Any) -> OwnImages:
    return OwnImages(
        cast(Engine, engine),
        DockerSettings(**settings),
        nothing,
        logins,
        natives=["native/image"],
    )


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    yield FakeEngine("here/image:1", "here/image:latest", "native/image:latest")


@pytest.mark.parametrize(
    ("reference", "policy", "pulled"),
    [
        ("here/image:1", "auto", False),
        ("here/image", "auto", True),
        ("here/image", "missing", False),
        ("native/image", "auto", False),
        ("missing/image:1", "auto", True),
        ("missing/image", "missing", True),
    ],
)
async def test_what_is_pulled(
    engine: FakeEngine, reference: str, policy: str, pulled: bool
) -> None:
    images = own_images(engine, pull=policy)
    image = OwnImage(reference, MINE)
    await images.prepare(image)
    whole = reference if ":" in reference else f"{reference}:latest"
    assert [f"{name}:{tag}" for name, tag, _ in engine.pulls] == [whole] * pulled
    found = images.at_hand(image)
    assert found is not None and found.reference == f"id of {whole}"
    assert images.at_hand(OwnImage(reference, YOURS)) is None, "each owner asks for itself"


@pytest.mark.parametrize("reference", ["brisk/python:3.99", "sha256:4b87", "missing/image:1"])
async def test_what_is_never_pulled(engine: FakeEngine, reference: str) -> None:
    images = own_images(engine, pull="never" if reference.startswith("missing") else "auto")
    with pytest.raises(ImageNotPulled):
        await images.prepare(OwnImage(reference, MINE))
    assert not engine.pulls


async def test_images_come_from_where_the_operator_lets_them(engine: FakeEngine) -> None:
    images = own_images(engine, Logins(), registries="good.example:5000, default")
    for name in ("good.example:5000/a:1", "somebody/a:1"):
        await images.prepare(OwnImage(name, MINE))
    assert len(engine.pulls) == 2
    for name in ("good.example/a:1", "10.0.0.1:80/a:1", "host.example/a:1"):
        with pytest.raises(ImageNotPulled) as caught:
            await images.prepare(OwnImage(name, MINE))
        assert "pulls none from where it would be" in caught.value.why
    assert len(engine.pulls) == 2
    engine.has.add("10.0.0.1:80/a:1")
    await images.prepare(OwnImage("10.0.0.1:80/a:1", MINE))


async def test_who_asks_at_the_same_time_waits_for_one_pull(engine: FakeEngine) -> None:
    images, image = own_images(engine), OwnImage("missing/image:1", MINE)
    engine.gate.clear()
    asking = [asyncio.ensure_future(images.prepare(image)) for _ in range(5)]
    await until(lambda: engine.under_way == 1)
    asking[0].cancel()
    await asyncio.wait(asking[:1])
    engine.gate.set()
    await asyncio.gather(*asking[1:])
    assert len(engine.pulls) == 1
    assert images.waiting == 0


async def test_a_namespace_has_few_pulls_at_a_time_and_waits_for_its_own_only(
    engine: FakeEngine,
) -> None:
    images = own_images(engine)
    engine.gate.clear()
    names = [OwnImage(f"missing/image:{n}", MINE) for n in range(5)]
    asking = [asyncio.ensure_future(images.prepare(each)) for each in names]
    await until(lambda: engine.under_way == PULLS_AT_A_TIME)
    await images.prepare(OwnImage("here/image:1", MINE))
    theirs = asyncio.ensure_future(images.prepare(OwnImage("missing/other:1", YOURS)))
    await until(lambda: engine.under_way == PULLS_AT_A_TIME + 1)
    engine.gate.set()
    await asyncio.gather(theirs, *asking)


@pytest.mark.looptime
async def test_a_slow_pull_is_given_up_by_who_waits_and_goes_on(looptime: object) -> None:
    engine = FakeEngine()
    images, image = own_images(engine, pull_wait_s=45, pull_s=600), OwnImage("a/b:1", MINE)
    engine.gate.clear()
    with pytest.raises(ImageNotPulled) as caught:
        await images.prepare(image)
    assert looptime == 45
    assert "It is still being pulled" in caught.value.why
    engine.gate.set()
    await images.prepare(image)
    assert len(engine.pulls) == 1
    engine.has.clear()
    engine.gate.clear()
    with pytest.raises(ImageNotPulled):
        await images.prepare(image)
    await asyncio.sleep(600)
    assert engine.under_way == 0, "a pull has its own bound"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (EngineRefused(404, "manifest unknown"), ImageNotPulled),
        (EngineRefused(500, "unauthorized: authentication required"), ImageNotPulled),
        (EngineRefused(500, "connection refused"), ImageNotPulled),
        (EngineUnreachable("gone"), CannotStart),
    ],
)
async def test_whose_fault_it_is(
    engine: FakeEngine, failure: Exception, expected: type[Exception]
) -> None:
    engine.failure = failure
    with pytest.raises(expected) as caught:
        await own_images(engine).prepare(OwnImage("missing/image:1", MINE))
    assert type(caught.value) is expected
    if isinstance(caught.value, ImageNotPulled):
        assert "connection" not in caught.value.why, "what the engine reaches is not told"


async def test_credentials_are_used_for_their_namespace_and_host_only(engine: FakeEngine) -> None:
    name = "host.example/private/image:1"
    engine.private.add(name)
    images, image = own_images(engine, Logins()), OwnImage(name, MINE)
    for _ in range(2):
        await images.prepare(image)
    assert engine.pulls == [("host.example/private/image", DIGEST, "ada")]
    assert name not in engine.has, "the engine knows it by its digest only"

    engine.failure = EngineRefused(404, "denied")
    with pytest.raises(ImageNotPulled):
        await images.prepare(OwnImage(name, YOURS))
    engine.failure = None
    await images.prepare(OwnImage("other.example/image:1", MINE))
    assert [shown for *_, shown in engine.pulls[1:]] == ["", ""]


async def test_an_image_that_was_revoked_is_not_used_though_it_is_here(engine: FakeEngine) -> None:
    images, image = own_images(engine, Logins()), OwnImage("host.example/image:1", MINE)
    await images.prepare(image)

    async def denied(name: str, shown: str) -> str:
        raise NoSuchImage("unauthorized")

    engine.digest = denied  # type: ignore[method-assign]
    with pytest.raises(ImageNotPulled):
        await images.prepare(image)


async def test_a_store_that_is_away_is_the_platforms_fault(engine: FakeEngine) -> None:
    logins = Logins()
    logins.is_away = True
    with pytest.raises(CannotStart) as caught:
        await own_images(engine, logins).prepare(OwnImage("here/image:1", MINE))
    assert not isinstance(caught.value, ImageNotPulled)


async def test_the_end_of_the_driver_ends_what_is_being_fetched(engine: FakeEngine) -> None:
    images = own_images(engine)
    engine.gate.clear()
    asking = asyncio.ensure_future(images.prepare(OwnImage("missing/image:1", MINE)))
    await until(lambda: engine.under_way == 1)
    await images.close()
    assert engine.under_way == 0
    for waiting in (asking, images.prepare(OwnImage("here/image:1", MINE))):
        with pytest.raises(CannotStart):
            await waiting
