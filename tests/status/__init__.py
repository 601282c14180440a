"""The status page: what the last whole run has done, and of which commit."""
