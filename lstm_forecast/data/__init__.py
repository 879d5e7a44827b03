"""From a messy CSV to windows: reader, calendars, panel, splits, scaling, windows."""
