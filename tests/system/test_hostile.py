"""Code that means harm, or does it by accident: each ends in its record, and the next call works.

Source of the texts: the outcomes that OpenWhisk gives (contract of its runtimes).
"""

import base64
import io
import zipfile
from collections.abc import Iterator

import pytest

from tests.fakes.api import Api
from tests.fakes.embedded import RunningPlatform

TIMED_OUT = "The action exceeded its time limits of 1000 milliseconds."
INIT_TIMED_OUT = "The action exceeded its time limits of 1000 milliseconds during initialization."
DIED = "The action did not produce a valid response and exited unexpectedly."
INIT_DIED = "The action did not initialize and exited unexpectedly."
OOM = "The action exhausted its memory and was aborted."
LAST_LINE = "stderr: The action did not initialize or run as expected. Log data might be missing."

HARMFUL = {
    "loops": ("def main(a):\n while True: pass", TIMED_OUT),
    "sleeps_and_ignores_signals": (
        "import signal, time\nfor n in (15, 2, 1): signal.signal(n, signal.SIG_IGN)\n"
        "def main(a):\n while True: time.sleep(60)",
        TIMED_OUT,
    ),
    "loops_on_load": ("while True: pass\ndef main(a): return a", INIT_TIMED_OUT),
    "exits": ("import os\ndef main(a): os._exit(3)", DIED),
    "exits_on_load": ("import os\nos._exit(3)\ndef main(a): return a", INIT_DIED),
    "kills_itself": ("import os\ndef main(a): os.kill(os.getpid(), 9)", DIED),
    "kills_its_parent": (
        "import os, time\ndef main(a):\n os.kill(os.getppid(), 9)\n time.sleep(60)",
        TIMED_OUT,
    ),
    "kills_everything": (
        "import os, time\ndef main(a):\n try: os.kill(-1, 9)\n finally: time.sleep(60)",
        TIMED_OUT,
    ),
    "forks_for_ever": (
        "import os\ndef main(a):\n while True:\n  try: os.fork()\n  except OSError: pass",
        TIMED_OUT,
    ),
    "eats_memory": ("def main(a):\n b = []\n while True: b.append(bytearray(1 << 22))", OOM),
    "writes_rubbish_on_every_descriptor": (
        "import os, time\ndef main(a):\n"
        " for fd in range(3, 1024):\n"
        "  try: os.write(fd, b'\\xff' * 64)\n"
        "  except OSError: pass\n"
        " time.sleep(60)",
        DIED,
    ),
    "closes_every_descriptor": (
        "import os, time\ndef main(a):\n os.closerange(0, 256)\n time.sleep(60)",
        TIMED_OUT,
    ),
}


@pytest.fixture(scope="module")
def api(platform: RunningPlatform) -> Iterator[Api]:
    api = Api(platform.url, platform.auth)
    yield api
    api.put_action("healthy", "def main(a): return {'is': 'well'}")
    assert api.invoke("healthy").body["response"]["result"] == {"is": "well"}
    assert platform.process.poll() is None


@pytest.mark.parametrize("name", sorted(HARMFUL))
def test_harmful_code_ends_in_its_record(api: Api, name: str) -> None:
    code, text = HARMFUL[name]
    api.put_action(name, code, limits={"timeout": 1000, "memory": 128 if text == OOM else 512})
    answered = api.invoke(name)
    assert answered.status == 502
    assert answered.body["response"]["result"] == {"error": text}
    assert answered.body["response"]["status"] == "action developer error"
    record = api.record(answered.body["activationId"])
    assert record["response"] == answered.body["response"]
    assert record["logs"][-1].endswith(LAST_LINE)
    timed_out = {entry["key"]: entry["value"] for entry in record["annotations"]}["timeout"]
    assert timed_out == ("exceeded its time" in text)
    if timed_out:
        assert record["duration"] >= 1000


def test_a_flood_of_output_is_cut_at_the_limit_and_the_result_is_kept(api: Api) -> None:
    code = "def main(a):\n for i in range(60000): print('x' * 99)\n return {'printed': 60000}"
    api.put_action("floods", code, limits={"logs": 1})
    answered = api.invoke("floods")
    assert (answered.status, answered.body["response"]["result"]) == (200, {"printed": 60000})
    record = api.record(answered.body["activationId"])
    assert record["logs"][-1].endswith(
        "stderr: Logs were truncated because the total bytes size exceeds the limit of "
        "1048576 bytes."
    )
    kept = "\n".join(line[31 + len("stdout: ") :] for line in record["logs"][:-1])
    assert len(kept) <= 1 << 20


