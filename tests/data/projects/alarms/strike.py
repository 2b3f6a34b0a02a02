def main(args):
    return {"struck": args.get("bell")}
