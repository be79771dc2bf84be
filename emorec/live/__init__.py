"""Camera and microphone as they come."""
