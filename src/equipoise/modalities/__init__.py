"""Kinds of modalities: a room each. Nothing outside knows a kind by name."""
