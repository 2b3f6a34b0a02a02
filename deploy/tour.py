"""What the demo shows: functions that work, what is composed of them, and functions that fail."""

import io
import shutil
import zipfile

from deploy.visitor import Demo, NotAsItShouldBe

IMAGE = "brisk/python:3.11"
"""Of deploy/dev/docker; any image that serves OpenWhisk's /init and /run would do."""
NO_IMAGE = "localhost:1/nobody/nothing:1"

HELLO_PY = """
import os

def main(args):
    print(f"greeting {args.get('name', 'stranger')} in process {os.getpid()}")
    return {"greeting": f"Hello {args.get('name', 'stranger')}"}
"""
HELLO_JS = """
async function main({ name = 'stranger' }) {
  console.log(`greeting ${name} from node ${process.version}`)
  return { greeting: `Hello ${name}` }
}
"""
ZIP_MAIN = """
from words import shout

def main(args):
    return {"greeting": shout(f"hello {args['name']}")}
"""
ZIP_WORDS = """
def shout(text):
    return text.upper() + "!"
"""
FAILS = """
def main(args):
    return {"error": f"no such customer: {args['id']}"}
"""
SLEEPS = """
import time

def main(args):
    print("going to sleep")
    time.sleep(60)
"""
EATS = """
def main(args):
    blocks = []
    while True:
        blocks.append(bytearray(8 << 20))
"""
EXCLAIM = """
def main(args):
    return {"greeting": args["greeting"] + args["mark"]}
"""
PAGE = """
def main(args):
    return {"body": f"<h1>Hello {args.get('name', 'stranger')}</h1>"}
"""


def hello(demo: Demo, name: str, artifact: str, flags: str, expect: str) -> None:
    """Deploy one action and invoke it cold and warm."""
    demo.brisk(f"action create {name} {artifact} {flags}".strip(), expect=f"created action {name}")
    for start in ("cold", "warm"):
        demo.brisk(f"action invoke {name} --result --param name World", expect=expect)
        if ("initTime" in demo.newest(name)["noted"]) != (start == "cold"):
            raise NotAsItShouldBe(f"this should have been a {start} start")


def run_and_look(demo: Demo) -> None:
    """Deploy and invoke healthy functions in every language that this host has."""
    demo.say("A Python function: the first call is cold, the second finds it warm")
    demo.write("hello.py", HELLO_PY)
    hello(demo, "hello", "hello.py", "", '"Hello World"')
    demo.brisk("activation logs --last", expect="greeting World in process")

    demo.say("A zip with two modules")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("__main__.py", ZIP_MAIN)
        packed.writestr("words.py", ZIP_WORDS)
    demo.write("shout.zip", archive.getvalue())
    hello(demo, "shout", "shout.zip", "--kind python:default", '"HELLO WORLD!"')

    if demo.has_containers or shutil.which("node"):
        demo.say("A Node function")
        demo.write("hello.js", HELLO_JS)
        hello(demo, "hello-node", "hello.js", "", '"Hello World"')
        demo.brisk("activation logs --last", expect="greeting World from node v")
    else:
        demo.say("No Node on this host: the Node function is left out")

    if demo.has_containers:
        demo.say("The Python function once more, as an action that brings an image of its own")
        hello(demo, "hello-image", "hello.py", f"--docker {IMAGE}", '"Hello World"')
        demo.brisk("activation logs --last", expect="greeting World in process")


def compose_and_look(demo: Demo) -> None:
    """Build larger things of functions: a package, a sequence, a rule, a page."""
    demo.say("A package: what it binds, its actions inherit")
    demo.write("exclaim.py", EXCLAIM)
    demo.brisk("package create loud --param mark !!!", expect="created package loud")
    demo.brisk("action create loud/exclaim exclaim.py", expect="created action loud/exclaim")

    demo.say("A sequence: the result of each function is what the next one is given")
    line = "action create greet-loudly --sequence hello,loud/exclaim"
    demo.brisk(line, expect="created action greet-loudly")
    line = "action invoke greet-loudly --result --param name World"
    demo.brisk(line, expect='"Hello World!!!"')

    demo.say("A trigger and a rule: what happens when something has happened")
    demo.brisk("trigger create visit", expect="created trigger visit")
    demo.brisk("rule create greet-visitor visit greet-loudly", expect="created rule greet-visitor")
    demo.brisk("trigger fire visit --param name Ada", expect="triggered /_/visit with id")
    demo.await_activation("greet-loudly", at_least=2)

    demo.say("A web action: a page, for everybody")
    demo.write("page.py", PAGE)
    demo.brisk("action create page page.py --web true", expect="created action page")
    path = "/api/v1/web/guest/default/page?name=World"
    demo.read(path, expect="<h1>Hello World</h1>")


def serve_and_look(demo: Demo) -> None:
    """Give a function an address of its own, and a clock."""
    demo.say("An API: addresses of your own, and a page that describes them and tries a call")
    line = "api create /greetings /hello get page --apiname Greetings --response-type http"
    said = demo.brisk(line, expect="created API /greetings/hello GET")
    address = said.split()[-1]
    demo.read(f"{address}?name=World", expect="<h1>Hello World</h1>")
    page = f"{address.removesuffix('/hello')}/_docs"
    demo.read(page, expect="<title>Greetings</title>", shows=False)

    demo.say("An alarm: a trigger that fires every second, in the time of a city")
    feed = "--feed /whisk.system/alarms/alarm --param timezone Asia/Kolkata"
    line = f"trigger create tick {feed} --param cron '* * * * * *'"
    demo.brisk(line, expect="created trigger tick", last_lines=1)
    demo.brisk("rule create greet-time tick hello", expect="created rule greet-time")
    demo.await_activation("tick", at_least=2)
    demo.brisk("trigger delete tick", expect="deleted trigger tick", last_lines=1)


def break_and_look(demo: Demo) -> None:
    """Let functions go wrong in three ways; each record says how."""
    demo.say("A function that fails says why, and its caller's exit code tells")
    demo.write("fails.py", FAILS)
    demo.brisk("action create fails fails.py", expect="created action fails")
    demo.brisk(
        "action invoke fails --result --param id 7",
        expect='"error": "no such customer: 7"',
        exit_code=246,
    )
    demo.newest("fails")

    demo.say("One that runs past its time limit of one second; what it printed is kept")
    demo.write("sleeps.py", SLEEPS)
    demo.brisk("action create sleeps sleeps.py --timeout 1000", expect="created action sleeps")
    demo.brisk(
        "action invoke sleeps --result",
        expect="The action exceeded its time limits of 1000 milliseconds.",
        exit_code=246,
    )
    demo.newest("sleeps")
    demo.brisk("activation logs --last", expect="stdout: going to sleep")

    demo.say("One that eats more memory than its limit of 128 MB")
    demo.write("eats.py", EATS)
    demo.brisk("action create eats eats.py --memory 128", expect="created action eats")
    demo.brisk(
        "action invoke eats --result",
        expect="The action exhausted its memory and was aborted.",
        exit_code=246,
    )
    demo.newest("eats")

    if demo.has_containers:
        demo.say("One whose image is nowhere")
        demo.brisk(f"action create nowhere --docker {NO_IMAGE}", expect="created action nowhere")
        demo.brisk(
            "action invoke nowhere --result",
            expect=f"Failed to pull container image '{NO_IMAGE}'.",
            exit_code=246,
        )
        demo.newest("nowhere")
