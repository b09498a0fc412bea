"""One run, from whichever front end: settings, keys, children, progress, report."""
