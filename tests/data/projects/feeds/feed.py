GIVEN = {"every": 5, "labels": ["a", "b"]}


def main(args):
    print(args["lifecycleEvent"], args["triggerName"], args.get("every"))
    if args.get("every") == 0:
        return {"error": "never is no time"}
    return {"config": GIVEN, "status": {"active": True}}


def count(args):
    return {"counted": 1}
