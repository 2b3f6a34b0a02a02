def serve(args):
    return {"from": "file"}
