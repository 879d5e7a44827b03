"""Many jobs: read from one file, run in processes of their own, summed up."""
