"""Ask the engine, run the calls, repeat: the loop, its engines, the command line."""
