def main(args):
    print("noted", args.get("who"))
    return {}
