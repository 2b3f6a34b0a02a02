def main(args):
    return {"books": ["Emma"]}
