"""What follows from an inventory, decided once."""
