"""A steady load from the clients, and what a fault costs it."""
