"""Where the face is and how its points lie: Haar boxes, one face followed, landmarks."""
