"""One run, whatever the front end: settings, keys, child processes, progress, report."""
