"""The command line: argument parsing, streams and exit codes around the verbs."""

import gc

# Modules that are imported make half a million objects and no garbage to look for among them: with Python's
# own threshold of 700 the search takes an eighth of a short command's time (benchmarks/speed/cold.py).
gc.set_threshold(50_000, 20, 20)
