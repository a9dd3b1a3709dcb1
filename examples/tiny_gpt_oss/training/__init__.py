"""The network of the tiny model and how it is trained, with torch."""
