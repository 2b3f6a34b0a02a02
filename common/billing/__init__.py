"""What is billed: pure arithmetic on integers, where records are made and where they are read."""
