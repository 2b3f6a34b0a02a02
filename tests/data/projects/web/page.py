def main(args):
    return {"body": "<h1>Hello</h1>"}
