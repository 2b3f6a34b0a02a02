def main(args):
    return {"thing": args["one"]}
