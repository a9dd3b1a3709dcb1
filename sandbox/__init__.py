"""Places where untrusted code runs, and is taken down again."""
