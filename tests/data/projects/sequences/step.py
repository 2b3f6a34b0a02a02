def main(args):
    return {"steps": args.get("steps", 0) + 1}
