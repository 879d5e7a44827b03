"""The keys that the data decides where they say ``auto``."""

CHOSEN = (
    "data.transform",
    "window.lookback",
    "model.segment",
    "model.hidden_size",
    "model.normalize",
    "model.anchor",
    "model.linear_skip",
    "model.supervision",
    "training.epochs",
)
