"""What every runtime makes of an archive, sound or hostile."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.fakes import archives
from tests.fakes.runtimes import Face, FramesProcess, Language, RuntimeProcess, start

ENTRY: Final = {"python": "__main__.py", "nodejs": "index.js"}
ESCAPED: Final = Path("/escaped.txt")


@pytest.fixture(params=["python", "nodejs"])
def language(request: pytest.FixtureRequest) -> Language:
    chosen: Language = request.param
    return chosen


@pytest.fixture(params=["frames", "http"])
async def runtime(
    request: pytest.FixtureRequest, language: Language, tmp_path: Path
) -> AsyncIterator[RuntimeProcess]:
    face: Face = request.param
    process = await start(language, face, tmp_path)
    yield process
    await process.stop()


@pytest.fixture
async def framed(language: Language, tmp_path: Path) -> AsyncIterator[FramesProcess]:
    process = await FramesProcess(language, tmp_path).start()
    yield process
    await process.stop()


@pytest.mark.parametrize("pack", [archives.zipped, archives.tarred])
async def test_an_archive_is_unpacked_into_the_working_folder(
    runtime: RuntimeProcess, pack: Any
) -> None:
    files = {
        "python": {
            "__main__.py": "from helper import words\nimport part.deep\n"
            "def main(args):\n    return {'words': words(), 'text': open('data/text').read()}",
            "helper.py": "def words(): return 'from helper'",
            "part/__init__.py": "",
            "part/deep.py": "",
        },
        "nodejs": {
            "index.js": "const {words} = require('./helper');\nconst fs = require('fs');\n"
            "exports.main = () => ({words: words(), text: fs.readFileSync('data/text', 'utf8')})",
            "helper.js": "exports.words = () => 'from helper'",
        },
    }[runtime.language]
    outcome = await runtime.init(pack({**files, "data/text": "☃"}), binary=True)
    assert outcome.status == 200, outcome
    for _ in range(2):
        assert (await runtime.run()).body == {"words": "from helper", "text": "☃"}


@pytest.mark.parametrize("kind", archives.HOSTILE)
async def test_a_hostile_archive_is_refused_and_leaves_nothing(
    framed: FramesProcess, kind: str
) -> None:
    code = archives.with_entry(ENTRY[framed.language], archives.HOSTILE[kind])
    await expect_refused(framed, code)


@pytest.mark.parametrize("kind", ["lying", "cut", "damaged", "link", "device", "up", "tar bomb"])
async def test_a_damaged_archive_is_refused_and_leaves_nothing(
    framed: FramesProcess, kind: str
) -> None:
    entry = ENTRY[framed.language]
    sound = archives.zipped({entry: "some text of a file"})
    code = {
        "lying": lambda: archives.lying_bomb(entry),
        "cut": lambda: archives.cut_short(sound),
        "damaged": lambda: archives.damaged(sound, b"some text", b"SOME TEXT"),
        "link": lambda: archives.hostile_tar(entry, b"2", "link"),
        "device": lambda: archives.hostile_tar(entry, b"3", "device"),
        "up": lambda: archives.hostile_tar(entry, b"0", "../escaped.txt"),
        "tar bomb": archives.tar_bomb,
    }[kind]()
    await expect_refused(framed, code)


async def expect_refused(runtime: RuntimeProcess, code: str) -> None:
    outcome = await runtime.init(code, binary=True)
    assert outcome.status == 502, outcome
    assert "The archive " in outcome.log.stderr
    expect_nothing_left(runtime.folder)


def expect_nothing_left(folder: Path) -> None:
    assert list(folder.iterdir()) == []
    assert not (folder.parent / "escaped.txt").exists()
    assert not ESCAPED.exists()


async def test_an_archive_without_its_entry_is_refused(runtime: RuntimeProcess) -> None:
    outcome = await runtime.init(archives.zipped({"other": ""}), binary=True)
    expected = {
        "python": "Zip file does not include main__",
        "nodejs": "Zipped actions must contain either package.json or index.js at the root.",
    }
    assert outcome.status == 502
    assert expected[runtime.language] in outcome.log.stderr
    expect_nothing_left(runtime.folder)
