"""What an install does on this host, decided before any of it is done; pure."""
