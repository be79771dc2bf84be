"""How a network is trained, and the four that ship."""
