"""One run, whoever starts it: settings, keys, children, progress, report."""
