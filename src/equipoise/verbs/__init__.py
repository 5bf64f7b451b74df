"""Verbs with arguments of their own: ``add`` gives them to the parser; light imports only."""
