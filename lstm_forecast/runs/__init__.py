"""Run directories: atomic storage, the layout of a run, finding and verifying runs."""
