"""What every job needs, imported once: a server of processes imports this, and each process begins with it."""

import pandas  # noqa: F401
import safetensors.numpy
import safetensors.torch  # noqa: F401
import sklearn.preprocessing  # noqa: F401
import torch  # noqa: F401

import lstm_forecast.drawing
import lstm_forecast.scale.work
import lstm_forecast.training.checkpoints
import lstm_forecast.training.loop  # noqa: F401
from lstm_forecast.reporting.fonts import load_matplotlib

load_matplotlib()

import matplotlib.backends.backend_agg  # noqa: E402
import matplotlib.figure  # noqa: E402, F401
