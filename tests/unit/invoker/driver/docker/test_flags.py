"""What a container is given, and above all what it is not."""

import json
from typing import Any

import pytest

from common.ids import ContainerId
from invoker.driver.docker import flags, syscall_profile
from invoker.driver.docker.flags import House, Image
from invoker.driver.port import Network, SandboxSpec
from invoker.driver.process import syscalls

OURS = Image(reference="brisk/python:3.11", command=("python3", "p.py"), speaks_frames=True)
STRANGER = Image(reference="somebody/something:2")
HOUSE = House(owner="0a1b", network="bridge", pids=64, tmp_mb=32, machine="x86_64")


def body(image: Image = OURS, house: House = HOUSE, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"kind": "python:3.11", "memory_mb": 256, **more}
    spec = SandboxSpec(container_id=ContainerId("wsk0_1"), **given)
    landing = "/state/containers/wsk0_1" if image.speaks_frames else None
    made: dict[str, Any] = json.loads(flags.create_body(spec, image, house, landing))
    return made


@pytest.mark.parametrize("image", [OURS, STRANGER], ids=["ours", "a stranger's"])
def test_every_container_is_bounded_and_may_nothing(image: Image) -> None:
    host = body(image)["HostConfig"]

    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"][0] == "no-new-privileges:true"
    assert host["SecurityOpt"][1].startswith("seccomp={")
    assert host["Memory"] == host["MemorySwap"] == 256 << 20
    assert host["NanoCpus"] == 1_000_000_000
    assert host["PidsLimit"] == 65
    assert host["NetworkMode"] == "none"
    assert host["Tmpfs"]["/tmp"].endswith("size=32m,nr_inodes=16384")
    assert host["ShmSize"] == 32 << 20
    assert {each["Name"]: each["Hard"] for each in host["Ulimits"]} == {"nofile": 1024, "core": 0}
    assert host["LogConfig"] == {"Type": "none"}
    assert not {"Privileged", "CapAdd", "Devices", "Binds", "PidMode", "PortBindings"} & set(host)


def test_ours_is_no_root_writes_nowhere_and_is_told_where_to_land() -> None:
    made = body()

    assert made["User"] == "65532:65532"
    assert made["HostConfig"]["ReadonlyRootfs"] is True
    assert made["HostConfig"]["Init"] is True
    assert made["HostConfig"]["Mounts"] == [
        {
            "Type": "bind",
            "Source": "/state/containers/wsk0_1",
            "Target": "/run/brisk",
            "ReadOnly": True,
        }
    ]
    assert made["Cmd"] == ["python3", "p.py", "--connect", "/run/brisk/channel"]


def test_a_stranger_keeps_what_openwhisk_lets_it_have() -> None:
    made = body(STRANGER, env={"__OW_API_HOST": "http://a=b"})

    assert not {"User", "Cmd", "Entrypoint"} & set(made)
    assert "Mounts" not in made["HostConfig"]
    assert made["HostConfig"]["ReadonlyRootfs"] is False
    assert made["Env"] == ["__OW_API_HOST=http://a=b"]


def test_labels_say_whose_it_is() -> None:
    assert body()["Labels"] == {"brisk.owner": "0a1b", "brisk.container": "wsk0_1"}


def test_the_hosts_network_is_for_ours_and_an_address_for_a_server() -> None:
    assert body(network=Network.HOST)["HostConfig"]["NetworkMode"] == "host"
    assert body(STRANGER, network=Network.HOST)["HostConfig"]["NetworkMode"] == "bridge"


@pytest.mark.parametrize("image", [OURS, STRANGER], ids=["ours", "a stranger's"])
def test_what_is_led_outside_has_nothing_of_the_engines_networks(image: Image) -> None:
    spec = SandboxSpec(
        container_id=ContainerId("c"), kind="k", memory_mb=128, network=Network.EGRESS
    )
    host = json.loads(flags.create_body(spec, image, HOUSE, "/l", ["192.0.2.53"]))["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["Dns"] == ["192.0.2.53"]


def test_what_reaches_nothing_asks_nobody_for_names() -> None:
    spec = SandboxSpec(container_id=ContainerId("c"), kind="k", memory_mb=128)
    assert "Dns" not in json.loads(flags.create_body(spec, OURS, HOUSE, "/l", ["192.0.2.53"]))


def test_node_learns_how_much_memory_there_is() -> None:
    assert body(kind="nodejs:18", memory_mb=400)["Env"] == ["NODE_OPTIONS=--max-old-space-size=300"]


def test_names_are_what_an_engine_takes() -> None:
    assert flags.name_of("0a1b", "wsk0_1/ü x") == "brisk-0a1b-wsk0-1---x"


def test_a_machine_without_a_table_has_the_engines_own_filter() -> None:
    house = House(owner="0", network="bridge", pids=64, tmp_mb=32, machine="riscv64")
    assert body(house=house)["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]


def refusals(name: str) -> list[dict[str, Any]]:
    profile = syscall_profile.of_machine("x86_64")
    assert profile is not None
    return [rule for rule in profile["syscalls"] if name in rule["names"]]


def is_refused(name: str, *arguments: int) -> bool:
    """Tell what the profile says of a call: rules are alternatives, conditions come together."""
    return any(all(_holds(each, arguments) for each in rule["args"]) for rule in refusals(name))


def _holds(condition: dict[str, Any], arguments: tuple[int, ...]) -> bool:
    given, value = arguments[condition["index"]], condition["value"]
    outcomes = {
        "SCMP_CMP_EQ": given == value,
        "SCMP_CMP_NE": given != value,
        "SCMP_CMP_GT": given > value,
        "SCMP_CMP_MASKED_EQ": given & value == condition.get("valueTwo"),
    }
    return bool(outcomes[condition["op"]])


def test_the_filter_is_that_of_the_process_driver() -> None:
    assert all(is_refused(name) for name in syscalls.DENIED)
    assert is_refused("clone3")
    assert not is_refused("openat", 0)


@pytest.mark.parametrize("family", [1, 2, 10])
def test_ordinary_sockets_are_made_and_raw_ones_not(family: int) -> None:
    cloexec = 0o2000000
    assert not any(is_refused("socket", family, kind | cloexec, 0) for kind in (1, 2))
    assert all(is_refused("socket", family, kind | cloexec, 0) for kind in (3, 4, 5, 6, 10))


@pytest.mark.parametrize("family", [0, 3, 9, 11, 15, 17, 38, 40, 45, 1 << 32 | 40])
def test_families_that_no_namespace_confines_are_refused(family: int) -> None:
    assert is_refused("socket", family, 1, 0)


def test_interfaces_can_be_listed() -> None:
    assert not is_refused("socket", 16, 3 | 0o2000000, 0)


def test_threads_are_made_and_namespaces_not() -> None:
    thread = 0x3D0F00
    assert not is_refused("clone", thread)
    assert not is_refused("clone", 0x01200011)  # what fork is
    for flag in (0x80, 0x20000, 0x2000000, 0x10000000, 0x20000000, 0x40000000, 0x4000000):
        assert is_refused("clone", thread | flag)


def test_devices_are_not_made_and_terminals_not_typed_into() -> None:
    assert is_refused("mknodat", 3, 0, 0o60600)
    assert is_refused("mknod", 0, 0o20666)
    assert not is_refused("mknod", 0, 0o10666)
    assert is_refused("ioctl", 0, 0x5412)
    assert is_refused("ioctl", 0, 1 << 32 | 0x5412)
    assert not is_refused("ioctl", 0, 0x5401)
