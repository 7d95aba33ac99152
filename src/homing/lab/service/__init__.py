"""The payment notification service of the founding incident; its worker is copied for the user."""
