"""What `make results`, `slides`, `demo` and `demo-video` write."""
