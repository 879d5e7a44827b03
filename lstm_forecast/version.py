"""The version, in one place with the project file."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lstm-forecast")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
