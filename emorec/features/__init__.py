"""What networks read: log-mel, crops, landmark tracks; NumPy alone."""
