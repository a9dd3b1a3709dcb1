"""What the model may call: the registry, the user's functions, python."""
