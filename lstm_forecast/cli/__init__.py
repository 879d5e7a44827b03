"""The command line: one small file per verb; every body calls one plain function."""
