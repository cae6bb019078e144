"""What runs leave behind, and the tables made of it. No torch."""
