"""What a process tells of activations and requests, beside their records."""
