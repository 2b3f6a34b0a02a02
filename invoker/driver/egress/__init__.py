"""Networks of sandboxes that lead outside and nowhere else: rules, links, and a pool of them."""
