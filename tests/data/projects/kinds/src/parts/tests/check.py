raise AssertionError("this is left out of the archive")
