def main(args):
    return {"said": f"{args['greeting']} {args.get('name', 'stranger')}{args['mark']}"}
