"""What the browser may search with."""
