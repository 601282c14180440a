"""The site: that it builds, that its links lead somewhere, and that it reads well in a browser."""
