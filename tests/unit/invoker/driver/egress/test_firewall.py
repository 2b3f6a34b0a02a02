"""The host's firewall is shared: what others remove at the same moment is no fault."""

from collections.abc import Callable

import pytest

from invoker.driver.egress import firewall

LEFT = "*filter\n:BRISK-abc-I - [0:0]\n-A INPUT -i brkabc -j BRISK-abc-I\nCOMMIT\n"
GONE = "*filter\nCOMMIT\n"


class Host:
    """Says in turn what *saved* holds; the first *broken* restores fail."""

    def __init__(self, saved: list[str], broken: int) -> None:
        self.saved = saved
        self.broken = broken
        self.restored: list[str] = []

    def run(self, version: int, verb: str, *_: str, text: str = "") -> str:
        if verb == "save":
            return self.saved.pop(0) if version == 4 else GONE
        if self.broken:
            self.broken -= 1
            raise OSError("iptables-restore: Chain 'BRISK-abc-I' does not exist")
        self.restored.append(text)
        return ""


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Host], Host]:
    def use(host: Host) -> Host:
        monkeypatch.setattr(firewall, "_run", host.run)
        monkeypatch.setattr(firewall, "_find", lambda *_: "there")
        return host

    return use


def test_what_is_left_is_removed_once(on: Callable[[Host], Host]) -> None:
    host = on(Host([LEFT], broken=0))
    assert firewall.remove("abc") is True
    assert "-X BRISK-abc-I" in host.restored[0]


def test_where_nothing_is_left_nothing_is_done(on: Callable[[Host], Host]) -> None:
    host = on(Host([GONE], broken=0))
    assert firewall.remove("abc") is False
    assert not host.restored


@pytest.mark.parametrize("then", [GONE, LEFT])
def test_another_platform_may_remove_the_same(on: Callable[[Host], Host], then: str) -> None:
    on(Host([LEFT, then], broken=1))
    assert firewall.remove("abc") is True


def test_what_cannot_be_removed_is_told(on: Callable[[Host], Host]) -> None:
    on(Host([LEFT] * 10, broken=10))
    with pytest.raises(OSError, match="does not exist"):
        firewall.remove("abc")
