"""Strands Agents: FileSessionManager."""
