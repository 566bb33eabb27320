"""What draws and writes: tables, figures, cards and the report."""
