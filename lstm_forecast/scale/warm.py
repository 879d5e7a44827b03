"""What every job needs, imported once, by the server of processes: each process begins with it.

Only the server may import this: it also lets go of the batch's stdout and stderr, on which it has nothing to
say and which would stay open for as long as it lives.
"""

import contextlib
import gc
import os


def _let_go() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _import_all() -> None:
    import filelock  # noqa: F401
    import pandas as pd  # noqa: F401
    import safetensors.numpy
    import safetensors.torch  # noqa: F401
    import scipy.special  # noqa: F401
    import threadpoolctl  # noqa: F401
    import torch  # noqa: F401

    import lstm_forecast.boards
    import lstm_forecast.drawing
    import lstm_forecast.forecasting.forecast
    import lstm_forecast.model.devices
    import lstm_forecast.scale.work
    import lstm_forecast.tracking
    import lstm_forecast.training.checkpoints
    import lstm_forecast.training.loop
    import lstm_forecast.training.members
    import lstm_forecast.trainings
    import lstm_forecast.warm_starts  # noqa: F401
    from lstm_forecast.errors import ForecastError
    from lstm_forecast.reporting.fonts import load_matplotlib

    with contextlib.suppress(ForecastError):  # a job that draws says it
        load_matplotlib()
        import matplotlib.backends.backend_agg
        import matplotlib.figure  # noqa: F401
        import PIL.JpegImagePlugin
        import PIL.PngImagePlugin  # noqa: F401


_let_go()
_import_all()
gc.freeze()  # else each process looks through all that was imported, and copies its memory by doing so
