import json
import os

from lib.words import shout

HERE = os.path.dirname(os.path.abspath(__file__))


def main(args):
    with open(os.path.join(HERE, "lib", "data.json")) as file:
        data = json.load(file)
    tests = os.path.exists(os.path.join(HERE, "tests"))
    return {"from": shout("parts"), "data": data, "tests": tests}
