"""Lighthouse over one page of each kind; `LIGHTHOUSE=1` installs it, with a Node.js of its own, and runs it."""
