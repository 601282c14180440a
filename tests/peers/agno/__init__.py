"""Agno: JsonDb."""
