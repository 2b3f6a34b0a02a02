"""Projects: what a manifest wants, what a platform has, and the changes from one to the other."""
