"""Images, simulated and measured scans."""
