def main(args):
    return {"price": f"{args['factor'] * args['amount']} {args['currency']}"}
