"""Images: the files they come from, the sets that scans are simulated from, and reconstructions in files."""
