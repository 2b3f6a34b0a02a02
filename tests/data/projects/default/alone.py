def main(args):
    return {"word": args["word"].upper()}
