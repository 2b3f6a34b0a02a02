"""The packages of `whisk.system`: actions that every namespace finds, and feeds among them."""
