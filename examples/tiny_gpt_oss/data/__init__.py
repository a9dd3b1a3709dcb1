"""The tasks that the tiny model is trained and evaluated on, and the words that they consist of."""
