"""A webhook-sending service and a receiver to start from: `homing template`.

The files are in `skeleton`, rendered by Copier; `scaffold` writes them and brings them up to date.
"""
