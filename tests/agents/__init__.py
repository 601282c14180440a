"""Bots and agents: what they keep, whoever stops them and when."""
