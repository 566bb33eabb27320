"""Files, processes and documents: what has nothing to do with images."""