def test_an_endless_flood_is_stopped_by_the_time_limit(api: Api) -> None:
    code = "def main(a):\n while True: print('x' * 999)"
    api.put_action("floods_for_ever", code, limits={"timeout": 1000, "logs": 1})
    answered = api.invoke("floods_for_ever")
    assert answered.body["response"]["result"] == {"error": TIMED_OUT}
    logs = api.record(answered.body["activationId"])["logs"]
    assert "Logs were truncated" in logs[-2]
    assert logs[-1].endswith(LAST_LINE)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            "def main(args:\n",
            "The action failed to generate or locate a binary. See logs for details.",
        ),
        ("x = 1\n", "Cannot start action. Check logs for details."),
        ("raise RuntimeError('at load')", "Cannot start action. Check logs for details."),
        ("", "Missing main/no code to execute."),
    ],
)
def test_code_that_does_not_load_says_why(api: Api, code: str, text: str) -> None:
    api.put_action("unloadable", code)
    answered = api.invoke("unloadable")
    assert answered.status == 502
    assert answered.body["response"]["result"] == {"error": text}


def archive(entries: dict[str, str], *, link: str | None = None) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in entries.items():
            file.writestr(name, text)
        if link is not None:
            info = zipfile.ZipInfo("link.py")
            info.create_system = 3
            info.external_attr = 0o120777 << 16
            file.writestr(info, link)
    return base64.b64encode(packed.getvalue()).decode()


MAIN = {"__main__.py": "def main(a): return {'loaded': True}"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("climbs", archive(MAIN | {"../../escaped.py": "x = 1"})),
        ("is absolute", archive(MAIN | {"/etc/escaped": "x"})),
        ("links", archive(MAIN, link="/etc/passwd")),
        ("is a bomb", archive(MAIN | {"bomb": "0" * (600 << 20)})),
        ("has no main", archive({"other.py": "x = 1"})),
        ("is no zip", base64.b64encode(b"PK\x03\x04 but not really" * 3).decode()),
    ],
)
def test_an_archive_that_means_harm_is_refused(api: Api, name: str, code: str) -> None:
    api.put_action("archive", code)
    answered = api.invoke("archive")
    assert answered.status == 502, name
    assert answered.body["response"]["status"] == "action developer error"
    assert "error" in answered.body["response"]["result"]


def test_a_full_tmp_is_an_error_of_the_code_that_filled_it(api: Api) -> None:
    code = (
        "def main(a):\n"
        " with open('/tmp/all', 'wb') as file:\n"
        "  while True: file.write(bytes(1 << 20))"
    )
    api.put_action("fills_tmp", code, limits={"memory": 512})
    answered = api.invoke("fills_tmp")
    assert answered.body["response"]["result"] == {"error": "[Errno 28] No space left on device"}


def test_descriptors_that_leak_are_an_error_of_their_activation(api: Api) -> None:
    code = "import os\ndef main(a):\n while True: os.open('/dev/null', os.O_RDONLY)"
    api.put_action("leaks", code)
    answered = api.invoke("leaks")
    assert answered.status == 502
    assert answered.body["response"]["status"] in ("application error", "action developer error")
    assert api.record(answered.body["activationId"])["response"] == answered.body["response"]


def test_two_actions_do_not_see_each_others_files(api: Api) -> None:
    api.put_action("writes", "def main(a):\n open('/tmp/secret', 'w').write('x')\n return {}")
    looks = "import os\ndef main(a): return {'seen': os.path.exists('/tmp/secret')}"
    api.put_action("looks", looks)
    assert api.invoke("writes").status == 200
    assert api.invoke("looks").body["response"]["result"] == {"seen": False}


def test_the_hosts_files_and_processes_are_out_of_sight(
    api: Api, platform: RunningPlatform
) -> None:
    code = (
        "import os\n"
        "def main(a):\n"
        " return {'data': os.path.exists(a['data']), 'shadow': os.path.exists('/etc/shadow'),\n"
        "         'homes': [h for h in ('/root', '/home') if os.path.isdir(h) and os.listdir(h)],\n"
        "         'processes': len([p for p in os.listdir('/proc') if p.isdigit()]),\n"
        "         'user': os.getuid()}"
    )
    api.put_action("spies", code)
    seen = api.invoke("spies", {"data": str(platform.data)}).body["response"]["result"]
    assert seen["data"] is False and seen["shadow"] is False
    assert seen["processes"] <= 3
    assert seen["user"] != 0
