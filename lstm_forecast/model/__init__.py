"""The network: stacked recurrent layers and a linear head, its cells, its starting weights, its losses.

In torch, and the forward pass also in NumPy: nothing is imported here, so the one comes without the other.
"""
