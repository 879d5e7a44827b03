"""The training loop and what it needs: seeds, history, early stopping."""
