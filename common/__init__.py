"""What two or more parts say to each other: nouns, messages, ports and their adapters."""
