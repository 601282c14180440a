"""What the pages have to be: every block run, every name real, every sentence in its place."""
