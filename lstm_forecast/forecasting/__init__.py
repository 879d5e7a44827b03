"""Forecasts in original units: of windows whose future is known, and of the future itself."""
