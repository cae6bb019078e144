"""Where runs are placed, and the job that each of them is."""
