"""What travels on the bus. In one process the objects themselves do; only an adapter encodes."""
