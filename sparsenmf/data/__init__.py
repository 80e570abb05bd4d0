"""What comes in and goes out: arguments, matrices, names, files, stores. Plain NumPy."""
