from part import word


def main(args):
    return {"from": word}
